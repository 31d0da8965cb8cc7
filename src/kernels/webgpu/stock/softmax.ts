import { Softmax, type SoftmaxAttrs, type TensorInfo } from '@tensorflow/tfjs-core';
import { defineProgram } from '../runtime/program.js';
import { isFloat, stockKernel } from '../runtime/stock_kernel.js';
import { elementsOf } from '../wgsl/elements.js';
import { asRows, boundOf, Row } from '../wgsl/row.js';
import { softmaxDeclarations, softmaxScale } from '../wgsl/softmax.js';

/** exp(x − maximum) · scale, for rows of at most `bound` floats. */
const softmaxProgram = defineProgram('stockSoftmax', ({ bound }: { bound: number }, gpu) => {
  const row = new Row(gpu, bound, { bounded: true });
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

export const softmax = stockKernel<{ logits: TensorInfo }, SoftmaxAttrs>(
  Softmax,
  (gpu, { logits: x }, { dim }, backend) => {
    if (!isFloat(backend, x) || dim !== x.shape.length - 1) return undefined;
    const [rows, columns] = asRows(x.shape);
    const y = gpu.output(x.shape);
    const { count } = elementsOf(columns);
    gpu.run(softmaxProgram, { bound: boundOf(columns) }, { x, y }, { count }, { rows });
    return y;
  },
);
