import { defineProgram } from '../runtime/program.js';
import { LOWEST } from '../wgsl/elements.js';
import { Row } from '../wgsl/row.js';

export interface RowsSpec {
  /** L */
  columns: number;
  sparse: boolean;
}

/** WGSL of whether a score is NaN or +∞, which comparisons of floats need not tell. */
const IS_WILD = (value: string) =>
  `((bitcast<u32>(${value}) & 0x7fffffffu) > 0x7f800000u) | (bitcast<u32>(${value}) == 0x7f800000u)`;

/**
 * WGSL of `fn <name>(index, at, query) -> <type>`: an element of `buffer` that is number `at` of a row, with `otherwise` in the
 * columns behind the query. Elements behind it are not read.
 */
function seenElements(row: Row, name: string, buffer: string, otherwise: string): string {
  const { type } = row;
  const isBehind = type === 'f32' ? 'at > query' : 'at * 4u > query';
  const columns = row.columnsAt('at');
  const limit = type === 'f32' ? 'query' : 'vec4u(query)';
  return `fn ${name}(index: u32, at: u32, query: u32) -> ${type} {
  if (${isBehind}) { return ${type}(${otherwise}); }
  return select(${type}(${otherwise}), ${buffer}[index], ${columns} <= ${limit});
}`;
}

/**
 * What weights are made of: a row's maximum and, of softmax, 1 / Σ exp(s − maximum), of sparsemax, the threshold τ above the
 * maximum where
 *
 *     Σ max(s − maximum − τ, 0) = 1.
 *
 * τ lies between −1, at which the sum is at least 1, and 0. Newton's steps from the left, τ = (Σ s − maximum over the support −
 * 1) / |support|, reach it exactly: the sum is convex and made of straight pieces, and the support shrinks with every step.
 */
export const statsProgram = defineProgram('multiTokenAttentionStats', ({ columns, sparse }: RowsSpec, gpu) => {
  const row = new Row(gpu, columns);
  const { type } = row;
  const sources = { s: 'score(base + @, @, query)' };
  const begin = `${row.begin()}
  let query = row % ${columns}u;`;
  const shared = {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { scores: type },
    writes: { stats: 'f32' as const },
    uniforms: { ...row.uniforms, ...(sparse && { nan: 'f32' as const }) },
  };
  const score = seenElements(row, 'score', 'scores', LOWEST);
  if (!sparse) {
    return {
      ...shared,
      declarations: row.reduction('rowMax', { op: 'max' }) + row.reduction('rowSum') + score,
      body: `
  ${begin}
  var top = ${LOWEST};
  var total = 0.0;
  ${row.pass(
    sources,
    ({ s }) => `
    let higher = max(top, ${row.max(s)});
    total = total * exp(top - higher) + ${row.sum(`exp(${s} - higher)`)};
    top = higher;`,
  )}
  let maximum = rowMax(top);
  let sum = rowSum(total * exp(top - maximum));
  if (${row.isFirst}) { stats[row * 2u] = maximum; stats[row * 2u + 1u] = 1.0 / sum; }`,
    };
  }
  const components = (value: string) => (type === 'f32' ? [value] : ['x', 'y', 'z', 'w'].map((c) => `${value}.${c}`));
  return {
    ...shared,
    declarations: `
${row.reduction('rowMax', { op: 'max', type: 'vec2f' })}
${row.reduction('rowSum', { type: 'vec2f' })}
${score}
var<workgroup> hasMoved: atomic<u32>;
var<workgroup> goesOn: bool;`,
    body: `
  ${begin}
  var top = ${LOWEST};
  var wild = 0.0;
  ${row.pass(
    sources,
    ({ s }) => `top = max(top, ${row.max(s)});
    ${components(s)
      .map((value) => `wild = select(wild, 1.0, ${IS_WILD(value)});`)
      .join('\n')}`,
  )}
  let highest = rowMax(vec2f(top, wild));
  let maximum = highest.x;
  var threshold = -1.0;
  loop {
    var support = vec2f();
    ${row.pass(
      sources,
      ({ s }) =>
        `{ let distance = ${s} - maximum;
        let isInside = distance > ${type}(threshold);
        support += vec2f(${row.sum(`select(${type}(), distance, isInside)`)}, ${row.sum(`select(${type}(), ${type}(1.0), isInside)`)}); }`,
    )}
    let total = rowSum(support);
    let next = (total.x - 1.0) / total.y;
    if (thread == 0u) { atomicStore(&hasMoved, 0u); }
    workgroupBarrier();
    if (next > threshold) {
      threshold = next;
      atomicStore(&hasMoved, 1u);
    }
    workgroupBarrier();
    if (thread == 0u) { goesOn = atomicLoad(&hasMoved) == 1u; }
    if (!workgroupUniformLoad(&goesOn)) { break; }
  }
  if (${row.isFirst}) { stats[row * 2u] = maximum; stats[row * 2u + 1u] = select(threshold, u.nan, highest.y > 0.0); }`,
  };
});

/**
 * The gradient of scores of that of their weights, dp, in its place. With w = p for softmax, and 1 on the support of sparsemax:
 *
 *     ds = w · (dp − Σ w · dp / Σ w)
 */
export const scoreGradientProgram = defineProgram(
  'multiTokenAttentionScoreGrad',
  ({ columns, sparse }: RowsSpec, gpu) => {
    const row = new Row(gpu, columns, { inputs: 2 });
    const { type } = row;
    const sources = { s: 'score(base + @, @, query)', dp: 'slope(base + @, @, query)' };
    const weight = (s: string) =>
      sparse ? `select(${type}(), ${type}(1.0), ${s} - maximum > ${type}(other))` : `exp(${s} - maximum) * other`;
    return {
      workgroupSize: row.workgroupSize,
      rowsPerWorkgroup: row.rowsPerWorkgroup,
      reads: { scores: type, stats: 'f32' },
      writes: { dscores: type },
      uniforms: row.uniforms,
      declarations: [
        row.reduction('rowSum', { type: 'vec2f' }),
        seenElements(row, 'score', 'scores', LOWEST),
        seenElements(row, 'slope', 'dscores', '0.0'),
      ].join('\n'),
      body: `
  ${row.begin()}
  let query = row % ${columns}u;
  let maximum = stats[row * 2u];
  let other = stats[row * 2u + 1u];
  var sums = vec2f();
  ${row.pass(sources, ({ s, dp }) => `{ let w = ${weight(s)}; sums += vec2f(${row.dot('w', dp)}, ${row.sum('w')}); }`)}
  let totals = rowSum(sums);
  let mean = totals.x / totals.y;
  ${row.pass(sources, ({ s, dp }, at) => `dscores[base + ${at}] = ${weight(s)} * (${dp} - mean);`)}`,
    };
  },
);
