import { Softmax, SoftmaxGrad } from '../contracts/softmax.js';
import { defineProgram } from './runtime/program.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { asRows, Row } from './wgsl/row.js';
import { softmaxDeclarations, softmaxScale } from './wgsl/softmax.js';

interface SoftmaxSpec {
  columns: number;
}

/** One pass finds the maximum and the sum, the other writes: y = exp(x − maximum) · scale. */
const softmaxProgram = defineProgram('softmax', ({ columns }: SoftmaxSpec, gpu) => {
  const row = new Row(gpu, columns);
  const sources = { x: 'x[base + @]' };
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { x: row.type },
    writes: { y: row.type },
    uniforms: row.uniforms,
    declarations: softmaxDeclarations(row),
    body: `
  ${row.begin()}
  ${softmaxScale(row, sources)}
  ${row.pass(sources, ({ x }, at) => `y[base + ${at}] = exp(${x} - maximum) * scale;`)}`,
  };
});

/** dx = y · (dy − Σ dy · y). */
const softmaxGradProgram = defineProgram('softmaxGrad', ({ columns }: SoftmaxSpec, gpu) => {
  const row = new Row(gpu, columns, { inputs: 2 });
  const sources = { dy: 'dy[base + @]', y: 'y[base + @]' };
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { dy: row.type, y: row.type },
    writes: { dx: row.type },
    uniforms: row.uniforms,
    declarations: row.reduction('rowSum'),
    body: `
  ${row.begin()}
  var projection = 0.0;
  ${row.pass(sources, ({ dy, y }) => `projection += ${row.dot(dy, y)};`)}
  let sum = rowSum(projection);
  ${row.pass(sources, ({ dy, y }, at) => `dx[base + ${at}] = ${y} * (${dy} - sum);`)}`,
  };
});

export const softmax = webgpuKernel(Softmax, (gpu, { x }) => {
  const [rows, columns] = asRows(x.shape);
  const y = gpu.output(x.shape);
  gpu.run(softmaxProgram, { columns }, { x, y }, {}, { rows });
  return { y };
});

export const softmaxGrad = webgpuKernel(SoftmaxGrad, (gpu, { dy, y }) => {
  const [rows, columns] = asRows(y.shape);
  const dx = gpu.output(y.shape);
  gpu.run(softmaxGradProgram, { columns }, { dy, y, dx }, {}, { rows });
  return { dx };
});
