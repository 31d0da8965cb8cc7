import { defineProgram } from '../runtime/program.js';
import { times } from '../wgsl/elements.js';
import { rowReduction, workgroupReduction } from '../wgsl/reduction.js';
import { fetchQuad, type HeadRows, headStart, quadsOf, storeQuad, strideUniforms, typeOf } from './heads.js';
import { declarePart, eachElement, multiplyColumns, multiplyTransposed, type Part } from './products.js';
import { RANGE_SIZE } from './ranges.js';
import { ScoreGradient } from './score_gradient.js';
import { LOG2_E, LOWEST_MAXIMUM, type ScoreSpec } from './scores.js';
import type { AttentionTile } from './tile.js';

/** Lanes that add up a row of y · dy. */
const DELTA_LANES = 8;
const DELTA_ROWS = 32;

/** What each row of scores needs for its gradient, as the bits of floats: lse · log2(e), 0 where nothing is seen, and δ = Σ dy · y − dlse. */
export const deltaProgram = defineProgram('flashAttentionDelta', (spec: HeadRows & { hasDlse: boolean }, gpu) => {
  const type = typeOf(spec);
  const threads = DELTA_ROWS * DELTA_LANES;
  const quads = quadsOf(spec.headSize);
  return {
    workgroupSize: threads,
    rowsPerWorkgroup: DELTA_ROWS,
    reads: { y: type, dy: type, lse: 'f32', ...(spec.hasDlse && { dlse: 'f32' }) },
    writes: { stats: 'i32' },
    uniforms: { rows: 'u32', queryHeads: 'u32', queries: 'u32', ...strideUniforms('y') },
    declarations: rowReduction(gpu, threads, DELTA_LANES, 'rowSum'),
    body: `
  let row = workgroup * ${DELTA_ROWS}u + thread / ${DELTA_LANES}u;
  let known = min(row, u.rows - 1u);
  let head = known / u.queries;
  let start = ${headStart('y', '(head / u.queryHeads)', '(head % u.queryHeads)')} + known % u.queries * u.yRow;
  var sum = 0.0;
  for (var quad = thread % ${DELTA_LANES}u; quad < ${quads}u; quad += ${DELTA_LANES}u) {
    sum += dot(${fetchQuad(spec, 'y', 'start', 'quad', false)}, ${fetchQuad(spec, 'dy', 'start', 'quad', false)});
  }
  let delta = rowSum(sum)${spec.hasDlse ? ' - dlse[known]' : ''};
  if (row < u.rows && thread % ${DELTA_LANES}u == 0u) {
    let logSum = lse[row] * ${LOG2_E};
    stats[row * 2u] = bitcast<i32>(select(logSum, 0.0, logSum < ${LOWEST_MAXIMUM}));
    stats[row * 2u + 1u] = bitcast<i32>(delta);
  }`,
  };
});

export interface BackwardSpec extends ScoreSpec, HeadRows {
  readonly tile: AttentionTile;
  /** Whether dk and dv go into one tensor with dq. */
  readonly packed: boolean;
  /** Whether dk and dv are computed, and dq. */
  readonly ofKeys: boolean;
  readonly ofQueries: boolean;
  /** Adds to dk and dv, of which others have stored a part. */
  readonly accumulate: boolean;
}

/** Columns of a head of which a run computes gradients at most, in vec4s: more would not fit the registers. */
const QUADS_OF_RUN = 32;

/** The same in parts of a head. A larger head takes several runs. */
export const chunksOfRun = ({ headSize, tile: { depth } }: { headSize: number; tile: AttentionTile }) =>
  Math.min(Math.ceil(quadsOf(headSize) / depth), QUADS_OF_RUN / depth);

/**
 * Dao, "FlashAttention-2" (2023). A workgroup keeps a block of keys, walks over the queries that see them, a block at a time,
 * and goes on to its next block of keys:
 *
 *     dv += (p · kept) · dy,  dk += ds · q · scale,  dq += dsᵀ · k · scale
 *
 * with keys along the rows of p and ds. Every workgroup adds dq in a tensor of its own, where one thread alone reads and writes
 * each element; those tensors are added afterwards, so that the order of all sums is fixed.
 */
export const backwardProgram = defineProgram('flashAttentionBackward', (spec: BackwardSpec) => {
  const { tile, headSize, visibility, packed, ofKeys, ofQueries, accumulate } = spec;
  const { rowLanes, columnLanes, depth, threadRows, unroll } = tile;
  const gradient = new ScoreGradient(spec, true);
  const { rows, columns, chunks, keyTile, queryTile, otherTile, keptWeights, slopes } = gradient;
  const type = typeOf(spec);
  const quads = quadsOf(headSize);
  const own = chunksOfRun(spec);
  const dk: Part = { name: 'dk', rows: threadRows, quads: own };
  const dv: Part = { name: 'dv', rows: threadRows, quads: own };
  const dq: Part = { name: 'dq', rows: columns / rowLanes, quads: 1 };

  /** A thread's own places in the tensor of its workgroup's dq. */
  const dqRow = (i: number) =>
    `(firstQuery - u.firstQuery + i32(laneRow) * 4 + ${Math.floor(i / 4) * rowLanes * 4 + (i % 4)})`;
  const dqAt = (i: number, chunk: number) =>
    `dqParts[dqStart + u32(${dqRow(i)}) * ${quads}u + laneColumn + ${firstQuadOf(chunk)}]`;
  const storeDq = (chunk: number, value: (i: number) => string) =>
    times(
      dq.rows,
      (i) =>
        `if (${dqRow(i)} < u.queryCount && laneColumn + ${firstQuadOf(chunk)} < ${quads}u) { ${dqAt(i, chunk)} = ${value(i)}; }`,
    );
  const product = (c: Part, tile: typeof queryTile, chunk: number) =>
    multiplyColumns(c, keyTile, tile, columnLanes, { first: '0u', width: columns / 4, unroll, quads: [chunk] });
  const each = (text: (chunk: number) => string) => times(own, text);
  const firstQuadOf = (chunk: number) => `(u.firstQuad + ${chunk * depth}u)`;
  const dqStart = `((part * u.batches + batch) * u.queryHeads + queryHead) * u32(u.queryCount) * ${quads}u`;

  const declareDq = (chunk: number) => `
      let dqStart = ${dqStart};
      // What is read beyond a head or the last query is not stored.
      ${times(dq.rows, (i) => `var dq${i}_0 = ${dqAt(i, chunk)};`)}`;
  const multiplySlopes = (chunk: number) => `
      ${ofKeys ? product(dk, queryTile, chunk) : ''}
      ${
        ofQueries
          ? `${multiplyTransposed(dq, keyTile, otherTile, { rowLanes, terms: rows, unroll })}
      ${storeDq(chunk, (i) => `dq${i}_0`)}`
          : ''
      }`;

  /** Of heads that fit a tile: what a product needs is read ahead of the one before it. */
  const block = () => {
    const dy = gradient.stage('dy', otherTile, firstQuadOf(0));
    const v = gradient.stageValues('0u');
    const q = gradient.stage('q', queryTile, firstQuadOf(0), 'nextQ');
    const k = gradient.stage('k', otherTile, firstQuadOf(0), 'nextK');
    return `
      ${gradient.weightsBlock(dy.fetch)}
      workgroupBarrier();
      ${gradient.store(keptWeights)}
      ${dy.store}
      workgroupBarrier();
      ${v.fetch}
      ${product(dv, otherTile, 0)}
      ${gradient.slopesBlock({ isFetched: true, ahead: q.fetch + k.fetch + declareDq(0) })}
      workgroupBarrier();
      ${gradient.store(slopes)}
      ${q.store}
      ${k.store}
      workgroupBarrier();
      ${multiplySlopes(0)}`;
  };

  /** Of larger heads, a part at a time, or of dk and dv, or dq, alone. */
  const blockInChunks = () => `
      ${gradient.weightsBlock()}
      ${each((chunk) => {
        const dy = gradient.stage('dy', otherTile, firstQuadOf(chunk));
        const storeWeights = chunk === 0 ? gradient.store(keptWeights) : '';
        if (!ofKeys) return chunk === 0 ? `workgroupBarrier(); ${storeWeights}` : '';
        return `{
        ${dy.fetch}
        workgroupBarrier();
        ${storeWeights}
        ${dy.store}
        workgroupBarrier();
        ${product(dv, otherTile, chunk)}
      }`;
      })}
      ${gradient.slopesBlock()}
      ${each((chunk) => {
        const q = gradient.stage('q', queryTile, firstQuadOf(chunk), 'nextQ');
        const k = gradient.stage('k', otherTile, firstQuadOf(chunk), 'nextK');
        return `{
        ${ofQueries ? declareDq(chunk) + k.fetch : ''}
        ${ofKeys ? q.fetch : ''}
        workgroupBarrier();
        ${chunk === 0 ? gradient.store(slopes) : ''}
        ${ofQueries ? k.store : ''}
        ${ofKeys ? q.store : ''}
        workgroupBarrier();
        ${multiplySlopes(chunk)}
      }`;
      })}`;

  return {
    workgroupSize: gradient.threads,
    reads: gradient.reads,
    writes: {
      ...(ofKeys && (packed ? { dqkv: type } : { dk: type, dv: type })),
      ...(ofQueries && { dqParts: 'vec4f' }),
    },
    uniforms: {
      batches: 'u32',
      keyHeads: 'u32',
      keyBlocks: 'u32',
      /** Workgroups that share a head's blocks of keys. */
      parts: 'u32',
      /** The queries of this call. */
      firstQuery: 'i32',
      queryCount: 'i32',
      /** The first of the heads' columns of which gradients are computed, in vec4s. */
      firstQuad: 'u32',
      slope: 'f32',
      ...gradient.uniforms,
      ...(ofKeys && strideUniforms('dk', 'dv')),
    },
    declarations: gradient.declarations,
    body: `
  let keyHead = workgroup % u.keyHeads;
  let batch = workgroup / u.keyHeads % u.batches;
  let part = workgroup / (u.keyHeads * u.batches);
  ${gradient.lanes}
  let endQuery = u.firstQuery + u.queryCount;
  ${
    ofQueries
      ? `for (var member = 0u; member < u.group; member++) {
    let queryHead = keyHead * u.group + member;
    let dqStart = ${dqStart};
    for (var firstQuery = u.firstQuery; firstQuery < endQuery; firstQuery += ${columns}) {
      ${each((chunk) => storeDq(chunk, () => 'vec4f()'))}
    }
  }`
      : ''
  }
  // Blocks are dealt out to and fro, since with a causal mask the first ones are seen by the most queries.
  for (var round = 0u; round * u.parts < u.keyBlocks; round++) {
    let keyBlock = round * u.parts + select(part, u.parts - 1u - part, round % 2u == 1u);
    if (keyBlock >= u.keyBlocks) { continue; }
    let firstKey = i32(keyBlock) * ${rows};
    ${
      visibility === 'all'
        ? `let keyEnd = u.keys;
    var begin = u.firstQuery;
    var end = endQuery;`
        : `let range = u.rangesAt + (batch * u.keyBlocks + keyBlock) * ${RANGE_SIZE}u;
    let keyEnd = stats[range + 2u];
    var begin = max(u.firstQuery, stats[range]);
    var end = min(endQuery, stats[range + 1u]);`
    }
    ${spec.after ? 'begin = max(begin, firstKey - u.after - u.shift);' : ''}
    ${spec.before ? `end = min(end, firstKey + ${rows} + u.before - u.shift);` : ''}
    begin = u.firstQuery + (begin - u.firstQuery) / ${columns} * ${columns};
    ${gradient.keyBlock}
    ${ofKeys ? declarePart(dk) + declarePart(dv) : ''}
    // One loop over the heads that share the keys, and over their blocks of queries.
    let queryBlocks = u32(max(end - begin + ${columns - 1}, 0) / ${columns});
    for (var step = 0u; step < u.group * queryBlocks; step++) {
      let queryHead = keyHead * u.group + step / queryBlocks;
      let firstQuery = begin + i32(step % queryBlocks) * ${columns};
        ${chunks === 1 && ofKeys && ofQueries ? block() : blockInChunks()}
    }
    ${
      ofKeys
        ? times(
            threadRows,
            (i) => `{
      let key = ${gradient.keyOf(i)};
      if (key < u.keys) {
        let dkAt = ${headStart('dk', 'batch', 'keyHead')} + u32(key) * u.dkRow;
        let dvAt = ${headStart('dv', 'batch', 'keyHead')} + u32(key) * u.dvRow;
        ${each(
          (chunk) => `{
          let quad = laneColumn + ${firstQuadOf(chunk)};
          ${storeQuad(spec, packed ? 'dqkv' : 'dk', 'dkAt', 'quad', `(dk${i}_${chunk} * u.slope)`, accumulate ? '+=' : '=')}
          ${storeQuad(spec, packed ? 'dqkv' : 'dv', 'dvAt', 'quad', `dv${i}_${chunk}`, accumulate ? '+=' : '=')}
        }`,
        )}
      }
    }`,
          )
        : ''
    }
  }`,
  };
});

/** dq = slope · Σ of the parts, in their order. */
export const querySumProgram = defineProgram('flashAttentionQuerySum', (spec: HeadRows) => {
  const quads = quadsOf(spec.headSize);
  return {
    workgroupSize: 256,
    reads: { dqParts: 'vec4f' },
    writes: { dq: typeOf(spec) },
    uniforms: {
      count: 'u32',
      parts: 'u32',
      queryHeads: 'u32',
      firstQuery: 'u32',
      queryCount: 'u32',
      slope: 'f32',
      ...strideUniforms('dq'),
    },
    body: `
  let index = workgroup * 256u + thread;
  if (index >= u.count) { return; }
  var sum = dqParts[index];
  for (var part = 1u; part < u.parts; part++) { sum += dqParts[part * u.count + index]; }
  let quad = index % ${quads}u;
  let row = index / ${quads}u % u.queryCount;
  let head = index / ${quads}u / u.queryCount;
  let start = ${headStart('dq', '(head / u.queryHeads)', '(head % u.queryHeads)')} + (u.firstQuery + row) * u.dqRow;
  let value = sum * u.slope;
  ${storeQuad(spec, 'dq', 'start', 'quad', 'value')}`,
  };
});

export interface BiasGradSpec extends ScoreSpec, HeadRows {
  readonly tile: AttentionTile;
  /** Whether a bias has a value for each query, and for each key; otherwise its gradient is the sum over them. */
  readonly perQuery: boolean;
  readonly perKey: boolean;
}

/** The gradient of a bias: the sum of ds over the batches, heads, queries and keys that share an element of it. */
export const biasGradProgram = defineProgram('flashAttentionBiasGrad', (spec: BiasGradSpec) => {
  const { tile, visibility, perQuery, perKey } = spec;
  const { threadRows } = tile;
  const gradient = new ScoreGradient(spec, false);
  const { rows, columns, slopes, keyTile, threads } = gradient;
  const sum: Part = { name: 'sum', rows: threadRows, quads: 1 };
  const store = perQuery
    ? perKey
      ? eachElement(
          sum,
          (value, i, _, c) =>
            `if (${gradient.keyOf(i)} < u.keys && ${gradient.queryOf(c)} < u.queries) { dbias[dbiasStart + u32(${gradient.queryOf(c)} * u.keys + ${gradient.keyOf(i)})] = ${value}; }`,
        )
      : `if (thread < ${columns / 4}u) {
    var total = vec4f();
    for (var key = 0u; key < ${rows}u; key++) { total += ${keyTile.at('key', 'thread')}; }
    ${[0, 1, 2, 3].map((c) => `if (firstQuery + i32(thread) * 4 + ${c} < u.queries) { dbias[dbiasStart + u32(firstQuery) + thread * 4u + ${c}u] = total.${'xyzw'[c]}; }`).join('\n')}
  }`
    : `${perKey ? '' : 'var all = 0.0;'}
  for (var key = ${perKey ? 'thread' : '0u'}; key < ${rows}u; key += ${perKey ? threads : 1}u) {
    var total = vec4f();
    for (var quad = 0u; quad < ${columns / 4}u; quad++) { total += ${keyTile.at('key', 'quad')}; }
    let value = dot(total, vec4f(1.0));
    ${perKey ? 'if (firstKey + i32(key) < u.keys) { dbias[dbiasStart + u32(firstKey) + key] = value; }' : 'all += value;'}
  }
  ${perKey ? '' : 'if (thread == 0u) { dbias[dbiasStart] = all; }'}`;
  return {
    workgroupSize: threads,
    reads: gradient.reads,
    writes: { dbias: 'f32' },
    uniforms: {
      batches: 'u32',
      keyBlocks: 'u32',
      /** What of the bias there is, and blocks of it. */
      biasBatches: 'u32',
      biasHeads: 'u32',
      queryTiles: 'u32',
      keyTiles: 'u32',
      ...gradient.uniforms,
    },
    declarations: gradient.declarations,
    body: `
  let keyTileNumber = workgroup % u.keyTiles;
  let queryTileNumber = workgroup / u.keyTiles % u.queryTiles;
  let biasHead = workgroup / (u.keyTiles * u.queryTiles) % u.biasHeads;
  let biasBatch = workgroup / (u.keyTiles * u.queryTiles * u.biasHeads);
  ${gradient.lanes}
  var firstKey = i32(keyTileNumber) * ${rows};
  var firstQuery = i32(queryTileNumber) * ${columns};
  ${declarePart(sum)}
  for (var ofBatch = 0u; ofBatch * u.biasBatches < u.batches; ofBatch++) {
    let batch = biasBatch + ofBatch * u.biasBatches;
    for (var ofHead = 0u; ofHead * u.biasHeads < u.queryHeads; ofHead++) {
      let queryHead = biasHead + ofHead * u.biasHeads;
      let keyHead = queryHead / u.group;
      for (${perKey ? 'var turn = 0; turn < 1; turn++' : `firstKey = 0; firstKey < u.keys; firstKey += ${rows}`}) {
        ${
          visibility === 'all'
            ? 'let keyEnd = u.keys;'
            : `let keyEnd = stats[u.rangesAt + (batch * u.keyBlocks + u32(firstKey) / ${rows}u) * ${RANGE_SIZE}u + 2u];`
        }
        ${gradient.keyBlock}
        for (${perQuery ? 'var turnOfQuery = 0; turnOfQuery < 1; turnOfQuery++' : `firstQuery = 0; firstQuery < u.queries; firstQuery += ${columns}`}) {
          ${gradient.weightsBlock()}
          workgroupBarrier();
          ${gradient.store(gradient.keptWeights)}
          ${gradient.slopesBlock()}
          ${times(threadRows, (i) => `sum${i}_0 += ${slopes.name}${i}_0;`)}
          workgroupBarrier();
        }
      }
    }
  }
  let dbiasStart = ((biasBatch * u.biasHeads + biasHead) * ${perQuery ? 'u32(u.queries)' : '1u'}) * ${perKey ? 'u32(u.keys)' : '1u'};
  ${perQuery && perKey ? '' : `${gradient.store(sum)}\n  workgroupBarrier();`}
  ${store}`,
  };
});

const SINK_WORKGROUP = 256;

/** dsink = −Σ exp(sink − lse) · δ over a head's rows of all batches. */
export const sinkGradProgram = defineProgram('flashAttentionSinkGrad', (_: Record<string, never>, gpu) => ({
  workgroupSize: SINK_WORKGROUP,
  reads: { stats: 'i32', sinks: 'f32' },
  writes: { dsinks: 'f32' },
  uniforms: { batches: 'u32', queryHeads: 'u32', queries: 'u32' },
  declarations: workgroupReduction(gpu, SINK_WORKGROUP, 'sumOfAll'),
  body: `
  let sink = sinks[workgroup] * ${LOG2_E};
  var sum = 0.0;
  for (var i = thread; i < u.batches * u.queries; i += ${SINK_WORKGROUP}u) {
    let row = (i / u.queries * u.queryHeads + workgroup) * u.queries + i % u.queries;
    sum -= exp2(sink - bitcast<f32>(stats[row * 2u])) * bitcast<f32>(stats[row * 2u + 1u]);
  }
  let total = sumOfAll(sum);
  if (thread == 0u) { dsinks[workgroup] = total; }`,
}));
