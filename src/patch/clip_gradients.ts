/** Clipping by the gradients' global norm, for every optimizer. */
import {
  add,
  dispose,
  div,
  minimum,
  mul,
  type NamedTensorMap,
  Optimizer,
  sqrt,
  sum,
  type Tensor,
  tidy,
} from '@tensorflow/tfjs-core';
import { runKernel } from '../engine/run_kernel.js';
import { SquaredNorms } from '../kernels/contracts/adam_w.js';
import { replaceMethod } from './replace_method.js';

/** Gradients scaled down to a global norm, in the place of those that are given, which are disposed. */
function clip(gradients: NamedTensorMap, clipNorm: number): NamedTensorMap {
  const present = Object.entries(gradients).filter(([, gradient]) => gradient && gradient.size > 0);
  if (present.length === 0) return gradients;
  return tidy(() => {
    const tensors = present.map(([, gradient]) => gradient);
    const norm = sqrt(sum(runKernel(SquaredNorms, tensors, {}).squaredNorms));
    const scale = minimum(div(clipNorm, add(norm, 1e-6)), 1);
    const scaled = present.map(([name, gradient]): [string, Tensor] => [name, mul(gradient, scale)]);
    dispose(tensors);
    return { ...gradients, ...Object.fromEntries(scaled) };
  });
}

/** Has `minimize`, and so `model.fit`, clip gradients before it applies them. Returns how to undo it. */
export function clipGradients(clipNorm: number): () => void {
  return replaceMethod(
    Optimizer.prototype,
    'minimize',
    (stock) =>
      function (this: Optimizer, ...args) {
        const restore = replaceMethod<Optimizer, 'computeGradients'>(
          this,
          'computeGradients',
          (compute) =>
            function (this: Optimizer, ...of) {
              const { value, grads } = compute.apply(this, of);
              return { value, grads: clip(grads, clipNorm) };
            },
        );
        try {
          return stock.apply(this, args);
        } finally {
          restore();
        }
      },
  );
}
