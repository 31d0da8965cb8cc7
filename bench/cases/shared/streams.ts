import * as tf from '@tensorflow/tfjs';
import { noise } from '../../harness/inputs.js';

/** The sizes of hyper-connections that are measured. */
export interface StreamSizes {
  readonly tokens: number;
  /** HC */
  readonly streams: number;
  readonly columns: number;
}

export const streamSizes = (quick: boolean): StreamSizes =>
  quick ? { tokens: 64, streams: 4, columns: 64 } : { tokens: 4096, streams: 4, columns: 1024 };

export const shapeText = ({ tokens, streams, columns }: StreamSizes) => `${tokens}×${streams}×${columns}`;

/** The residual streams, and what their coefficients are computed from. */
export function coefficientInputs({ tokens, streams, columns }: StreamSizes) {
  const coefficients = streams ** 2 + 2 * streams;
  return {
    x: noise([tokens, streams, columns], 1),
    phi: noise([streams * columns, coefficients], 3, 0.02),
    b: noise([coefficients], 5),
    alphaPre: tf.scalar(0.5),
    alphaPost: tf.scalar(0.6),
    alphaRes: tf.scalar(0.7),
  };
}

type CoefficientInputs = Readonly<Record<keyof ReturnType<typeof coefficientInputs>, tf.Tensor>>;

export function stockCoeffs({ x, phi, b, alphaPre, alphaPost, alphaRes }: CoefficientInputs) {
  const [tokens, streams, columns] = x.shape as [number, number, number];
  const features = tf.reshape(x, [tokens, streams * columns]);
  const rstd = tf.rsqrt(tf.add(tf.mean(tf.square(features), -1, true), 1e-6));
  const sizes = [streams, streams, streams ** 2];
  const mixes = tf.split(tf.mul(tf.matMul(features, phi), rstd), sizes, 1);
  const biases = tf.split(b, sizes);
  const alphas = [alphaPre, alphaPost, alphaRes];
  const [pre, post, res] = mixes.map((mix, i) => tf.add(tf.mul(mix, alphas[i]!), biases[i]!));
  let hRes: tf.Tensor = tf.add(tf.softmax(tf.reshape(res!, [tokens, streams, streams])), 1e-6);
  for (let step = 1; step < 40; step++) {
    hRes = tf.div(hRes, tf.add(tf.sum(hRes, step % 2 === 1 ? 1 : 2, true), 1e-6));
  }
  return { hPre: tf.sigmoid(pre!), hPost: tf.mul(tf.sigmoid(post!), 2), hRes };
}

export const stockPre = (x: tf.Tensor, hPre: tf.Tensor): tf.Tensor => tf.sum(tf.mul(tf.expandDims(hPre, -1), x), -2);

export const stockPostRes = (x: tf.Tensor, fOut: tf.Tensor, hPost: tf.Tensor, hRes: tf.Tensor): tf.Tensor =>
  tf.add(tf.matMul(hRes, x), tf.mul(tf.expandDims(hPost, -1), tf.expandDims(fOut, -2)));
