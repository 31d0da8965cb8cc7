import { customGrad, engine, type GradSaveFunc, type Tensor, type TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, flag, oneOf, tensor } from '../checks/config_schema.js';
import { float32, Signature } from '../checks/signature.js';
import {
  ActivationGrad,
  BiasGrad,
  Linear,
  type LinearAttrs,
  LinearGradWeight,
  LinearGradX,
} from '../kernels/kernel_names.js';
import { runKernel } from '../kernels/run_kernel.js';

const options = {
  /** Added to every row, [O]. */
  bias: tensor(['O']),
  /** Applied to the result: 'none', 'relu', 'gelu' (exact), 'geluTanh' (its approximation by tanh) or 'silu'. Default 'none'. */
  activation: oneOf(['none', 'relu', 'gelu', 'geluTanh', 'silu'], 'none'),
  /** Takes the weight as [I, O] instead of [O, I]. Default false. */
  transposeWeight: flag(),
} as const;
const signature = new Signature('linear', { x: float32('...', 'I'), weight: float32('O', 'I') }, options);
const transposed = new Signature('linear', { x: float32('...', 'I'), weight: float32('I', 'O') }, options);

/** Options of {@link linear}. */
export interface LinearConfig extends ConfigOf<typeof options> {}

/**
 * A linear layer: `activation(x · weightᵀ + bias)`, with bias and activation applied as the product is stored.
 *
 * @param x `[..., I]`.
 * @param weight `[O, I]`, the layout of a checkpoint, or `[I, O]` with `transposeWeight`.
 * @returns `[..., O]`. Differentiable in x, weight and bias.
 */
export function linear(x: Tensor | TensorLike, weight: Tensor | TensorLike, config?: LinearConfig): Tensor {
  return (config?.transposeWeight === true ? transposed : signature).call(
    { x, weight },
    config,
    ({ tensors, config: { activation, transposeWeight } }) => {
      const { x, weight, bias } = tensors;
      const attrs: LinearAttrs = { activation, transposeWeight };
      if (activation === 'none' || engine().state.gradientDepth === 0) {
        return runKernel(Linear, { x, weight, bias }, attrs)[0]!;
      }
      return linearKeepingZ(x, weight, bias, attrs);
    },
  );
}

/** For a tape: keeps z for the gradient of the activation. As an output of the kernel it would get a gradient of zeros. */
function linearKeepingZ(x: Tensor, weight: Tensor, bias: Tensor | undefined, attrs: LinearAttrs): Tensor {
  const { activation, transposeWeight } = attrs;
  const inputs = bias ? [x, weight, bias] : [x, weight];
  const run = customGrad((...args) => {
    const save = args[args.length - 1] as GradSaveFunc;
    const [y, z] = runKernel(Linear, { x, weight, bias }, { ...attrs, keepZ: true });
    save([x, weight, z!]);
    return {
      value: y!,
      gradFunc: (dy, saved) => {
        const [x, weight, z] = saved as [Tensor, Tensor, Tensor];
        const [dz] = runKernel(ActivationGrad, { dy: dy as Tensor, z }, { activation });
        const [dx] = runKernel(LinearGradX, { dz, weight }, { transposeWeight });
        const [dweight] = runKernel(LinearGradWeight, { dz, x }, { transposeWeight });
        return bias ? [dx!, dweight!, runKernel(BiasGrad, { dz }, {})[0]!] : [dx!, dweight!];
      },
    };
  });
  return run(...inputs);
}
