import type { KernelConfig } from '@tensorflow/tfjs-core';
import { Softmax, SoftmaxGrad, type SoftmaxGradInputs, type SoftmaxInputs } from '../kernel_names.js';
import { LOWEST } from './runtime/elements.js';
import { Gpu } from './runtime/gpu.js';
import { defineProgram } from './runtime/program.js';
import { workgroupReduction } from './runtime/reduction.js';
import { asRows, Row } from './runtime/row.js';

interface SoftmaxSpec {
  length: number;
}

/**
 * One pass finds the maximum and, as it goes, the sum of exp(x − maximum): what was summed below an earlier maximum is
 * scaled down. The other pass writes.
 */
const softmaxProgram = defineProgram('softmax', ({ length }: SoftmaxSpec, gpu) => {
  const row = new Row(gpu, length);
  const source = { x: 'x[base + @]' };
  return {
    workgroupSize: row.workgroupSize,
    reads: { x: row.type },
    writes: { y: row.type },
    declarations:
      workgroupReduction(gpu, row.workgroupSize, 'workgroupMax', { op: 'max' }) +
      workgroupReduction(gpu, row.workgroupSize, 'workgroupSum'),
    body: `
  let base = workgroup * ${row.count}u;
  var top = ${LOWEST};
  var total = 0.0;
  ${row.pass(
    source,
    ({ x }) => `
    let higher = max(top, ${row.max(x)});
    total = total * exp(top - higher) + ${row.sum(`exp(${x} - higher)`)};
    top = higher;`,
  )}
  let maximum = workgroupMax(top);
  let scale = 1.0 / workgroupSum(total * exp(top - maximum));
  ${row.pass(source, ({ x }, at) => `y[base + ${at}] = exp(${x} - maximum) * scale;`)}`,
  };
});

/** dx = y · (dy − Σ dy · y). */
const softmaxGradProgram = defineProgram('softmaxGrad', ({ length }: SoftmaxSpec, gpu) => {
  const row = new Row(gpu, length, { inputs: 2 });
  const sources = { dy: 'dy[base + @]', y: 'y[base + @]' };
  return {
    workgroupSize: row.workgroupSize,
    reads: { dy: row.type, y: row.type },
    writes: { dx: row.type },
    declarations: workgroupReduction(gpu, row.workgroupSize, 'workgroupSum'),
    body: `
  let base = workgroup * ${row.count}u;
  var projection = 0.0;
  ${row.pass(sources, ({ dy, y }) => `projection += ${row.dot(dy, y)};`)}
  let sum = workgroupSum(projection);
  ${row.pass(sources, ({ dy, y }, at) => `dx[base + ${at}] = ${y} * (${dy} - sum);`)}`,
  };
});

export const softmaxConfig: KernelConfig = {
  kernelName: Softmax,
  backendName: 'webgpu',
  kernelFunc: ({ inputs, backend }) => {
    const { x } = inputs as unknown as SoftmaxInputs;
    const gpu = Gpu.of(backend);
    const [rows, length] = asRows(x.shape);
    const y = gpu.output(x.shape);
    gpu.run(softmaxProgram, { length }, { x, y }, {}, rows);
    return y;
  },
};

export const softmaxGradConfig: KernelConfig = {
  kernelName: SoftmaxGrad,
  backendName: 'webgpu',
  kernelFunc: ({ inputs, backend }) => {
    const { dy, y } = inputs as unknown as SoftmaxGradInputs;
    const gpu = Gpu.of(backend);
    const [rows, length] = asRows(y.shape);
    const dx = gpu.output(y.shape);
    gpu.run(softmaxGradProgram, { length }, { dy, y, dx }, {}, rows);
    return dx;
  },
};
