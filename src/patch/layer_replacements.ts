/** What takes the place of tfjs's layers, one by one. */
import { cast, ones, type Tensor, tidy, zeros } from '@tensorflow/tfjs-core';
import { runsOnWebGPU } from '../engine/backends.js';
import { embedding } from '../ops/embedding.js';
import { layerNorm } from '../ops/layer_norm.js';
import { type LinearConfig, linear } from '../ops/linear.js';
import { replaceMethod } from './replace_method.js';
import type { DenseLayer, EmbeddingLayer, Layer, LayerNormalizationLayer } from './tfjs_layers.js';

/** How a layer's one input becomes its output. Undefined for what is left to tfjs after all. */
type Compute = (x: Tensor) => Tensor | undefined;

/** What takes the place of a kind of layer. */
export interface LayerReplacement {
  /** tfjs's name of the layer's class. */
  readonly className: string;
  /** What is used instead, for reports. */
  readonly by: string;
  readonly onEveryBackend: boolean;
  /** How a layer is computed instead, or, as a sentence, why it is left as it is. */
  of(layer: Layer): Compute | string;
}

const isFloat = ({ dtype }: Tensor) => dtype === 'float32';

const layerNormalization: LayerReplacement = {
  className: 'LayerNormalization',
  by: 'liger.layerNorm',
  onEveryBackend: true,
  of(layer) {
    const { axis, epsilon, gamma, beta } = layer as LayerNormalizationLayer;
    const [last, ...more] = [axis].flat();
    if (more.length > 0) return 'it normalises several axes';
    return (x) => {
      if (!isFloat(x) || (last !== -1 && last !== x.rank - 1)) return undefined;
      const size = x.shape.slice(-1);
      return layerNorm(x, gamma ? gamma.read() : ones(size), beta ? beta.read() : zeros(size), { epsilon });
    };
  },
};

const embeddingLookup: LayerReplacement = {
  className: 'Embedding',
  by: 'liger.embedding',
  onEveryBackend: true,
  of(layer) {
    const { embeddings } = layer as EmbeddingLayer;
    return (indices) => embedding(embeddings.read(), cast(indices, 'int32'));
  },
};

/** Activations of tfjs's, by their classes' names, that a product applies as it is stored. */
const APPLIED: Readonly<Record<string, NonNullable<LinearConfig['activation']>>> = {
  linear: 'none',
  relu: 'relu',
  gelu: 'gelu',
  gelu_new: 'geluTanh',
  swish: 'silu',
};

/** Whether a layer's product applies its activation. */
export const appliesActivation = (layer: Layer): boolean =>
  layer.getClassName() === dense.className && Object.hasOwn(APPLIED, (layer as DenseLayer).activation.getClassName());

const dense: LayerReplacement = {
  className: 'Dense',
  by: 'liger.linear',
  onEveryBackend: false,
  of(layer) {
    const { kernel, bias, activation } = layer as DenseLayer;
    const applied = APPLIED[activation.getClassName()];
    return (x) => {
      if (!isFloat(x)) return undefined;
      const y = linear(x, kernel.read(), { bias: bias?.read(), activation: applied ?? 'none', transposeWeight: true });
      return applied ? y : activation.apply(y);
    };
  },
};

/** By the keywords of `patch` and `applyTo`. */
export const layerReplacements = { layerNormalization, embedding: embeddingLookup, dense } as const;

/** Replaces how layers are computed: one of them, or, given their prototype, those of a class. Returns how to undo it. */
export function replaceCall(target: Layer, { onEveryBackend, of }: LayerReplacement): () => void {
  return replaceMethod(
    target,
    'call',
    (stock) =>
      function (this: Layer, inputs, kwargs) {
        const [x, ...more] = [inputs].flat() as [Tensor, ...Tensor[]];
        const compute = onEveryBackend || runsOnWebGPU() ? of(this) : '';
        const y = typeof compute === 'function' && more.length === 0 ? tidy(() => compute(x)) : undefined;
        if (!y) return stock.call(this, inputs, kwargs);
        this.invokeCallHook(inputs, kwargs);
        return y;
      },
  );
}
