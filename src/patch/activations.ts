/** Activations of tfjs-layers, by the names of their classes. */
import { Tensor } from '@tensorflow/tfjs-core';
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

interface ActivationReplacement {
  /** Of `patch` and `applyTo`. */
  readonly keyword: 'gelu' | 'swish' | 'softmax' | 'logSoftmax';
  /** What is used instead, for reports. */
  readonly by: string;
  readonly compute: Compute;
}

export const activations = {
  gelu: { keyword: 'gelu', by: 'liger.gelu', compute: (x) => gelu(x) },
  gelu_new: { keyword: 'gelu', by: 'liger.gelu', compute: (x) => gelu(x, { approximate: 'tanh' }) },
  swish: { keyword: 'swish', by: 'liger.silu', compute: (x, alpha = 1) => (alpha === 1 ? silu(x) : undefined) },
  softmax: { keyword: 'softmax', by: 'liger.softmax', compute: ofLastAxis(softmax) },
  logSoftmax: { keyword: 'logSoftmax', by: 'liger.logSoftmax', compute: ofLastAxis(logSoftmax) },
} as const satisfies Record<string, ActivationReplacement>;

export type ActivationName = keyof typeof activations;

export const isReplaced = (name: string): name is ActivationName => Object.hasOwn(activations, name);

/** What takes the place of an activation, for the calls that it can do. */
const computed = (name: ActivationName, x: Tensor, parameter?: number): Tensor | undefined => {
  const { compute }: ActivationReplacement = activations[name];
  return runsOnWebGPU() && x.dtype === 'float32' && x.rank > 0 ? compute(x, parameter) : undefined;
};

/** Replaces an activation, or, given the prototype, those of its class. Returns how to undo it. */
export function replaceActivation(target: Activation, name: ActivationName): () => void {
  return replaceMethod(
    target,
    'apply',
    (stock) =>
      function (this: Activation, x, parameter) {
        return computed(name, x, parameter) ?? stock.call(this, x, parameter);
      },
  );
}

interface Chained {
  logSoftmax?(axis?: number): Tensor;
}

/** Replaces `x.logSoftmax()`, where tensors have it. Returns how to undo it. `tf.logSoftmax` itself nothing can replace. */
export function replaceChainedLogSoftmax(): (() => void) | undefined {
  const prototype = Tensor.prototype as Chained;
  if (!prototype.logSoftmax) return undefined;
  return replaceMethod(
    prototype as Required<Chained>,
    'logSoftmax',
    (stock) =>
      function (this: Tensor & Required<Chained>, axis) {
        return computed('logSoftmax', this, axis) ?? stock.call(this, axis);
      },
  );
}
