import type { TensorInfo } from '@tensorflow/tfjs-core';

/** The sizes of hyper-connections. */
export interface MhcShape {
  /** All leading dimensions. */
  readonly leading: number[];
  /** Their product, N. */
  readonly tokens: number;
  /** Residual streams of a token, HC. */
  readonly streams: number;
  /** C */
  readonly columns: number;
  /** Numbers that are computed for a token, HC² + 2 · HC. */
  readonly coefficients: number;
}

/** The sizes of x [..., HC, C]. */
export function mhcShape({ shape }: TensorInfo): MhcShape {
  const leading = shape.slice(0, -2);
  const [streams, columns] = shape.slice(-2) as [number, number];
  const tokens = leading.reduce((product, size) => product * size, 1);
  return { leading, tokens, streams, columns, coefficients: coefficientsOf(streams) };
}

/** HC for what goes into the layer, HC for what comes out of it, and HC² between streams. */
export const coefficientsOf = (streams: number): number => streams ** 2 + 2 * streams;
