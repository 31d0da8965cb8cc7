/**
 * The contract that ops, gradients and the kernels of every backend share: each kernel's name, its inputs, its attributes
 * and its outputs, in order.
 *
 * `[..., C]` is any number of leading dimensions ("rows") before the last. All floats are float32, all indices int32.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';

/** y, rstd = LigerRmsNorm: y [..., C] = x · rstd · (gamma + offset), rstd [...] = 1 / √(mean(x²) + epsilon). */
export const RmsNorm = 'LigerRmsNorm';
export interface RmsNormInputs {
  /** [..., C] */
  x: TensorInfo;
  /** [C]; y is not scaled without it. */
  gamma?: TensorInfo;
}
export interface RmsNormAttrs {
  epsilon: number;
  offset: number;
}

/** dx [..., C], dgamma [C] (with gamma only) = LigerRmsNormGrad. */
export const RmsNormGrad = 'LigerRmsNormGrad';
export interface RmsNormGradInputs extends RmsNormInputs {
  /** [..., C], the gradient of y. */
  dy: TensorInfo;
  /** [...], as LigerRmsNorm gave it. */
  rstd: TensorInfo;
}
export type RmsNormGradAttrs = Pick<RmsNormAttrs, 'offset'>;

/** y, residual, rstd = LigerFusedAddRmsNorm: residual = x + residual, y = rmsNorm(residual). */
export const FusedAddRmsNorm = 'LigerFusedAddRmsNorm';
export interface FusedAddRmsNormInputs {
  /** [..., C] */
  x: TensorInfo;
  /** [..., C] */
  residual: TensorInfo;
  /** [C] */
  gamma: TensorInfo;
}
export type FusedAddRmsNormAttrs = RmsNormAttrs;

/** dx [..., C], which is the gradient of both x and residual, and dgamma [C] = LigerFusedAddRmsNormGrad. */
export const FusedAddRmsNormGrad = 'LigerFusedAddRmsNormGrad';
export interface FusedAddRmsNormGradInputs {
  /** [..., C], the gradient of y. */
  dy: TensorInfo;
  /** [..., C], the gradient of the sum. */
  dresidual: TensorInfo;
  /** [..., C], the sum. */
  residual: TensorInfo;
  /** [C] */
  gamma: TensorInfo;
  /** [...] */
  rstd: TensorInfo;
}
export type FusedAddRmsNormGradAttrs = RmsNormGradAttrs;

/** y, mean, rstd = LigerLayerNorm: y [..., C] = (x − mean) · rstd · gamma + beta; mean and rstd [...]. */
export const LayerNorm = 'LigerLayerNorm';
export interface LayerNormInputs {
  /** [..., C] */
  x: TensorInfo;
  /** [C] */
  gamma: TensorInfo;
  /** [C] */
  beta: TensorInfo;
}
export interface LayerNormAttrs {
  epsilon: number;
}

/** dx [..., C], dgamma [C], dbeta [C] = LigerLayerNormGrad. */
export const LayerNormGrad = 'LigerLayerNormGrad';
export interface LayerNormGradInputs {
  dy: TensorInfo;
  x: TensorInfo;
  gamma: TensorInfo;
  mean: TensorInfo;
  rstd: TensorInfo;
}

/** y [..., C] = LigerSoftmax, over the last dimension. */
export const Softmax = 'LigerSoftmax';
export interface SoftmaxInputs {
  x: TensorInfo;
}

/** dx [..., C] = LigerSoftmaxGrad. */
export const SoftmaxGrad = 'LigerSoftmaxGrad';
export interface SoftmaxGradInputs {
  dy: TensorInfo;
  y: TensorInfo;
}

/** y = LigerSwiglu: silu(gate · gateMultiplier) · up · downMultiplier, all of one shape. */
export const Swiglu = 'LigerSwiglu';
export interface SwigluInputs {
  gate: TensorInfo;
  up: TensorInfo;
}
export interface SwigluAttrs {
  gateMultiplier: number;
  downMultiplier: number;
}

/** dgate, dup = LigerSwigluGrad. */
export const SwigluGrad = 'LigerSwigluGrad';
export interface SwigluGradInputs extends SwigluInputs {
  dy: TensorInfo;
}

/** y = LigerGeglu: gelu_tanh(gate) · up, all of one shape. */
export const Geglu = 'LigerGeglu';
export type GegluInputs = SwigluInputs;

/** dgate, dup = LigerGegluGrad. */
export const GegluGrad = 'LigerGegluGrad';
export type GegluGradInputs = SwigluGradInputs;

/** q, k = LigerRope: both rotated by halves. */
export const Rope = 'LigerRope';
export interface RopeInputs {
  /** [B, Hq, T, D], D even. */
  q: TensorInfo;
  /** [B, Hk, T, D] */
  k: TensorInfo;
  /** [1 or B, T, D] */
  cos: TensorInfo;
  /** [1 or B, T, D] */
  sin: TensorInfo;
}
export interface RopeAttrs {
  /** Applies the transposed rotation: the gradient. */
  transposed: boolean;
}

/** rows [..., C] = LigerEmbedding: the rows of the table at the indices; NaN where an index is out of range. */
export const Embedding = 'LigerEmbedding';
export interface EmbeddingInputs {
  /** [V, C] */
  table: TensorInfo;
  /** [...] */
  indices: TensorInfo;
}

/** dtable [V, C] = LigerEmbeddingGrad: the sum of the gradients of each row's uses, in the order of the indices. */
export const EmbeddingGrad = 'LigerEmbeddingGrad';
export interface EmbeddingGradInputs {
  /** [..., C] */
  dy: TensorInfo;
  /** [...] */
  indices: TensorInfo;
}
export interface EmbeddingGradAttrs {
  /** V */
  vocabularySize: number;
}

/** Activations that are fused into a linear layer: `gelu` is the exact one, `geluTanh` its approximation by tanh. */
export type Activation = 'none' | 'relu' | 'gelu' | 'geluTanh' | 'silu';

/** y [..., O], z [..., O] (with keepZ only) = LigerLinear: z = x · weightᵀ + bias, y = activation(z). */
export const Linear = 'LigerLinear';
export interface LinearInputs {
  /** [..., I] */
  x: TensorInfo;
  /** [O, I], or [I, O] with transposeWeight. */
  weight: TensorInfo;
  /** [O] */
  bias?: TensorInfo;
}
export interface LinearAttrs {
  activation: Activation;
  transposeWeight: boolean;
  /** Also returns z, which the gradient of an activation needs. Default false. */
  keepZ?: boolean;
}

/** dx [..., I] = LigerLinearGradX. */
export const LinearGradX = 'LigerLinearGradX';
export interface LinearGradXInputs {
  /** [..., O], the gradient of z. */
  dz: TensorInfo;
  weight: TensorInfo;
}
export interface LinearGradAttrs {
  transposeWeight: boolean;
}

/** dweight, in weight's layout = LigerLinearGradWeight. */
export const LinearGradWeight = 'LigerLinearGradWeight';
export interface LinearGradWeightInputs {
  /** [..., O] */
  dz: TensorInfo;
  /** [..., I] */
  x: TensorInfo;
}

/** dbias [C] = LigerBiasGrad: the sum over all dimensions but the last. */
export const BiasGrad = 'LigerBiasGrad';
export interface BiasGradInputs {
  /** [..., C] */
  dz: TensorInfo;
}

/** dz = LigerActivationGrad: dy · activation'(z), all of one shape. */
export const ActivationGrad = 'LigerActivationGrad';
export interface ActivationGradInputs {
  dy: TensorInfo;
  z: TensorInfo;
}
export interface ActivationGradAttrs {
  activation: Exclude<Activation, 'none'>;
}

export type Reduction = 'mean' | 'sum' | 'none';

/**
 * loss, lse, stats, then, as far as they are asked for, zLoss, tokenAccuracy and predictedTokens = LigerCrossEntropy.
 *
 * loss, zLoss and tokenAccuracy are scalars, or [...] for the reduction 'none'; predictedTokens [...] is int32, −1 where the
 * label is ignored. lse [...] is each row's log-sum-exp. stats [4] is what sums are divided by: that of the loss, that of the
 * z-loss, the number of labels that are not ignored, and the sum of `weight`.
 */
export const CrossEntropy = 'LigerCrossEntropy';
export interface CrossEntropyInputs {
  /** [..., V] */
  logits: TensorInfo;
  /** [...] */
  labels: TensorInfo;
  /** [V] */
  weight?: TensorInfo;
}
export interface CrossEntropyAttrs {
  ignoreIndex: number;
  labelSmoothing: number;
  lseSquareScale: number;
  /** 0 for none. */
  softcap: number;
  reduction: Reduction;
  /** What sums are divided by instead of a count; 0 for none. */
  numItemsInBatch: number;
  returnZLoss: boolean;
  returnTokenAccuracy: boolean;
  returnPredictedTokens: boolean;
}

/** dlogits [..., V] = LigerCrossEntropyGrad. */
export const CrossEntropyGrad = 'LigerCrossEntropyGrad';
export interface CrossEntropyGradInputs extends CrossEntropyInputs {
  /** The gradient of the loss: a scalar, or [...] for the reduction 'none'. */
  dy: TensorInfo;
  lse: TensorInfo;
  stats: TensorInfo;
}

/**
 * loss, then zLoss, tokenAccuracy and predictedTokens as in LigerCrossEntropy, then, with gradients, dx [..., H],
 * dweight [V, H] and, with a bias, dbias [V] = LigerFusedLinearCrossEntropy: the cross entropy of x · weightᵀ + bias, whose
 * logits exist for a chunk of tokens at a time.
 */
export const FusedLinearCrossEntropy = 'LigerFusedLinearCrossEntropy';
export interface FusedLinearCrossEntropyInputs {
  /** [..., H] */
  x: TensorInfo;
  /** [V, H] */
  weight: TensorInfo;
  /** [...] */
  labels: TensorInfo;
  /** [V] */
  bias?: TensorInfo;
  /** [V] */
  classWeight?: TensorInfo;
  /** [...]: what the gradient of each token's loss is multiplied by; for the reduction 'none'. */
  dy?: TensorInfo;
}
export interface FusedLinearCrossEntropyAttrs extends CrossEntropyAttrs {
  /** Whether weight, and dweight, is [H, V] instead of [V, H]. */
  transposeWeight: boolean;
  /** Multiplies each token's loss by the probability of its label, which counts as a constant. */
  useTokenScaling: boolean;
  /** Tokens in a chunk; 0 to choose by memory. */
  chunkSize: number;
  gradients: boolean;
}

/**
 * parameter, m and v of each parameter in turn = LigerAdamW: one step of AdamW over any number of parameters.
 *
 * Its inputs are an array, as those of tfjs's AddN are: `step` (see LigerAdamWStep), then parameter, gradient, m (the running
 * mean of the gradient) and v (that of its square) of each parameter, all of one shape that is not empty. A backend may
 * update a tensor in place where no one else holds its data; the output is then the input itself.
 */
export const AdamW = 'LigerAdamW';
export type AdamWInputs = readonly TensorInfo[];
export interface AdamWAttrs {
  beta1: number;
  beta2: number;
  epsilon: number;
  /** One for each parameter. */
  weightDecays: readonly number[];
}

/**
 * step [4], gradientNorm [] (with squaredNorms only) = LigerAdamWStep: the scalars of one step, on the device, so that
 * LigerAdamW is the same commands in every step. They are the learning rate; what gradients are multiplied by (1, or less
 * when they are clipped); the learning rate / (1 − beta1^iteration); and 1 / √(1 − beta2^iteration).
 */
export const AdamWStep = 'LigerAdamWStep';
export interface AdamWStepInputs {
  /** [4], whose values don't count: a backend may write them in place. */
  step: TensorInfo;
  /** [n], whose sum is the squared global norm; absent when gradients are not clipped. */
  squaredNorms?: TensorInfo;
  /** [], beside squaredNorms; a backend may write it in place. */
  gradientNorm?: TensorInfo;
}
export interface AdamWStepAttrs {
  learningRate: number;
  /** 0 for none. */
  clipNorm: number;
  beta1: number;
  beta2: number;
  /** The number of this step, from 1. */
  iteration: number;
}

/**
 * squaredNorms [n] = LigerSquaredNorms: numbers whose sum is the squared norm of all the inputs, an array of at least one
 * tensor, none of them empty. n >= 1 depends on their shapes alone.
 */
export const SquaredNorms = 'LigerSquaredNorms';
export type SquaredNormsInputs = readonly TensorInfo[];
