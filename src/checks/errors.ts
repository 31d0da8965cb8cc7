import { Tensor } from '@tensorflow/tfjs-core';

/** Throws an error that names the op and the argument, what was expected and what came. */
export function fail(op: string, argument: string, expected: string, got: unknown): never {
  throw new Error(`${op}: ${argument} must be ${expected}, but got ${show(got)}`);
}

/** A value as an error message shows it. */
export function show(value: unknown): string {
  if (value instanceof Tensor) return `${withArticle(value.dtype)} tensor of shape [${value.shape}]`;
  if (typeof value === 'string') return `'${value}'`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (ArrayBuffer.isView(value)) return withArticle(value.constructor.name);
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}

/** A noun after its indefinite article. */
export const withArticle = (noun: string) => `${/^[aeio]/i.test(noun) ? 'an' : 'a'} ${noun}`;
