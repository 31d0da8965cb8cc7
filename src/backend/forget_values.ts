import type { TensorData } from './device_backend.js';

const forgetful = new WeakSet<TensorData>();

/** Has a tensor's data never remember values that were read, or that a read under way will bring. */
export function forgetValuesOf(data: TensorData): void {
  if (forgetful.has(data)) return;
  Object.defineProperty(data, 'values', { get: () => null, set: () => {} });
  forgetful.add(data);
}
