import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import type { StockProgram, StockUniform } from './tfjs_webgpu_backend.js';

/** Writes the uniforms of a tfjs kernel as its WGSL declares them, and says how many words they are. */
export function packStockUniforms(
  program: StockProgram,
  output: TensorInfo,
  inputs: readonly TensorInfo[],
  defined: readonly StockUniform[],
  words: Int32Array,
  floats: Float32Array,
): number {
  floats[0] = Number.NaN;
  floats[1] = Number.POSITIVE_INFINITY;
  let at = 2;
  let alignment = 1;
  let wasStruct = false;
  /** Finds where a value of so many components lies: tfjs's five and six are structures. */
  const place = (count: number) => {
    const own = wasStruct ? 4 : count === 1 ? 1 : count === 2 ? 2 : 4;
    alignment = Math.max(alignment, own);
    const start = Math.ceil(at / own) * own;
    // What is left out must not differ from call to call.
    while (at < start) words[at++] = 0;
    at = start + count;
    wasStruct = count > 4;
    return start;
  };
  const putShape = (shape: readonly number[]) => {
    const start = place(Math.max(shape.length, 1));
    if (shape.length === 0) words[start] = 1;
    for (let i = 0; i < shape.length; i++) words[start + i] = shape[i]!;
    // Its strides, without the last, which is 1.
    const strides = place(Math.max(shape.length - 1, 1));
    if (shape.length < 2) words[strides] = 1;
    let stride = 1;
    for (let i = shape.length - 2; i >= 0; i--) {
      stride *= shape[i + 1]!;
      words[strides + i] = stride;
    }
  };
  for (const { shape } of inputs) putShape(shape);
  putShape(output.shape);
  if (program.size) {
    const size = util.sizeFromShape(program.outputShape);
    words[place(1)] = program.outputComponent ? size / program.outputComponent : size;
  }
  for (const { type, data } of defined) {
    const values = data.length === 0 ? [1] : data;
    const start = place(values.length);
    const target = type === 'float32' ? floats : words;
    for (let i = 0; i < values.length; i++) target[start + i] = values[i]!;
  }
  const end = Math.ceil(at / alignment) * alignment;
  while (at < end) words[at++] = 0;
  return end;
}
