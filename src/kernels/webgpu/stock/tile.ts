import { type TensorInfo, Tile, type TileAttrs, util } from '@tensorflow/tfjs-core';
import { defineProgram } from '../runtime/program.js';
import { isFloat, stockKernel } from '../runtime/stock_kernel.js';
import { elementsOf } from '../wgsl/elements.js';

const WORKGROUP_SIZE = 256;

/** y = x, of one element, everywhere. */
const spreadProgram = defineProgram('stockTileOne', ({ type }: { type: 'f32' | 'vec4f' }) => ({
  workgroupSize: WORKGROUP_SIZE,
  reads: { x: 'f32' },
  writes: { y: type },
  uniforms: { size: 'u32' },
  body: `
  let at = workgroup * ${WORKGROUP_SIZE}u + thread;
  if (at < u.size) { y[at] = ${type}(x[0]); }`,
}));

/** The least elements that are worth a dispatch. */
const LARGE = 1000;
/** The most dimensions of tfjs's program. */
const MOST_DIMENSIONS = 4;

/**
 * tfjs's tiles what is small in JavaScript, however large the result: a loss's gradient, which is spread over all that was summed up,
 * would be uploaded.
 */
export const tile = stockKernel<{ x: TensorInfo }, TileAttrs>(Tile, (gpu, { x }, { reps }, backend) => {
  const shape = x.shape.map((extent, axis) => extent * reps[axis]!);
  const size = util.sizeFromShape(shape);
  if (size < LARGE || x.dtype === 'string' || x.dtype === 'complex64') return undefined;
  if (util.sizeFromShape(x.shape) === 1 && isFloat(backend, x)) {
    const y = gpu.output(shape);
    const { type, count } = elementsOf(size);
    gpu.run(spreadProgram, { type }, { x, y }, { size: count }, Math.ceil(count / WORKGROUP_SIZE));
    return y;
  }
  // What is on the device tfjs tiles there.
  if (shape.length <= MOST_DIMENSIONS) backend.uploadToGPU(x.dataId);
  return undefined;
});
