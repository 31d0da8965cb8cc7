import { Dyt, DytGrad } from '../contracts/dyt.js';
import { defineProgram } from './runtime/program.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { columnSum, columnSums } from './shared/column_sum.js';
import { dyt as pointwise } from './wgsl/pointwise.js';
import { workgroupReduction } from './wgsl/reduction.js';
import { asRows, backwardWorkgroups, Row } from './wgsl/row.js';

/** y = gamma · tanh(alpha · x) + beta. */
const dytProgram = defineProgram('dyt', ({ columns, hasBeta }: { columns: number; hasBeta: boolean }, gpu) => {
  const row = new Row(gpu, columns);
  const { y, declarations } = pointwise(row.type, { hasBeta });
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { x: row.type, alpha: 'f32', gamma: row.type, ...(hasBeta && { beta: row.type }) },
    writes: { y: row.type },
    uniforms: row.uniforms,
    declarations,
    body: `
  ${row.begin()}
  let alpha = alpha[0];
  ${row.pass(
    { x: 'x[base + @]' },
    ({ x }, at) => `{
      let x = ${x};
      let gamma = gamma[${at}];
      ${hasBeta ? `let beta = beta[${at}];` : ''}
      y[base + ${at}] = ${y};
    }`,
  )}`,
  };
});

/** dx, and the sums of the other slopes over rows and of dalpha's over elements, too, of which a workgroup keeps its parts. */
const dytGradProgram = defineProgram('dytGrad', ({ columns }: { columns: number }, gpu) => {
  const row = new Row(gpu, columns, { inputs: 2 });
  const [dgamma, dbeta] = [row.columnSums('dgamma'), row.columnSums('dbeta')];
  const gamma = 'gamma[@]';
  const { common, slopes, declarations } = pointwise(row.type, { hasBeta: true });
  return {
    workgroupSize: row.workgroupSize,
    reads: { dy: row.type, x: row.type, alpha: 'f32', gamma: row.type },
    writes: { dx: row.type, dalpha: 'f32', dgamma: row.type, dbeta: row.type },
    uniforms: { rows: 'u32' },
    declarations:
      declarations +
      workgroupReduction(gpu, row.workgroupSize, 'workgroupSum') +
      dgamma.declarations +
      dbeta.declarations,
    body: `
  let alpha = alpha[0];
  var dalphaSum = 0.0;
  ${dgamma.start}
  ${dbeta.start}
  ${row.hold({ gamma })}
  ${row.forEachGroup(
    row.pass(
      { dy: 'dy[base + @]', x: 'x[base + @]', gamma },
      ({ dy, x, gamma }, at, i) => `{
      let dy = ${dy};
      let x = ${x};
      let gamma = ${gamma};
      ${common}
      dx[base + ${at}] = ${slopes.dx};
      dalphaSum += ${row.sum(slopes.dalpha)};
      ${dgamma.add(slopes.dgamma, at, i)}
      ${dbeta.add(slopes.dbeta, at, i)}
      }`,
    ),
  )}
  let total = workgroupSum(dalphaSum);
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
