/** Activations of tfjs-layers, by the names of their classes. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { runsOnWebGPU } from '../engine/backends.js';
import { gelu } from '../ops/gelu.js';
import { logSoftmax } from '../ops/log_softmax.js';
import { silu } from '../ops/silu.js';
import { softmax } from '../ops/softmax.js';
import { replaceMethod } from './replace_method.js';
import type { Activation } from './tfjs_layers.js';

/** Undefined for what is left to tfjs. */
type Compute = (x: Tensor, parameter?: number) => Tensor | undefined;

const ofLastAxis =
  (op: (x: Tensor) => Tensor): Compute =>
  (x, axis = -1) =>
    axis === -1 || axis === x.rank - 1 ? op(x) : undefined;

export const activations = {
  gelu: (x) => gelu(x),
  gelu_new: (x) => gelu(x, { approximate: 'tanh' }),
  swish: (x, alpha = 1) => (alpha === 1 ? silu(x) : undefined),
  softmax: ofLastAxis(softmax),
  logSoftmax: ofLastAxis(logSoftmax),
} as const satisfies Record<string, Compute>;

export type ActivationName = keyof typeof activations;

/** Replaces an activation, or, given the prototype, those of its class. Returns how to undo it. */
export function replaceActivation(target: Activation, name: ActivationName): () => void {
  const compute: Compute = activations[name];
  return replaceMethod(
    target,
    'apply',
    (stock) =>
      function (this: Activation, x, parameter) {
        const y = runsOnWebGPU() && x.dtype === 'float32' && x.rank > 0 ? compute(x, parameter) : undefined;
        return y ?? stock.call(this, x, parameter);
      },
  );
}
