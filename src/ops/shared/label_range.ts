import type { Tensor } from '@tensorflow/tfjs-core';
import { residentValues } from '../../engine/resident_values.js';

/**
 * Checks indices where their values are in JavaScript's memory already; reading them from a device would stall its queue,
 * so kernels answer those that are out of range with NaN.
 *
 * @throws If one is neither `ignoreIndex` nor in [0, size).
 */
export function checkRange(op: string, name: string, tensor: Tensor, size: number, ignoreIndex?: number): void {
  const values = residentValues(tensor);
  if (!values) return;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value === ignoreIndex || (value >= 0 && value < size)) continue;
    const ignored = ignoreIndex === undefined ? '' : ` or ${ignoreIndex} (ignoreIndex)`;
    throw new Error(`${op}: ${name} must be in [0, ${size})${ignored}, but got ${value} at position ${i}`);
  }
}
