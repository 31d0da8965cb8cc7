import { LayerNorm, LayerNormGrad } from '../contracts/layer_norm.js';
import { defineProgram } from './runtime/program.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { columnSums } from './shared/column_sum.js';
import { asRows, backwardWorkgroups, Row } from './wgsl/row.js';

interface LayerNormSpec {
  columns: number;
}

/** The mean comes first and the squares are of what it leaves: mean(x²) − mean² would cancel. */
const layerNormProgram = defineProgram('layerNorm', ({ columns }: LayerNormSpec, gpu) => {
  const row = new Row(gpu, columns);
  const sources = { x: 'x[base + @]' };
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { x: row.type, gamma: row.type, beta: row.type },
    writes: { y: row.type, mean: 'f32', rstd: 'f32' },
    uniforms: { ...row.uniforms, epsilon: 'f32' },
    declarations: row.reduction('rowSum'),
    body: `
  ${row.begin()}
  var total = 0.0;
  ${row.pass(sources, ({ x }) => `total += ${row.sum(x)};`)}
  let m = rowSum(total) / ${columns}.0;
  var squares = 0.0;
  ${row.pass(sources, ({ x }) => `let centred = ${x} - m; squares += ${row.dot('centred', 'centred')};`)}
  let r = inverseSqrt(rowSum(squares) / ${columns}.0 + u.epsilon);
  if (${row.isFirst}) {
    mean[row] = m;
    rstd[row] = r;
  }
  ${row.pass(sources, ({ x }, at) => `y[base + ${at}] = (${x} - m) * r * gamma[${at}] + beta[${at}];`)}`,
  };
});

/**
 * With x̂ = (x − mean) · rstd and w = dy · gamma: dx = rstd · (w − mean(w) − x̂ · mean(w · x̂)), dgamma = Σ dy · x̂ and
 * dbeta = Σ dy. A workgroup keeps its parts of dgamma and dbeta.
 */
const layerNormGradProgram = defineProgram('layerNormGrad', ({ columns }: LayerNormSpec, gpu) => {
  const row = new Row(gpu, columns, { inputs: 2 });
  const [dgamma, dbeta] = [row.columnSums('dgamma'), row.columnSums('dbeta')];
  const gamma = 'gamma[@]';
  const sources = { dy: 'dy[base + @]', normalized: '(x[base + @] - m) * r', gamma };
  return {
    workgroupSize: row.workgroupSize,
    reads: { dy: row.type, x: row.type, gamma: row.type, mean: 'f32', rstd: 'f32' },
    writes: { dx: row.type, dgamma: row.type, dbeta: row.type },
    uniforms: { rows: 'u32' },
    declarations: row.reduction('rowSum', { type: 'vec2f' }) + dgamma.declarations + dbeta.declarations,
    body: `
  ${dgamma.start}
  ${dbeta.start}
  ${row.hold({ gamma })}
  ${row.forEachGroup(`
    let m = mean[row];
    let r = rstd[row];
    var sums = vec2f();
    ${row.pass(
      sources,
      ({ dy, normalized, gamma }) =>
        `let w = ${dy} * ${gamma}; sums += vec2f(${row.sum('w')}, ${row.dot('w', normalized)});`,
    )}
    let means = rowSum(sums) / ${columns}.0;
    ${row.pass(
      sources,
      ({ dy, normalized, gamma }, at, i) => `
        dx[base + ${at}] = r * (${dy} * ${gamma} - means.x - ${normalized} * means.y);
        ${dgamma.add(`${dy} * ${normalized}`, at, i)}
        ${dbeta.add(dy, at, i)}`,
    )}`)}
  ${dgamma.store}
  ${dbeta.store}`,
  };
});

export const layerNorm = webgpuKernel(LayerNorm, (gpu, { x, gamma, beta }, { epsilon }) => {
  const [rows, columns] = asRows(x.shape);
  const y = gpu.output(x.shape);
  const mean = gpu.output(x.shape.slice(0, -1));
  const rstd = gpu.output(x.shape.slice(0, -1));
  gpu.run(layerNormProgram, { columns }, { x, gamma, beta, y, mean, rstd }, { epsilon }, { rows });
  return { y, mean, rstd };
});

export const layerNormGrad = webgpuKernel(LayerNormGrad, (gpu, { dy, x, gamma, mean, rstd }) => {
  const [rows, columns] = asRows(x.shape);
  const dx = gpu.output(x.shape);
  const workgroups = backwardWorkgroups(rows);
  const [dgammas, dbetas] = [gpu.output([workgroups, columns]), gpu.output([workgroups, columns])];
  const tensors = { dy, x, gamma, mean, rstd, dx, dgamma: dgammas, dbeta: dbetas };
  gpu.run(layerNormGradProgram, { columns }, tensors, { rows }, workgroups);
  const [dgamma, dbeta] = columnSums(gpu, [dgammas, dbetas], workgroups, columns);
  gpu.release(dgammas, dbetas);
  return { dx, dgamma, dbeta };
});
