import { defineProgram } from '../runtime/program.js';
import { LOWEST } from '../wgsl/elements.js';
import { Row } from '../wgsl/row.js';
import { softmaxDeclarations, softmaxScale } from '../wgsl/softmax.js';
import { sparsemaxDeclarations, sparsemaxThreshold } from '../wgsl/sparsemax.js';

export interface RowsSpec {
  /** L */
  columns: number;
  sparse: boolean;
}

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
 * What weights are made of: a row's maximum and, of softmax, 1 / Σ exp(s − maximum), of sparsemax, the threshold above the
 * maximum.
 */
export const statsProgram = defineProgram('multiTokenAttentionStats', ({ columns, sparse }: RowsSpec, gpu) => {
  const row = new Row(gpu, columns, { iterated: sparse });
  const sources = { x: 'score(base + @, @, query)' };
  const statistics = sparse
    ? {
        declarations: sparsemaxDeclarations(row),
        body: sparsemaxThreshold(row, sources),
        other: 'threshold',
      }
    : {
        declarations: softmaxDeclarations(row),
        body: softmaxScale(row, sources),
        other: 'scale',
      };
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { scores: row.type },
    writes: { stats: 'f32' },
    uniforms: { ...row.uniforms, ...(sparse && { nan: 'f32' }) },
    declarations: statistics.declarations + seenElements(row, 'score', 'scores', LOWEST),
    body: `
  ${row.begin()}
  let query = row % ${columns}u;
  ${statistics.body}
  if (${row.isFirst}) { stats[row * 2u] = maximum; stats[row * 2u + 1u] = ${statistics.other}; }`,
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
