import { defineProgram } from '../runtime/program.js';
import { times } from '../wgsl/elements.js';
import { rowReduction } from '../wgsl/reduction.js';
import { fetchQuad, type HeadRows, headStart, quadsOf, storeQuad, strideUniforms, typeOf } from './heads.js';
import { COMPONENTS, declarePart, eachElement, multiplyColumns, multiplyRows, type Part } from './products.js';
import { RANGE_SIZE } from './ranges.js';
import {
  isKept,
  isVisible,
  LN_2,
  LOG2_E,
  LOWEST_MAXIMUM,
  MASKED,
  needsMask,
  rowBits,
  type ScoreSpec,
  scoreDeclarations,
  scoreOf,
  scoreReads,
  scoreUniforms,
  segmentOf,
} from './scores.js';
import { SharedTile, Stage } from './shared_tile.js';
import { columnsOf, type ForwardTile, rowsOf, threadsOf } from './tile.js';

export interface ForwardSpec extends ScoreSpec, HeadRows {
  readonly tile: ForwardTile;
  readonly sinks: boolean;
  /** The rows of a block are those of all heads that share their keys: there are few of each. */
  readonly grouped: boolean;
  /** Each workgroup goes over a part of the keys; the parts are combined afterwards. */
  readonly split: boolean;
}

/** WGSL has no such constant, and devices differ in what log2(0) is. */
const MINUS_INFINITY = 'var minusInfinityBits = 0xff800000u; let minusInfinity = bitcast<f32>(minusInfinityBits);';

/**
 * Dao et al., "FlashAttention" (2022), with the rescaling of FlashAttention-2. A workgroup keeps a block of queries and walks
 * over the keys that it sees, a block at a time:
 *
 *     s = q · kᵀ,  m' = max(m, max(s)),  p = 2^(s − m'),  l = l · 2^(m − m') + Σ p,  o = o · 2^(m − m') + p · v
 *
 * and in the end y = o / l and lse = m + log(l). Weights p take the place of the queries in workgroup memory, and values that
 * of the keys, where their shapes are the same.
 */
export const forwardProgram = defineProgram('flashAttention', (spec: ForwardSpec, gpu) => {
  const { tile, headSize, visibility, sinks, grouped, split, dropout } = spec;
  const { rowLanes, columnLanes, threadRows, columnQuads, depth, valueRows, unroll } = tile;
  const [threads, rows, keys] = [threadsOf(tile), rowsOf(tile), columnsOf(tile)];
  const quads = quadsOf(headSize);
  const chunks = Math.ceil(quads / depth);
  const outQuads = Math.ceil(quads / columnLanes);

  const q = new SharedTile('queryTile', 'strided', rowLanes, threadRows, depth);
  const weights = new SharedTile('weightTile', 'strided', rowLanes, threadRows, keys / 4);
  const k = new SharedTile('keyTile', 'quads', columnLanes, columnQuads * 4, depth);
  const values = new SharedTile('valueTile', 'quads', valueRows / 4, 4, columnLanes * outQuads);
  const p = weights.hasShapeOf(q) ? q : weights;
  const v = values.hasShapeOf(k) ? k : values;
  const [stageQ, stageK, stageV] = [q, k, v].map((target) => new Stage(target, threads)) as [Stage, Stage, Stage];
  // Queries that stay in workgroup memory are fetched once.
  const isResident = chunks === 1 && p !== q;

  const scores: Part = { name: 's', rows: threadRows, quads: columnQuads };
  const output: Part = { name: 'o', rows: threadRows, quads: outQuads };
  const type = typeOf(spec);

  const rowOf = (i: number) => `(firstRow + i32(laneRow) + ${i * rowLanes})`;
  const keyOf = (j: number, c: number) => `(first + i32(laneColumn) * 4 + ${j * columnLanes * 4 + c})`;
  /** A row's query and head, of what may be a row of several heads. */
  const queryOf = (row: string) => (grouped ? `(${row} % u.queries)` : row);
  const headOf = (row: string) => (grouped ? `(keyHead * u.group + u32(${row} / u.queries))` : 'queryHead');
  const placeOf = (i: number) => `(${queryOf(rowOf(i))} + u.shift)`;
  const eachRow = (text: (i: number) => string) => times(threadRows, text);

  const fetchQ = (part: string) =>
    stageQ.fetch('query', (row, column) => {
      const at = `min(firstRow + i32(${row}), rowCount - 1)`;
      const start = `${headStart('q', 'batch', headOf(at))} + u32(${queryOf(at)}) * u.qRow`;
      return fetchQuad(spec, 'q', start, `(${part} + ${column})`, quads % depth !== 0);
    });
  const fetchOfKey =
    (name: 'k' | 'v', firstKey: string, part: string, isPadded: boolean) => (row: string, column: string) => {
      const start = `${name}Start + u32(min(${firstKey} + i32(${row}), u.keys - 1)) * u.${name}Row`;
      const value = fetchQuad(spec, name, start, `(${part} + ${column})`, isPadded);
      return `select(vec4f(), ${value}, ${firstKey} + i32(${row}) < keyEnd)`;
    };
  const fetchK = (part: string) => stageK.fetch('key', fetchOfKey('k', 'first', part, quads % depth !== 0));
  const fetchV = (part: string) =>
    stageV.fetch('value', fetchOfKey('v', `(first + i32(${part}))`, '0u', quads % columnLanes !== 0));
  const multiplyV = (part: string) =>
    multiplyColumns(output, p, v, columnLanes, {
      first: `${part} / 4u`,
      width: valueRows / 4,
      unroll,
      quads: Array.from({ length: outQuads }, (_, j) => j),
    });

  /** A value of each row, reduced over the lanes that share it, four rows at a time. */
  const reduceRows = (reduce: string, from: string, to: string) =>
    times(Math.ceil(threadRows / 4), (g) => {
      const own = [0, 1, 2, 3].map((c) => g * 4 + c);
      const value = own.map((i) => (i < threadRows ? `${from}${i}` : '0.0')).join(', ');
      const rows = own.filter((i) => i < threadRows);
      return `let ${to}Rows${g} = ${reduce}(vec4f(${value}));
  ${rows.map((i, c) => `let ${to}${i} = ${to}Rows${g}.${COMPONENTS[c]};`).join('\n')}`;
    });

  const scoresMax = (i: number) =>
    Array.from(
      { length: columnQuads },
      (_, j) => `max(max(s${i}_${j}.x, s${i}_${j}.y), max(s${i}_${j}.z, s${i}_${j}.w))`,
    ).reduce((a, b) => `max(${a}, ${b})`);
  const scoresSum = (i: number) =>
    Array.from({ length: columnQuads }, (_, j) => `dot(s${i}_${j}, vec4f(1.0))`).join(' + ');

  return {
    workgroupSize: threads,
    reads: {
      q: type,
      k: type,
      v: type,
      ...scoreReads(spec),
      ...(visibility !== 'all' && { ranges: 'i32' }),
      ...(sinks && { sinks: 'f32' }),
    },
    writes: { y: type, lse: 'f32' },
    uniforms: {
      /** Heads of all batches, of queries or, if grouped, of keys. */
      heads: 'u32',
      blocks: 'u32',
      ...(split && { splits: 'i32', ySplit: 'u32', lseSplit: 'u32' }),
      ...scoreUniforms(spec),
      ...strideUniforms('q', 'k', 'v', 'y'),
    },
    declarations: [
      ...[...new Set([q, p, k, v])].map((tile) => tile.declaration),
      rowReduction(gpu, threads, columnLanes, 'rowMax', { type: 'vec4f', op: 'max' }),
      rowReduction(gpu, threads, columnLanes, 'rowSum', { type: 'vec4f' }),
      scoreDeclarations(spec),
    ].join('\n'),
    body: `
  // Blocks that see the most keys come first, so that all end together.
  let block = u.blocks - 1u - workgroup / u.heads % u.blocks;
  let head = workgroup % u.heads;
  ${
    grouped
      ? `let keyHeads = u.queryHeads / u.group;
  let batch = head / keyHeads;
  let keyHead = head % keyHeads;
  let rowCount = i32(u.group) * u.queries;`
      : `let batch = head / u.queryHeads;
  let queryHead = head % u.queryHeads;
  let keyHead = queryHead / u.group;
  let rowCount = u.queries;`
  }
  let firstRow = i32(block) * ${rows};
  let laneRow = thread / ${columnLanes}u;
  let laneColumn = thread % ${columnLanes}u;
  let kStart = ${headStart('k', 'batch', 'keyHead')};
  let vStart = ${headStart('v', 'batch', 'keyHead')};
  let firstPlace = ${grouped ? 'u.shift' : 'firstRow + u.shift'};
  let lastPlace = ${grouped ? 'u.keys - 1' : `min(firstRow + ${rows}, u.queries) - 1 + u.shift`};
  ${
    visibility === 'all'
      ? `var begin = 0;
  let keyEnd = u.keys;`
      : `let range = u.rangesAt + ${grouped ? 'batch' : '(batch * u.blocks + block)'} * ${RANGE_SIZE}u;
  var begin = ranges[range];
  let keyEnd = ranges[range + 1u];`
  }
  ${spec.before ? 'begin = max(begin, firstPlace - u.before);' : ''}
  var end = ${spec.after ? 'min(keyEnd, lastPlace + u.after + 1)' : 'keyEnd'};
  ${
    split
      ? `let splitNumber = workgroup / (u.heads * u.blocks);
  let share = (max(end - begin, 0) + u.splits * ${keys} - 1) / (u.splits * ${keys}) * ${keys};
  begin += i32(splitNumber) * share;
  end = min(end, begin + share);`
      : ''
  }
  ${eachRow((i) => {
    if (!sinks) return `var m${i} = ${LOWEST_MAXIMUM}; var l${i} = 0.0;`;
    const isFirst = split ? 'laneColumn == 0u && splitNumber == 0u' : 'laneColumn == 0u';
    return `let sink${i} = sinks[${headOf(`min(${rowOf(i)}, rowCount - 1)`)}] * ${LOG2_E};
  var m${i} = ${split ? `select(${LOWEST_MAXIMUM}, max(sink${i}, ${LOWEST_MAXIMUM}), splitNumber == 0u)` : `max(sink${i}, ${LOWEST_MAXIMUM})`};
  var l${i} = select(0.0, exp2(sink${i} - m${i}), ${isFirst});`;
  })}
  ${declarePart(output)}
  ${visibility === 'segments' ? eachRow((i) => `let segment${i} = ${segmentOf('ranges', 'batch', placeOf(i))};`) : ''}
  ${
    spec.bias
      ? eachRow((i) => {
          const row = `min(${rowOf(i)}, rowCount - 1)`;
          return `let biasRow${i} = batch * u.biasBatch + ${headOf(row)} * u.biasHead + u32(${queryOf(row)}) * u.biasRow;`;
        })
      : ''
  }
  ${
    dropout
      ? eachRow(
          (i) =>
            `let bits${i} = ${rowBits(`((batch * u.queryHeads + ${headOf(rowOf(i))}) * u32(u.queries) + u32(${queryOf(rowOf(i))}))`)};`,
        )
      : ''
  }
  ${isResident ? `{ ${fetchQ('0u')} ${stageQ.store('query')} }` : ''}

  for (var first = begin; first < end; first += ${keys}) {
    ${declarePart(scores)}
    ${chunks > 1 ? `for (var part = 0u; part < ${chunks * depth}u; part += ${depth}u)` : ''} {
      ${isResident ? '' : fetchQ(chunks > 1 ? 'part' : '0u')}
      ${fetchK(chunks > 1 ? 'part' : '0u')}
      workgroupBarrier();
      ${isResident ? '' : stageQ.store('query')}
      ${stageK.store('key')}
      workgroupBarrier();
      ${multiplyRows(scores, q, k, depth, unroll)}
    }
    ${valueRows === keys ? fetchV('0') : ''}

    ${eachElement(scores, (s, i, j, c) => `${s} = ${scoreOf(spec, s, `biasRow${i}`, spec.bias ? `min(${keyOf(j, c)}, u.keys - 1)` : '')};`)}
    if (${needsMask(spec, ['firstPlace', 'lastPlace'], ['first', `first + ${keys - 1}`])}) {
      ${
        visibility === 'segments'
          ? times(columnQuads, (j) =>
              COMPONENTS.map(
                (_, c) => `let segmentOfKey${j}_${c} = ${segmentOf('ranges', 'batch', keyOf(j, c))};`,
              ).join('\n'),
            )
          : ''
      }
      ${eachElement(
        scores,
        (s, i, j, c) =>
          `${s} = select(${MASKED}, ${s}, ${isVisible(spec, placeOf(i), keyOf(j, c), [`segment${i}`, `segmentOfKey${j}_${c}`])});`,
      )}
    }
    ${eachRow((i) => `let top${i} = ${scoresMax(i)};`)}
    ${reduceRows('rowMax', 'top', 'blockTop')}
    ${p === q || v === k ? 'workgroupBarrier();' : ''}
    let weightTurn = ${p.turn('laneRow')};
    ${eachRow(
      (i) => `{
      let higher = max(m${i}, blockTop${i});
      let fade = exp2(m${i} - higher);
      m${i} = higher;
      ${times(columnQuads, (j) => `s${i}_${j} = exp2(s${i}_${j} - higher);`)}
      l${i} = l${i} * fade + ${scoresSum(i)};
      ${times(outQuads, (j) => `o${i}_${j} *= fade;`)}
    }`,
    )}
    ${dropout ? eachElement(scores, (s, i, j, c) => `${s} = select(0.0, ${s} * u.keepScale, ${isKept(`bits${i}`, keyOf(j, c))});`) : ''}
    ${eachRow((i) => times(columnQuads, (j) => `${p.read(i, 'laneRow', `laneColumn + ${j * columnLanes}u`, 'weightTurn')} = s${i}_${j};`))}
    ${
      valueRows === keys
        ? `${stageV.store('value')}
    workgroupBarrier();
    ${multiplyV('0u')}`
        : `for (var part = 0u; part < ${keys}u; part += ${valueRows}u) {
      ${fetchV('part')}
      if (part > 0u) { workgroupBarrier(); }
      ${stageV.store('value')}
      workgroupBarrier();
      ${multiplyV('part')}
    }`
    }
  }

  ${reduceRows('rowSum', 'l', 'total')}
  ${MINUS_INFINITY}
  ${eachRow(
    (i) => `{
    let row = ${rowOf(i)};
    if (row < rowCount) {
      let query = u32(${queryOf('row')});
      let queryHead = ${headOf('row')};
      let scale = select(0.0, 1.0 / total${i}, total${i} != 0.0);
      let start = ${headStart('y', 'batch', 'queryHead')} + query * u.yRow${split ? ' + splitNumber * u.ySplit' : ''};
      ${times(outQuads, (j) => `{ let quad = laneColumn + ${j * columnLanes}u; ${storeQuad(spec, 'y', 'start', 'quad', `(o${i}_${j} * scale)`)} }`)}
      if (laneColumn == 0u) {
        let at = (batch * u.queryHeads + queryHead) * u32(u.queries) + query${split ? ' + splitNumber * u.lseSplit' : ''};
        lse[at] = select((m${i} + log2(total${i})) * ${LN_2}, minusInfinity, total${i} == 0.0);
      }
    }
  }`,
  )}`,
  };
});

export interface CombineSpec extends HeadRows {}

/** With the weights w = exp(lse − max(lse)) of the parts: y = Σ w · y / Σ w and lse = max(lse) + log(Σ w). */
export const combineProgram = defineProgram('flashAttentionCombine', (spec: CombineSpec) => {
  const quads = quadsOf(spec.headSize);
  const rowQuads = spec.vectors ? spec.headSize / 4 : spec.headSize;
  const type = typeOf(spec);
  return {
    workgroupSize: 64,
    reads: { parts: type, partLse: 'f32' },
    writes: { y: type, lse: 'f32' },
    uniforms: { rows: 'u32', queryHeads: 'u32', queries: 'u32', splits: 'u32', ...strideUniforms('y') },
    body: `
  let index = workgroup * 64u + thread;
  let row = index / ${quads}u;
  let quad = index % ${quads}u;
  if (row >= u.rows) { return; }
  var top = ${LOWEST_MAXIMUM};
  for (var i = 0u; i < u.splits; i++) { top = max(top, partLse[i * u.rows + row]); }
  var total = 0.0;
  var sum = vec4f();
  for (var i = 0u; i < u.splits; i++) {
    let weight = exp(partLse[i * u.rows + row] - top);
    total += weight;
    sum += weight * ${fetchQuad(spec, 'parts', `(i * u.rows + row) * ${rowQuads}u`, 'quad', false)};
  }
  let head = row / u.queries;
  let start = ${headStart('y', '(head / u.queryHeads)', '(head % u.queryHeads)')} + row % u.queries * u.yRow;
  let value = sum * select(0.0, 1.0 / total, total != 0.0);
  ${storeQuad(spec, 'y', 'start', 'quad', 'value')}
  if (quad == 0u) { ${MINUS_INFINITY} lse[row] = select(top + log(total), minusInfinity, total == 0.0); }`,
  };
});
