/** The attention and transformer layers that tfjs-layers has in dist/layers/nlp. */
import { cast, expandDims, mul, sub, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { flashAttention } from '../ops/flash_attention.js';
import { inTurn, replaceAccessor, replaceMethod } from './replace_method.js';
import type {
  CachedMultiHeadAttentionLayer,
  Layer,
  MultiHeadAttentionLayer,
  TransformerDecoderLayer,
} from './tfjs_layers.js';

/** What tfjs adds to the score of a key that is masked. */
const MASKED = -1e9;

/** The calls whose attention scores nobody will see. */
const withoutScores = new WeakSet<MultiHeadAttentionLayer>();

/** Whether the layer attends along one dimension of `[B, T, N, D]`, with heads as wide in values as in keys. */
export const isFlash = ({ attentionAxes, keyDim, valueDim }: MultiHeadAttentionLayer): boolean =>
  keyDim === valueDim && (!attentionAxes || (attentionAxes.length === 1 && attentionAxes[0] === 1));

/** A mask [B or 1, T, S] as what is added to the scores, [B or 1, 1, T, S]. */
const biasOf = (mask: Tensor) => expandDims(mul(sub(1, cast(mask, 'float32')), MASKED), 1);

/** Attention of [B, T, N, D], under a mask if there is one. */
const attend = (query: Tensor, key: Tensor, value: Tensor, mask?: Tensor, dropout = 0): Tensor =>
  flashAttention(query, key, value, { layout: 'bthd', bias: mask && biasOf(mask), dropout });

/** Replaces the attention of one layer, or, given the prototype, of all. Returns how to undo it. */
export function replaceAttention(target: MultiHeadAttentionLayer): () => void {
  const undo = [
    // A model calls a layer with the list of its inputs alone, which tfjs's can't be.
    replaceMethod(
      target,
      'apply',
      (stock) =>
        function (this: MultiHeadAttentionLayer, inputs, kwargs) {
          const [query, value = kwargs?.value, key = kwargs?.key] = [inputs].flat();
          return stock.call(this, query!, { ...(kwargs ?? {}), value, ...(key ? { key } : {}) });
        },
    ),
    replaceMethod(
      target,
      'call',
      (stock) =>
        function (this: MultiHeadAttentionLayer, inputs, kwargs) {
          withoutScores.add(this);
          try {
            return stock.call(this, [inputs].flat()[0]!, kwargs);
          } finally {
            withoutScores.delete(this);
          }
        },
    ),
    replaceMethod(
      target,
      'computeAttention',
      (stock) =>
        function (this: MultiHeadAttentionLayer, query, key, value, mask, training) {
          if (!withoutScores.has(this) || !isFlash(this) || query.rank !== 4 || (mask && mask.rank !== 3)) {
            return stock.call(this, query, key, value, mask, training);
          }
          const y = attend(query, key, value, mask, training ? this.dropout : 0);
          // In the place of the scores.
          return [y, y];
        },
    ),
  ];
  if ('callAndReturnCache' in target) undo.push(replaceCachedAttention(target as CachedMultiHeadAttentionLayer));
  return inTurn(undo);
}

/** That of the decoder, which has its own way of attending: without a cache it is the layer's. */
export function replaceCachedAttention(target: CachedMultiHeadAttentionLayer): () => void {
  return replaceMethod(
    target,
    'callAndReturnCache',
    (stock) =>
      function (this: CachedMultiHeadAttentionLayer, query, options) {
        const { value, key = value, attentionMask: mask, cache, cacheUpdateIndex } = options;
        if (cache || cacheUpdateIndex !== undefined || !isFlash(this)) return stock.call(this, query, options);
        if (!this.builtFromSignature) this.buildFromSignature(query.shape, value.shape, key.shape);
        const y = tidy(() => {
          const [q, k, v] = [this.queryDense.apply(query), this.keyDense.apply(key), this.valueDense.apply(value)];
          return this.outputDense.apply(attend(q, k, v, mask));
        });
        return [y, cache];
      },
  );
}

/**
 * Has layers that are made of others build these with themselves, and count their weights as their own, without which a model
 * neither trains nor saves them. Returns how to undo it.
 */
function countWeightsWithin<L extends Layer>(target: L, within: ReadonlyArray<keyof L & string>): () => void {
  const sublayers = (layer: L) => within.flatMap((name) => (layer[name] ? [layer[name] as unknown as Layer] : []));
  const undo = (['trainableWeights', 'nonTrainableWeights'] as const).map((name) =>
    replaceAccessor(
      target as Layer,
      name,
      (own) =>
        function (this: Layer) {
          const inner = sublayers(this as L);
          const isFrozen = !this.trainable;
          if (isFrozen && name === 'trainableWeights') return [];
          return [...own.call(this), ...inner.flatMap((layer) => (isFrozen ? layer.weights : layer[name]))];
        },
    ),
  );
  return inTurn(undo);
}

export const replaceAttentionWeights = (target: MultiHeadAttentionLayer) =>
  countWeightsWithin(target, ['queryDense', 'keyDense', 'valueDense', 'outputDense']);

/** Has the decoder train, within a model, too. Returns how to undo it. */
export const replaceDecoder = (target: TransformerDecoderLayer) =>
  inTurn([
    countWeightsWithin(target, [
      ...(['selfAttentionLayer', 'selfAttentionLayernorm', 'feedforwardIntermediateDense'] as const),
      ...(['feedforwardOutputDense', 'feedforwardLayernorm'] as const),
    ]),
    // A model calls it with the list of its one input, which it takes for a tensor.
    replaceMethod(
      target,
      'call',
      (stock) =>
        function (this: TransformerDecoderLayer, inputs, kwargs) {
          return stock.call(this, [inputs].flat()[0]!, kwargs);
        },
    ),
  ]);

/** Has attention layers make their projections when they are built, not when they are called first. Returns how to undo it. */
export function buildProjections(target: MultiHeadAttentionLayer): () => void {
  const undo = [
    replaceMethod(
      target,
      'build',
      (stock) =>
        function (this: MultiHeadAttentionLayer, inputShape) {
          const [query, value, key] = inputShape as Array<number[] | undefined>;
          if (!this.builtFromSignature && query && value) this.buildFromSignature(query, value, key ?? null);
          stock.call(this, inputShape);
        },
    ),
    replaceMethod(
      target,
      'buildFromSignature',
      (stock) =>
        function (this: MultiHeadAttentionLayer, query, value, key) {
          stock.call(this, query, value, key);
          const attended = [...query.slice(0, -1), this.numHeads, this.valueDim];
          const shapes = [query, key ?? value, value, attended] as const;
          for (const [i, dense] of [this.queryDense, this.keyDense, this.valueDense, this.outputDense].entries()) {
            if (dense.built) continue;
            dense.build(shapes[i]!);
            dense.built = true;
          }
        },
    ),
  ];
  return inTurn(undo);
}
