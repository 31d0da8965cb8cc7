import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';

/** What is added to a score so that its softmax is exactly 0; unlike −Infinity it is safe on every backend. */
const MASKED = -1e9;

/** What causal attention needs beside q, k and v, made once and kept: making it again would upload it on every call. */
export class CausalAttention {
  private mask?: tf.Tensor2D;
  private readonly scales = new Map<number, tf.Scalar>();

  /** D^−½, what scores are multiplied by. */
  scale(size: number): tf.Scalar {
    const scale = this.scales.get(size) ?? tf.keep(tf.scalar(size ** -0.5));
    this.scales.set(size, scale);
    return scale;
  }

  /** [T, T]: 0 where a token sees another, and MASKED where that comes later. Made for the longest sequence so far. */
  maskOf(length: number): tf.Tensor2D {
    if (!this.mask || this.mask.shape[0] < length) {
      this.mask?.dispose();
      this.mask = tf.keep(
        tf.tidy(() => tf.mul(MASKED, tf.sub(1, tf.linalg.bandPart(tf.ones([length, length]), -1, 0)))),
      ) as tf.Tensor2D;
    }
    return this.mask.shape[0] === length ? this.mask : tf.slice(this.mask, [0, 0], [length, length]);
  }

  dispose(): void {
    this.mask?.dispose();
    this.mask = undefined;
    tf.dispose([...this.scales.values()]);
    this.scales.clear();
  }
}

/**
 * softmax(q · kᵀ / √D + mask) · v. Each head of k and v serves Hq / Hk neighbouring heads of q: they are laid out as one
 * longer sequence, so that nothing is repeated in memory.
 *
 * @param q [B, Hq, T, D]
 * @param k [B, Hk, T, D]
 * @param v [B, Hk, T, D]
 * @returns [B, Hq, T, D]
 */
export function attention(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, causal: CausalAttention): tf.Tensor4D {
  const [batch, heads, length, size] = q.shape as [number, number, number, number];
  const groups = k.shape[1]!;
  const grouped = (x: tf.Tensor, last: number) => tf.reshape(x, [batch, groups, (heads / groups) * length, last]);
  const scores = tf.matMul(grouped(tf.mul(q, causal.scale(size)), size), k, false, true);
  const masked = tf.add(tf.reshape(scores, [batch, heads, length, length]), causal.maskOf(length));
  const weights = liger.softmax(masked);
  return tf.reshape(tf.matMul(grouped(weights, length), v), [batch, heads, length, size]);
}

/** [B, T, H · D] to [B, H, T, D]. */
export function splitHeads(x: tf.Tensor, heads: number): tf.Tensor4D {
  const [batch, length, hidden] = x.shape as [number, number, number];
  return tf.transpose(tf.reshape(x, [batch, length, heads, hidden / heads]), [0, 2, 1, 3]) as tf.Tensor4D;
}

/** [B, H, T, D] to [B, T, H · D]. */
export function mergeHeads(x: tf.Tensor4D): tf.Tensor3D {
  const [batch, heads, length, size] = x.shape;
  return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [batch, length, heads * size]);
}
