import { Dyt, DytGrad } from '../contracts/dyt.js';
import { defineProgram } from './runtime/program.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { columnSum, columnSums } from './shared/column_sum.js';
import { wgslFunction } from './wgsl/activations.js';
import { workgroupReduction } from './wgsl/reduction.js';
import { asRows, backwardWorkgroups, Row } from './wgsl/row.js';

/** y = gamma · tanh(alpha · x) + beta. */
const dytProgram = defineProgram('dyt', ({ columns, hasBeta }: { columns: number; hasBeta: boolean }, gpu) => {
  const row = new Row(gpu, columns);
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { x: row.type, alpha: 'f32', gamma: row.type, ...(hasBeta && { beta: row.type }) },
    writes: { y: row.type },
    uniforms: row.uniforms,
    declarations: wgslFunction('tanh', row.type),
    body: `
  ${row.begin()}
  let a = alpha[0];
  ${row.pass(
    { x: 'x[base + @]' },
    ({ x }, at) => `y[base + ${at}] = gamma[${at}] * exactTanh(a * ${x})${hasBeta ? ` + beta[${at}]` : ''};`,
  )}`,
  };
});

/**
 * With z = alpha · x and dz = dy · gamma · tanh'(z): dx = dz · alpha, dalpha = Σ dz · x, dgamma = Σ dy · tanh(z) and
 * dbeta = Σ dy. A workgroup keeps its parts of the sums.
 */
const dytGradProgram = defineProgram('dytGrad', ({ columns }: { columns: number }, gpu) => {
  const row = new Row(gpu, columns, { inputs: 2 });
  const [dgamma, dbeta] = [row.columnSums('dgamma'), row.columnSums('dbeta')];
  const gamma = 'gamma[@]';
  return {
    workgroupSize: row.workgroupSize,
    reads: { dy: row.type, x: row.type, alpha: 'f32', gamma: row.type },
    writes: { dx: row.type, dalpha: 'f32', dgamma: row.type, dbeta: row.type },
    uniforms: { rows: 'u32' },
    declarations:
      wgslFunction('tanh', row.type) +
      workgroupReduction(gpu, row.workgroupSize, 'workgroupSum') +
      dgamma.declarations +
      dbeta.declarations,
    body: `
  let a = alpha[0];
  var slopes = 0.0;
  ${dgamma.start}
  ${dbeta.start}
  ${row.hold({ gamma })}
  ${row.forEachGroup(
    row.pass(
      { dy: 'dy[base + @]', x: 'x[base + @]', gamma },
      ({ dy, x, gamma }, at, i) => `
      let t = tanhAndSlope(a * ${x});
      let dz = ${dy} * ${gamma} * t.slope;
      dx[base + ${at}] = dz * a;
      slopes += ${row.dot('dz', x)};
      ${dgamma.add(`${dy} * t.value`, at, i)}
      ${dbeta.add(dy, at, i)}`,
    ),
  )}
  let total = workgroupSum(slopes);
  if (thread == 0u) { dalpha[workgroup] = total; }
  ${dgamma.store}
  ${dbeta.store}`,
  };
});

export const dyt = webgpuKernel(Dyt, (gpu, { x, alpha, gamma, beta }) => {
  const [rows, columns] = asRows(x.shape);
  const y = gpu.output(x.shape);
  gpu.run(dytProgram, { columns, hasBeta: beta !== undefined }, { x, alpha, gamma, beta, y }, {}, { rows });
  return { y };
});

export const dytGrad = webgpuKernel(DytGrad, (gpu, { dy, x, alpha, gamma }) => {
  const [rows, columns] = asRows(x.shape);
  const dx = gpu.output(x.shape);
  const workgroups = backwardWorkgroups(rows);
  const parts = {
    dalpha: gpu.output([workgroups, 1]),
    dgamma: gpu.output([workgroups, columns]),
    dbeta: gpu.output([workgroups, columns]),
  };
  gpu.run(dytGradProgram, { columns }, { dy, x, alpha, gamma, dx, ...parts }, { rows }, workgroups);
  const dalpha = columnSum(gpu, parts.dalpha, workgroups, 1);
  const [dgamma, dbeta] = columnSums(gpu, [parts.dgamma, parts.dbeta], workgroups, columns);
  gpu.release(parts.dalpha, parts.dgamma, parts.dbeta);
  return { dx, dalpha, dgamma, dbeta };
});
