import {
  clone,
  customGrad,
  engine,
  type GradSaveFunc,
  keep,
  mul,
  type Tensor,
  type TensorContainer,
  type TensorLike,
} from '@tensorflow/tfjs-core';
import { residentValues } from '../backend/resident_values.js';
import { type ConfigOf, flag, integer, tensor } from '../checks/config_schema.js';
import { float32, int32, Signature } from '../checks/signature.js';
import { FusedLinearCrossEntropy, type FusedLinearCrossEntropyAttrs, type Reduction } from '../kernels/kernel_names.js';
import { presentOnes, runKernel } from '../kernels/run_kernel.js';
import {
  type CrossEntropyOptions,
  type CrossEntropyReturn,
  crossEntropyAttrs,
  crossEntropyOptions,
  crossEntropyResult,
} from './cross_entropy_options.js';
import { checkRange } from './label_range.js';

const ownOptions = {
  /** Added to the logits, [V]. */
  bias: tensor(['V']),
  /** A weight for each class, [V]. Not differentiable. */
  classWeight: tensor(['V']),
  /** Takes the weight as [H, V] instead of [V, H]. Default false. */
  transposeWeight: flag(),
  /** Multiplies each token's loss by the probability of its label, which counts as a constant. Default false. */
  useTokenScaling: flag(),
  /** Tokens whose logits exist at once. By default as many as fit about 200 MB. */
  chunkSize: integer(undefined, { min: 1 }),
} as const;
const options = { ...ownOptions, ...crossEntropyOptions };
const OP = 'fusedLinearCrossEntropy';
const x = float32('...', 'H');
const labels = int32('...');
const signature = new Signature(OP, { x, weight: float32('V', 'H'), labels }, options);
const transposed = new Signature(OP, { x, weight: float32('H', 'V'), labels }, options);

/** Options of {@link fusedLinearCrossEntropy}. */
export interface FusedLinearCrossEntropyConfig<
  R extends Reduction = Reduction,
  Z extends boolean = boolean,
  A extends boolean = boolean,
  P extends boolean = boolean,
> extends ConfigOf<typeof ownOptions>,
    CrossEntropyOptions<R, Z, A, P> {}

type Inputs = { x: Tensor; weight: Tensor; labels: Tensor; bias?: Tensor; classWeight?: Tensor };

/**
 * Cross entropy of a linear layer, `crossEntropy(x · weightᵀ + bias, labels)`, without ever holding all logits: they are made
 * for a chunk of tokens at a time, and turned into gradients in place. While a tape is recording the gradients of x, weight
 * and bias are computed in the forward pass (for the reduction 'none' in the backward pass, from the logits again); without one
 * only the loss is.
 *
 * Labels as in {@link crossEntropy}. `liger_fused_linear_cross_entropy` in Liger-Kernel.
 *
 * @param x Hidden states `[..., H]`.
 * @param weight The output layer `[V, H]`, or `[H, V]` with `transposeWeight`.
 * @param labels `[...]`, int32.
 * @returns The loss, or an object with it and what the `returnX` options ask for. Differentiable in x, weight and bias.
 */
export function fusedLinearCrossEntropy<
  R extends Reduction = 'mean',
  Z extends boolean = false,
  A extends boolean = false,
  P extends boolean = false,
>(
  x: Tensor | TensorLike,
  weight: Tensor | TensorLike,
  labels: Tensor | TensorLike,
  config?: FusedLinearCrossEntropyConfig<R, Z, A, P>,
): CrossEntropyReturn<R, Z, A, P> {
  const chosen = config?.transposeWeight === true ? transposed : signature;
  const result = chosen.call({ x, weight, labels }, config, ({ tensors, config: options, sizes }) => {
    checkRange(OP, 'labels', tensors.labels, sizes.V!, options.ignoreIndex);
    const { x, weight, labels, bias, classWeight } = tensors;
    const attrs: FusedLinearCrossEntropyAttrs = {
      ...crossEntropyAttrs(options),
      transposeWeight: options.transposeWeight,
      useTokenScaling: options.useTokenScaling,
      chunkSize: options.chunkSize ?? 0,
      gradients: false,
    };
    const inputs = { x, weight, labels, bias, classWeight };
    const recording = engine().state.gradientDepth > 0;
    const [loss, ...extras] = recording
      ? lossWithGradients(inputs, attrs)
      : runKernel(FusedLinearCrossEntropy, inputs, attrs);
    return crossEntropyResult(loss!, extras, attrs) as TensorContainer;
  });
  return result as CrossEntropyReturn<R, Z, A, P>;
}

/** The kernel's results, of which the loss is on the tape. */
function lossWithGradients(inputs: Inputs, attrs: FusedLinearCrossEntropyAttrs): Tensor[] {
  const { x, weight, bias } = inputs;
  const perToken = attrs.reduction === 'none';
  const count = bias ? 3 : 2;
  let kept: Tensor[] = [];
  const run = customGrad((...args) => {
    const save = args[args.length - 1] as GradSaveFunc;
    const results = runKernel(FusedLinearCrossEntropy, inputs, { ...attrs, gradients: !perToken });
    const gradients = perToken ? [] : results.splice(-count);
    save(perToken ? Object.values(presentOnes(inputs)) : gradients);
    // What is not the loss leaves the scope of customGrad by being kept.
    const [loss, ...extras] = results;
    kept = extras.map((extra) => keep(extra));
    return {
      value: loss!,
      gradFunc: (dy, saved) =>
        perToken
          ? gradientsByToken(inputs, attrs, dy as Tensor, saved, count)
          : saved.map((gradient) => scaled(gradient, dy as Tensor)),
    };
  });
  const loss = run(...(bias ? [x, weight, bias] : [x, weight]));
  const extras = kept.map((tensor) => clone(tensor));
  for (const tensor of kept) tensor.dispose();
  return [loss, ...extras];
}

/** Each token's gradient must be known before they are summed into dweight, so the logits are made again. */
function gradientsByToken(
  inputs: Inputs,
  attrs: FusedLinearCrossEntropyAttrs,
  dy: Tensor,
  saved: Tensor[],
  count: number,
): Tensor[] {
  const names = Object.keys(presentOnes(inputs));
  const again = Object.fromEntries(names.map((name, i) => [name, saved[i]!]));
  const lossOnly = { returnZLoss: false, returnTokenAccuracy: false, returnPredictedTokens: false };
  return runKernel(FusedLinearCrossEntropy, { ...again, dy }, { ...attrs, ...lossOnly, gradients: true }).slice(-count);
}

/** gradient · dy; usually dy is the 1 that a tape begins with, and costs nothing. */
function scaled(gradient: Tensor, dy: Tensor): Tensor {
  return residentValues(dy)?.[0] === 1 ? clone(gradient) : mul(gradient, dy);
}
