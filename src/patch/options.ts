import { flag, number } from '../checks/config_schema.js';

/** What can be replaced in one model. */
export const modelOptions = {
  /** The loss and the metric of that name of a LayersModel, from logits where its last layer is a softmax. Default true. */
  categoricalCrossentropy: flag(true),
  /** The same, of labels that on WebGPU never become a one-hot tensor. Default true. */
  sparseCategoricalCrossentropy: flag(true),
  /** `tf.layers.layerNormalization` along the last axis: one kernel, where tfjs tiles the mean, the variance and the weights. Default true. */
  layerNormalization: flag(true),
  /** `tf.layers.embedding`, whose gradient adds up rows where tfjs compares each row with each index. Default true. */
  embedding: flag(true),
  /** `tf.layers.dense`, with bias and activation applied as the product is stored; on WebGPU. Default true. */
  dense: flag(true),
  /** The MultiHeadAttention in tfjs-layers/dist/layers/nlp, and the transformer layers there: on flashAttention. Default true. */
  multiHeadAttention: flag(true),
  /** The activations `gelu` and `gelu_new` of layers; on WebGPU. Default true. */
  gelu: flag(true),
  /** The activation `swish` of layers; on WebGPU. Default true. */
  swish: flag(true),
  /** The activation `softmax` of layers; on WebGPU. Default true. */
  softmax: flag(true),
  /** The activation `logSoftmax` of layers, and `x.logSoftmax()`; on WebGPU. Default true. */
  logSoftmax: flag(true),
  /** `tf.train.adam`: one kernel for all variables, with moments by variable, so that a layer may be frozen at any time. Default true. */
  adam: flag(true),
} as const;

/** What can be replaced in a program. */
export const patchOptions = {
  /** `tf.losses.softmaxCrossEntropy`: one pass over logits and labels. Default true. */
  softmaxCrossEntropy: flag(true),
  ...modelOptions,
  /**
   * `tf.matMul`, `tf.softmax`, `tf.sum` and others on the WebGPU backend that tfjs makes; `registerWebGPUBackend()` does it by itself. And
   * `tf.einsum` on every backend but tensorflow: as a matrix product, where tfjs holds all products. Default true.
   */
  stockKernels: flag(true),
  /** Gradients of tfjs's that make tensors in JavaScript as large as the op's input, such as that of `tf.mean`. Default true. */
  stockGradients: flag(true),
  /** Gradients that tfjs lacks: of `tf.einsum`, `tf.gatherND`, `tf.cumprod`, `tf.stridedSlice` and others. Default true. */
  missingGradients: flag(true),
  /** The largest global norm of the gradients, to which `optimizer.minimize` and `model.fit` scale them down. Default: none. */
  clipNorm: number(undefined, { min: 0, above: true }),
} as const;
