import type { ElementType } from '../wgsl/elements.js';
import type { Pointwise } from '../wgsl/pointwise.js';
import { defineElementwise } from './elementwise.js';

/** The programs of a pointwise function whose inputs are tensors of one size: `forward` writes y, and `backward` its slopes. */
export function definePointwise(name: string, inputs: readonly string[], pointwise: (type: ElementType) => Pointwise) {
  const forward = defineElementwise(name, (_: object, type) => {
    const { y, uniforms, declarations } = pointwise(type);
    return { reads: inputs, writes: { y }, uniforms, declarations };
  });
  const backward = defineElementwise(`${name}Grad`, (_: object, type) => {
    const { common, slopes, uniforms, declarations } = pointwise(type);
    return { reads: ['dy', ...inputs], common, writes: slopes, uniforms, declarations };
  });
  return { forward, backward };
}
