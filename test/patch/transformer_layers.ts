/** What tfjs-layers' transformer layers compute and learn, which tfjs does not export. */

import type { Tensor, Variable } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { input as inputOf, type layers, model as modelOf } from '@tensorflow/tfjs-layers';
import { TransformerDecoder } from '@tensorflow/tfjs-layers/dist/layers/nlp/modeling/transformer_decoder.js';
import { MultiHeadAttention } from '@tensorflow/tfjs-layers/dist/layers/nlp/multihead_attention.js';
import { patch } from '../../src/index.js';

const SHAPE = [5, 8];

/** A layer, how it is called with a tensor, and what it is called with beside it. */
interface Case {
  readonly layer: Pick<InstanceType<typeof layers.Layer>, 'apply' | 'trainableWeights' | 'weights'>;
  readonly call: (x: Tensor) => Tensor;
  readonly kwargs: (x: unknown) => object;
}

const cases = {
  attention: (): Case => {
    const layer = new MultiHeadAttention({ numHeads: 2, keyDim: 4 });
    // tfjs's can't be applied to tensors, only called.
    return { layer, call: (x) => layer.call(x, { value: x }) as Tensor, kwargs: (x) => ({ value: x }) };
  },
  decoder: (): Case => {
    const layer = new TransformerDecoder({ intermediateDim: 6, numHeads: 2, name: 'decoder' });
    return { layer, call: (x) => layer.apply(x, { useCausalMask: true }) as Tensor, kwargs: () => ({}) };
  },
};

export type TransformerCase = keyof typeof cases;

const numbers = async (tensors: Tensor[]) =>
  (await Promise.all(tensors.map(async (tensor) => Array.from(await tensor.data())))).flat();

const inputs = () => tf.randomNormal([2, ...SHAPE], 0, 1, 'float32', 1);

/** The output of a layer and the gradients of its weights, with and without attention of this library's. */
export async function outputAndGradients(name: TransformerCase) {
  const { layer, call } = cases[name]();
  const results: Array<{ y: number[]; gradients: number[] }> = [];
  const x = inputs();
  // The first call makes the weights, which only the patch has the layer tell.
  let unpatch = patch();
  tf.dispose(call(x));
  const variables = layer.trainableWeights.map((weight) => weight.read() as Variable);
  unpatch();
  for (const multiHeadAttention of [false, true]) {
    unpatch = patch({ multiHeadAttention });
    const { value, grads } = tf.variableGrads(() => tf.sum(tf.pow(call(x), 3)), variables);
    const y = call(x);
    // The decoder leaves some of its weights unused.
    const gradients = variables.flatMap((variable) => grads[variable.name] ?? []);
    results.push({ y: await numbers([y]), gradients: await numbers(gradients) });
    tf.dispose([value, grads, y]);
    unpatch();
  }
  tf.dispose([x, variables]);
  return { stock: results[0]!, patched: results[1]! };
}

/** The loss of a model of a layer as it is trained, and what it predicts before and after it was saved. */
export async function trainAndReload(name: TransformerCase) {
  const unpatch = patch();
  const { layer, kwargs } = cases[name]();
  const input = inputOf({ shape: SHAPE });
  const model = modelOf({ inputs: input, outputs: layer.apply(input, kwargs(input)) as typeof input });
  model.compile({ optimizer: tf.train.sgd(0.05), loss: 'meanSquaredError' });
  const [x, y] = tf.tidy(() => [inputs(), tf.zeros([2, ...SHAPE])]) as [Tensor, Tensor];
  const { history } = await model.fit(x, y, { epochs: 5, verbose: 0, shuffle: false });
  const before = tf.memory().numTensors;
  await model.fit(x, y, { epochs: 1, verbose: 0 });
  const leaked = tf.memory().numTensors - before;
  tf.dispose([x, y]);
  const weights = layer.weights.length;
  model.dispose();
  unpatch();
  return { losses: history.loss as number[], weights, leaked };
}
