/** What `patch` can switch on, by its keywords. */
import { registerMissingGradients } from '../engine/missing_gradients.js';
import { replaceEverywhere } from '../engine/stock_kernels.js';
import {
  type ActivationName,
  activations,
  isReplaced,
  replaceActivation,
  replaceChainedLogSoftmax,
} from './activations.js';
import { replaceAdam } from './adam.js';
import { clipGradients } from './clip_gradients.js';
import { type LayerReplacement, layerReplacements, replaceCall } from './layer_replacements.js';
import { type ModelLoss, replaceLoss } from './model_losses.js';
import {
  buildProjections,
  replaceAttention,
  replaceAttentionWeights,
  replaceCachedAttention,
  replaceDecoder,
} from './multi_head_attention.js';
import { inTurn } from './replace_method.js';
import { replaceSoftmaxCrossEntropy } from './softmax_cross_entropy.js';
import {
  type Activation,
  type CachedMultiHeadAttentionLayer,
  classNamed,
  type Layer,
  type Model,
  type MultiHeadAttentionLayer,
  type TransformerDecoderLayer,
} from './tfjs_layers.js';

/** What one keyword switches on. */
export interface Feature<Value> {
  /** Whether it changes anything on backends other than WebGPU. */
  readonly onEveryBackend: boolean;
  /** Puts it in place. Returns what takes it away again, or, as a sentence, why it can't be. */
  install(value: Value): (() => void) | string;
}

/** Replaces something in classes of tfjs-layers that are there. */
function inClasses<T extends object, Name extends string = string>(
  names: readonly Name[],
  replace: (prototype: T, name: Name) => () => void,
): (() => void) | string {
  const undo = names.flatMap((name) => {
    const found = classNamed<T>(name);
    return found ? [replace(found.prototype, name)] : [];
  });
  if (undo.length === 0) return `there is no ${names[0]} of @tensorflow/tfjs-layers: is it loaded?`;
  return inTurn(undo);
}

const layer = (replacement: LayerReplacement): Feature<boolean> => ({
  onEveryBackend: replacement.onEveryBackend,
  install: () => inClasses<Layer>([replacement.className], (prototype) => replaceCall(prototype, replacement)),
});

const activation = (keyword: (typeof activations)[ActivationName]['keyword']): Feature<boolean> => ({
  onEveryBackend: false,
  install: () => {
    const names = Object.keys(activations).filter(isReplaced);
    const own = names.filter((name) => activations[name].keyword === keyword);
    return inClasses<Activation, ActivationName>(own, replaceActivation);
  },
});

const logSoftmaxes: Feature<boolean> = {
  onEveryBackend: false,
  install: () => {
    const chained = replaceChainedLogSoftmax();
    const ofLayers = activation('logSoftmax').install(true);
    if (typeof ofLayers === 'string') return chained ?? ofLayers;
    return inTurn(chained ? [chained, ofLayers] : [ofLayers]);
  },
};

const loss = (name: ModelLoss): Feature<boolean> => ({
  onEveryBackend: true,
  install: () => inClasses<Model>(['Model'], (prototype) => replaceLoss(prototype, name)),
});

/** tfjs registers a subclass under the name of the class that has most of it. */
function definerOf(prototype: MultiHeadAttentionLayer): MultiHeadAttentionLayer {
  return Object.hasOwn(prototype, 'computeAttention') ? prototype : definerOf(Object.getPrototypeOf(prototype));
}

function replaceTransformers(): (() => void) | string {
  const decoders = inClasses<TransformerDecoderLayer>(['TransformerDecoder'], (prototype) => replaceDecoder(prototype));
  const attention = inClasses<MultiHeadAttentionLayer>(['MultiHeadAttention'], (registered) => {
    const prototype = definerOf(registered);
    const undo = [
      replaceAttentionWeights(prototype),
      buildProjections(prototype),
      replaceAttention(prototype),
      ...(prototype === registered ? [] : [replaceCachedAttention(registered as CachedMultiHeadAttentionLayer)]),
    ];
    return inTurn(undo);
  });
  if (typeof attention === 'string') return attention;
  return inTurn(typeof decoders === 'string' ? [attention] : [decoders, attention]);
}

const everywhere = (what: Parameters<typeof replaceEverywhere>[0]): Feature<boolean> => ({
  onEveryBackend: true,
  install: () => {
    replaceEverywhere(what, true);
    return () => replaceEverywhere(what, false);
  },
});

/** In the order in which they are listed. */
export const features = {
  softmaxCrossEntropy: { onEveryBackend: true, install: replaceSoftmaxCrossEntropy },
  categoricalCrossentropy: loss('categoricalCrossentropy'),
  sparseCategoricalCrossentropy: loss('sparseCategoricalCrossentropy'),
  layerNormalization: layer(layerReplacements.layerNormalization),
  embedding: layer(layerReplacements.embedding),
  dense: layer(layerReplacements.dense),
  multiHeadAttention: { onEveryBackend: true, install: replaceTransformers },
  gelu: activation('gelu'),
  swish: activation('swish'),
  softmax: activation('softmax'),
  logSoftmax: logSoftmaxes,
  adam: { onEveryBackend: true, install: () => replaceAdam() },
  stockKernels: everywhere('kernels'),
  stockGradients: everywhere('gradients'),
  missingGradients: { onEveryBackend: true, install: registerMissingGradients },
  clipNorm: { onEveryBackend: true, install: clipGradients } satisfies Feature<number>,
} as const;

export type Keyword = keyof typeof features;
