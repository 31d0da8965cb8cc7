import { LogSoftmax, LogSoftmaxGrad } from '../contracts/log_softmax.js';
import { defineProgram } from './runtime/program.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { LOWEST } from './wgsl/elements.js';
import { asRows, Row } from './wgsl/row.js';
import { softmaxDeclarations, softmaxScale } from './wgsl/softmax.js';

interface LogSoftmaxSpec {
  columns: number;
}

/** One pass finds the maximum and the sum, the other writes: y = x − maximum + log scale. */
const logSoftmaxProgram = defineProgram('logSoftmax', ({ columns }: LogSoftmaxSpec, gpu) => {
  const row = new Row(gpu, columns);
  const sources = { x: 'x[base + @]' };
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { x: row.type },
    writes: { y: row.type },
    uniforms: { ...row.uniforms, nan: 'f32' },
    declarations: softmaxDeclarations(row),
    body: `
  ${row.begin()}
  ${softmaxScale(row, sources)}
  // The scale of a row of nothing but −∞ is infinite.
  let logScale = select(log(scale), u.nan, scale > -(${LOWEST}));
  ${row.pass(sources, ({ x }, at) => `y[base + ${at}] = ${x} - maximum + logScale;`)}`,
  };
});

/** dx = dy − exp(y) · Σ dy. With `inPlace` dx holds y. */
const logSoftmaxGradProgram = defineProgram('logSoftmaxGrad', (spec: LogSoftmaxSpec & { inPlace: boolean }, gpu) => {
  const { columns, inPlace } = spec;
  const row = new Row(gpu, columns, { inputs: 2 });
  const y = `${inPlace ? 'dx' : 'y'}[base + @]`;
  const dy = { dy: 'dy[base + @]' };
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { dy: row.type, ...(!inPlace && { y: row.type }) },
    writes: { dx: row.type },
    uniforms: row.uniforms,
    declarations: row.reduction('rowSum'),
    body: `
  ${row.begin()}
  var partial = 0.0;
  ${row.pass(dy, ({ dy }) => `partial += ${row.sum(dy)};`)}
  let sum = rowSum(partial);
  ${row.pass({ ...dy, y }, ({ dy, y }, at) => `dx[base + ${at}] = ${dy} - exp(${y}) * sum;`)}`,
  };
});

export const logSoftmax = webgpuKernel(LogSoftmax, (gpu, { x }) => {
  const [rows, columns] = asRows(x.shape);
  const y = gpu.output(x.shape);
  gpu.run(logSoftmaxProgram, { columns }, { x, y }, { nan: Number.NaN }, { rows });
  return { y };
});

export const logSoftmaxGrad = webgpuKernel(LogSoftmaxGrad, (gpu, { dy, y: saved }, { inPlace }) => {
  const [rows, columns] = asRows(saved.shape);
  const { source: y, output: dx } = gpu.outputOver(saved, inPlace);
  gpu.run(logSoftmaxGradProgram, { columns, inPlace: y === undefined }, { dy, y, dx }, {}, { rows });
  return { dx };
});
