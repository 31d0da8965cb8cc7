import { BatchMatMul, type BatchMatMulAttrs, matMul, reshape, type Tensor, util } from '@tensorflow/tfjs-core';
import { toShape } from '../../engine/stock_gradients.js';
import type { GradientReplacement } from '../../engine/stock_kernels.js';

const batchOf = ({ shape }: Tensor) => shape.slice(0, -2);

/** x [..., n] as [rows, n]. */
const asRows = (x: Tensor): Tensor => reshape(x, [-1, x.shape.at(-1)!]);

/** The gradients of a and b, as large as what they were broadcast to. Each one reads the other tensor alone. */
const slopesOf = (a: () => Tensor, b: () => Tensor, dy: Tensor, transposeA: boolean, transposeB: boolean) => ({
  a: () => (transposeA ? matMul(b(), dy, transposeB, true) : matMul(dy, b(), false, !transposeB)),
  b: () => (transposeB ? matMul(dy, a(), true, transposeA) : matMul(a(), dy, !transposeA, false)),
});

/** tfjs's gradient of what is broadcast has every batch in it, which its tape does not take. */
export const batchMatMul: GradientReplacement = {
  kernelName: BatchMatMul,
  gradFunc: (dy, saved, attrs) => {
    const [a, b, slope] = [...saved, dy] as [Tensor, Tensor, Tensor];
    const { transposeA, transposeB } = attrs as unknown as BatchMatMulAttrs;
    const isEmpty = [a, b, slope].some(({ size }) => size === 0);
    if (isEmpty || util.arraysEqual(batchOf(a), batchOf(b))) return undefined;
    if (!transposeA && util.sizeFromShape(batchOf(b)) === 1) {
      // One weight for all batches, which are then rows of a single product.
      const weight = () => reshape(b, b.shape.slice(-2));
      const slopes = slopesOf(() => asRows(a), weight, asRows(slope), false, transposeB);
      return { a: () => reshape(slopes.a(), a.shape), b: () => reshape(slopes.b(), b.shape) };
    }
    const slopes = slopesOf(
      () => a,
      () => b,
      slope,
      transposeA,
      transposeB,
    );
    return { a: () => toShape(slopes.a(), a), b: () => toShape(slopes.b(), b) };
  },
};
