/** Attention in stock ops, with every score at once. */
import { tf } from '../support/backend.js';

export interface ReferenceAttentionOptions {
  readonly heads: number;
  readonly keyHeads?: number;
  readonly causal?: boolean;
  readonly slidingWindow?: number;
  readonly softcap?: number;
  /** The base of the angles. */
  readonly rotary?: number;
  /** 1 where a query sees a key, of a shape that broadcasts to [B, heads, Tq, Tk]. */
  readonly seen?: tf.Tensor;
}

/** y = x · kernelᵀ + bias of a kernel [out, in]. */
export function referenceLinear(x: tf.Tensor, kernel: tf.Tensor, bias?: tf.Tensor): tf.Tensor {
  const rows = tf.reshape(x, [-1, x.shape.at(-1)!]);
  const y = tf.reshape(tf.matMul(rows, kernel as tf.Tensor2D, false, true), [
    ...x.shape.slice(0, -1),
    kernel.shape[0]!,
  ]);
  return bias ? tf.add(y, bias) : y;
}

/** x [B, T, H, D], turned by halves at places from `start` on. */
export function referenceRotation(x: tf.Tensor, base: number, start = 0, scalingFactor = 1): tf.Tensor {
  const [, length, , size] = x.shape as [number, number, number, number];
  const half = size / 2;
  const angles = Array.from({ length: length * half }, (_, i) => {
    const place = (start + Math.floor(i / half)) / scalingFactor;
    return place * base ** ((-2 * (i % half)) / size);
  });
  const table = (f: (angle: number) => number) => tf.tensor(angles.map(f), [1, length, 1, half]);
  const [cos, sin] = [table(Math.cos), table(Math.sin)];
  const [x1, x2] = tf.split(x, 2, 3) as [tf.Tensor, tf.Tensor];
  return tf.concat([tf.sub(tf.mul(x1, cos), tf.mul(x2, sin)), tf.add(tf.mul(x2, cos), tf.mul(x1, sin))], 3);
}

/** softmax(q · kᵀ) · v of heads side by side, [B, T, H · D]. */
export function referenceAttention(
  q: tf.Tensor,
  k: tf.Tensor,
  v: tf.Tensor,
  { heads, keyHeads = heads, causal = false, slidingWindow, softcap, rotary, seen }: ReferenceAttentionOptions,
): tf.Tensor {
  const [batches, queries, width] = q.shape as [number, number, number];
  const [keys, size] = [k.shape[1]!, width / heads];
  const byHead = (x: tf.Tensor, count: number, isTurned: boolean) => {
    const split = tf.reshape(x, [batches, x.shape[1]!, count, size]);
    const turned = isTurned && rotary ? referenceRotation(split, rotary) : split;
    const each = Array.from({ length: heads }, (_, head) =>
      tf.slice(turned, [0, 0, Math.floor((head * count) / heads), 0], [batches, x.shape[1]!, 1, size]),
    );
    return tf.transpose(tf.concat(each, 2), [0, 2, 1, 3]);
  };
  const products = tf.matMul(byHead(q, heads, true), byHead(k, keyHeads, true), false, true);
  let scores = tf.mul(products, size ** -0.5);
  if (softcap) scores = tf.mul(tf.tanh(tf.div(scores, softcap)), softcap);
  const visible = Array.from({ length: queries * keys }, (_, i) => {
    const [place, key] = [Math.floor(i / keys) + keys - queries, i % keys];
    if (causal && key > place) return 0;
    return slidingWindow && Math.abs(key - place) >= slidingWindow ? 0 : 1;
  });
  const all = tf.mul(tf.tensor(visible, [1, 1, queries, keys]), seen ?? 1);
  const weights = tf.softmax(tf.add(scores, tf.mul(tf.sub(1, all), -1e30)));
  const y = tf.matMul(weights, byHead(v, keyHeads, false));
  return tf.reshape(tf.transpose(y, [0, 2, 1, 3]), [batches, queries, width]);
}

/** Self-attention of x [B, T, C], of a layer's weights. */
export function referenceSelfAttention(
  x: tf.Tensor,
  [kernel, bias, outputKernel, outputBias]: Array<tf.Tensor | undefined>,
  options: ReferenceAttentionOptions,
): tf.Tensor {
  const size = outputKernel!.shape[1]! / options.heads;
  const { heads, keyHeads = heads } = options;
  const sizes = [heads, keyHeads, keyHeads].map((count) => count * size);
  const [q, k, v] = tf.split(referenceLinear(x, kernel!, bias), sizes, 2) as [tf.Tensor, tf.Tensor, tf.Tensor];
  return referenceLinear(referenceAttention(q, k, v, options), outputKernel!, outputBias);
}
