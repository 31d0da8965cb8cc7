import { Sparsemax, SparsemaxGrad } from '../contracts/sparsemax.js';
import { defineProgram } from './runtime/program.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { asRows, Row } from './wgsl/row.js';
import { sparsemaxDeclarations, sparsemaxThreshold } from './wgsl/sparsemax.js';

interface SparsemaxSpec {
  columns: number;
}

/** y = max(x − maximum − τ, 0). A row in registers is read once, however many steps τ takes. */
const sparsemaxProgram = defineProgram('sparsemax', ({ columns }: SparsemaxSpec, gpu) => {
  const row = new Row(gpu, columns, { iterated: true });
  const sources = { x: 'x[base + @]' };
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { x: row.type },
    writes: { y: row.type },
    uniforms: { ...row.uniforms, nan: 'f32' },
    declarations: sparsemaxDeclarations(row),
    body: `
  ${row.begin()}
  ${sparsemaxThreshold(row, sources)}
  ${row.pass(sources, ({ x }, at) => {
    const excess = `${x} - maximum - threshold`;
    return `{ let excess = ${excess}; y[base + ${at}] = select(excess, ${row.type}(), excess <= ${row.type}()); }`;
  })}`,
  };
});

/** dx = dy − Σ dy / |support| over the support, where y > 0. */
const sparsemaxGradProgram = defineProgram('sparsemaxGrad', ({ columns }: SparsemaxSpec, gpu) => {
  const row = new Row(gpu, columns, { inputs: 2 });
  const { type } = row;
  const sources = { dy: 'dy[base + @]', y: 'y[base + @]' };
  const inside = (y: string, value: string) => `select(${type}(), ${value}, ${y} > ${type}())`;
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { dy: type, y: type },
    writes: { dx: type },
    uniforms: row.uniforms,
    declarations: row.reduction('rowSum', { type: 'vec2f' }),
    body: `
  ${row.begin()}
  var sums = vec2f();
  ${row.pass(sources, ({ dy, y }) => `sums += vec2f(${row.sum(inside(y, dy))}, ${row.sum(inside(y, `${type}(1.0)`))});`)}
  let totals = rowSum(sums);
  let mean = totals.x / totals.y;
  ${row.pass(sources, ({ dy, y }, at) => `dx[base + ${at}] = ${inside(y, `${dy} - mean`)};`)}`,
  };
});

export const sparsemax = webgpuKernel(Sparsemax, (gpu, { x }) => {
  const [rows, columns] = asRows(x.shape);
  const y = gpu.output(x.shape);
  gpu.run(sparsemaxProgram, { columns }, { x, y }, { nan: Number.NaN }, { rows });
  return { y };
});

export const sparsemaxGrad = webgpuKernel(SparsemaxGrad, (gpu, { dy, y }) => {
  const [rows, columns] = asRows(y.shape);
  const dx = gpu.output(y.shape);
  gpu.run(sparsemaxGradProgram, { columns }, { dy, y, dx }, {}, { rows });
  return { dx };
});
