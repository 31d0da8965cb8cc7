/** What `patch` can switch on, by its keywords. */
import { getKernel } from '@tensorflow/tfjs-core';
import { registerMissingGradients } from '../engine/missing_gradients.js';
import { replaceEverywhere } from '../engine/stock_kernels.js';
import { replaceActivation } from './activations.js';
import { replaceAdam } from './adam.js';
import { clipGradients } from './clip_gradients.js';
import { type LayerReplacement, layerReplacements, replaceCall } from './layer_replacements.js';
import { type ModelLoss, replaceLoss } from './model_losses.js';
import { replaceAttention } from './multi_head_attention.js';
import { replaceSoftmaxCrossEntropy } from './softmax_cross_entropy.js';
import { classNamed, type Layer, type Model } from './tfjs_layers.js';

/** What one keyword switches on. */
export interface Feature<Value = boolean> {
  /** Whether it changes anything on backends other than WebGPU. */
  readonly onEveryBackend: boolean;
  /** Puts it in place. Returns what takes it away again, or, as the end of a sentence, why it can't be. */
  install(value: Value): (() => void) | string;
}

const NO_LAYERS = 'is about @tensorflow/tfjs-layers, which is not loaded';

const ofLayers = (replacement: LayerReplacement): Feature => ({
  onEveryBackend: replacement.onEveryBackend,
  install: () => {
    const layer = classNamed<Layer>(replacement.className);
    return layer ? replaceCall(layer.prototype, replacement) : NO_LAYERS;
  },
});

const ofLosses = (name: ModelLoss): Feature => ({
  onEveryBackend: true,
  install: () => {
    const model = classNamed<Model>('Model');
    return model ? replaceLoss(model.prototype, name) : NO_LAYERS;
  },
});

const ofActivation = (...names: ActivationName[]): Feature => ({
  onEveryBackend: false,
  ...
});

export const features = {
  softmaxCrossEntropy: { onEveryBackend: true, install: replaceSoftmaxCrossEntropy },
  categoricalCrossentropy: ofLosses('categoricalCrossentropy'),
  sparseCategoricalCrossentropy: ofLosses('sparseCategoricalCrossentropy'),
  layerNormalization: ofLayers(layerReplacements.layerNormalization),
  embedding: ofLayers(layerReplacements.embedding),
  dense: ofLayers(layerReplacements.dense),
};
