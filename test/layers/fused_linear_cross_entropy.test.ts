import type { Tensor } from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { crossEntropy } from '../../src/index.js';
import {
  dense,
  embedding,
  type FusedLinearCrossEntropy,
  type FusedLinearCrossEntropyLayerArgs,
  fusedLinearCrossEntropy,
} from '../../src/layers/index.js';
import { tf } from '../support/backend.js';
import { expectClose, expectError, OUTPUT_TOLERANCE } from '../support/golden.js';
import { reload } from './describe_layer.js';

/** Even: tfjs's WebGL matmul of packed textures adds what lies in the padding of an odd inner dimension. */
const VOCABULARY = 8;
const WIDTH = 4;
const LENGTH = 3;
const SAMPLES = 20;

const whole = (shape: number[], seed: number) =>
  tf.tidy(() => tf.floor(tf.randomUniform(shape, 0, VOCABULARY, 'float32', seed)));

/** What a model learns from; labels as tfjs wants them. */
const batch = () => ({ tokens: whole([SAMPLES, LENGTH], 3), labels: whole([SAMPLES, LENGTH, 1], 4) });

/** tokens → embedding → dense → the head. */
function languageModel(head: { apply(x: tf.SymbolicTensor): unknown }, table = newTable()) {
  const tokens = tf.input({ shape: [LENGTH] });
  const hidden = dense({ units: WIDTH, activation: 'silu', kernelInitializer: 'identity' }).apply(table.apply(tokens));
  return tf.model({ inputs: tokens, outputs: head.apply(hidden as tf.SymbolicTensor) as tf.SymbolicTensor });
}

const newTable = (name?: string) =>
  embedding({ inputDim: VOCABULARY, outputDim: WIDTH, ...(name !== undefined && { name }) });

/** The layer as a user meets it after loading. */
const headOf = (model: tf.LayersModel) => model.layers.at(-1) as FusedLinearCrossEntropy;

function compile(model: tf.LayersModel, learningRate = 0.5) {
  const head = headOf(model);
  model.compile({ optimizer: tf.train.sgd(learningRate), loss: head.loss, metrics: [head.accuracy] });
}

const numbers = (values: readonly unknown[] | undefined) => values as number[];

describe('layers.fusedLinearCrossEntropy', () => {
  it("has the losses and accuracies of tfjs's dense with sparse categorical cross entropy", async () => {
    const model = languageModel(fusedLinearCrossEntropy({ units: VOCABULARY }));
    const stock = languageModel(tf.layers.dense({ units: VOCABULARY, activation: 'softmax', useBias: false }));
    tf.tidy(() => {
      const weights = model.getWeights();
      stock.setWeights([...weights.slice(0, -1), tf.transpose(weights.at(-1)!)]);
    });
    compile(model);
    stock.compile({ optimizer: tf.train.sgd(0.5), loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });

    const { tokens, labels } = batch();
    const options = { epochs: 3, batchSize: 10, shuffle: false, verbose: 0 } as const;
    const { history: own } = await model.fit(tokens, labels, options);
    const { history: wanted } = await stock.fit(tokens, labels, options);
    await expectClose(numbers(own.loss), numbers(wanted.loss), 1e-5);
    await expectClose(numbers(own.accuracy), numbers(wanted.acc), 1e-5);
    expect(own.loss!.at(-1)).to.be.below(own.loss![0] as number);

    const evaluated = model.evaluate(tokens, labels) as tf.Scalar[];
    const evaluatedStock = stock.evaluate(tokens, labels) as tf.Scalar[];
    for (const [i, value] of evaluated.entries()) await expectClose(value, evaluatedStock[i]!, 1e-5);
    const [logits, probabilities] = [model.predict(tokens) as Tensor, stock.predict(tokens) as Tensor];
    expect(logits.shape).to.deep.equal([SAMPLES, LENGTH, VOCABULARY]);
    await expectClose(
      tf.tidy(() => tf.softmax(logits)),
      probabilities,
      1e-5,
    );
    tf.dispose([tokens, labels, evaluated, evaluatedStock, logits, probabilities]);
    model.dispose();
    stock.dispose();
  });

  it('keeps nothing of 20 batches', async () => {
    const model = languageModel(fusedLinearCrossEntropy({ units: VOCABULARY, useBias: true }));
    compile(model);
    const { tokens, labels } = batch();
    const options = { batchSize: 1, verbose: 0 } as const;
    await model.fit(tokens, labels, { ...options, epochs: 1 });
    const before = tf.memory().numTensors;
    await model.fit(tokens, labels, options);
    tf.dispose(model.evaluate(tokens, labels));
    expect(tf.memory().numTensors, 'tensors').to.equal(before);
    tf.dispose([tokens, labels]);
    model.dispose();
  });

  const args: FusedLinearCrossEntropyLayerArgs = {
    units: VOCABULARY,
    useBias: true,
    biasInitializer: 'ones',
    ignoreIndex: 0,
    labelSmoothing: 0.1,
    lseSquareScale: 0.01,
    softcap: 0.5,
    chunkSize: 5,
  };

  it('has one loss in training and in inference, with every option', async () => {
    const head = fusedLinearCrossEntropy({ ...args, kernelInitializer: 'randomNormal' });
    const hidden = tf.randomNormal([2, LENGTH, WIDTH], 0, 30, 'float32', 5);
    const logits = head.apply(hidden) as Tensor;
    const states = head.apply(hidden, { training: true }) as Tensor;
    expect(states.shape).to.deep.equal(hidden.shape);
    expect(head.weights.map(({ originalName, shape }) => [originalName.split('/').at(-1), shape])).to.deep.equal([
      ['weight', [VOCABULARY, WIDTH]],
      ['bias', [VOCABULARY]],
    ]);
    const labels = tf.tensor2d([0, 1, 2, 0, 5, 6], [2, LENGTH], 'int32');
    const { ignoreIndex, labelSmoothing, lseSquareScale, softcap } = args;
    const wanted = tf.tidy(() => {
      const [weight, bias] = head.getWeights();
      const raw = tf.add(tf.matMul(tf.reshape(hidden, [-1, WIDTH]), weight!, false, true), bias!);
      return crossEntropy(raw, tf.reshape(labels, [-1]), { ignoreIndex, labelSmoothing, lseSquareScale, softcap });
    });
    const before = tf.memory().numTensors;
    const losses = [head.loss(labels, states), head.loss(labels, logits)];
    const accuracies = [head.accuracy(labels, states), head.accuracy(labels, logits)];
    expect(tf.memory().numTensors, 'tensors').to.equal(before + 4);
    for (const loss of losses) await expectClose(loss, wanted, 10 * OUTPUT_TOLERANCE);
    await expectClose(accuracies[0]!, accuracies[1]!, 0);
    tf.dispose([hidden, logits, states, labels, wanted, ...losses, ...accuracies]);
    head.dispose();
  });

  it('measures the accuracy with the loss, of these labels alone', async () => {
    const head = fusedLinearCrossEntropy({ units: VOCABULARY });
    const logits = tf.oneHot([1, 2, 3], VOCABULARY, 10, 0, 'float32');
    const right = tf.tensor1d([1, 2, 3], 'int32');
    const wrong = tf.tensor2d([1, 0, 0], [3, 1], 'float32');
    const { accuracy } = head;
    const loss = head.loss(right, logits);
    const before = tf.memory().numTensors;
    const values = [accuracy(right, logits)];
    expect(tf.memory().numTensors, 'tensors').to.equal(before);
    values.push(accuracy(wrong, logits));
    await expectClose(values[0]!, 1, 0);
    await expectClose(values[1]!, 1 / 3, OUTPUT_TOLERANCE);
    tf.dispose([logits, right, wrong, loss, ...values]);
  });

  it('has no loss of what another layer made of its output', () => {
    const head = fusedLinearCrossEntropy({ units: VOCABULARY });
    const states = tf.ones([2, WIDTH]);
    const output = head.apply(states, { training: true }) as Tensor;
    const other = tf.relu(output);
    const labels = tf.tensor1d([1, 2], 'int32');
    expectError(() => head.loss(labels, other), /the loss is of what the layer returned, but got a float32 tensor/);
    tf.dispose([states, output, other, labels]);
    head.dispose();
  });

  it('is the last layer of a sequential model, and takes labels without a last dimension from a dataset', async () => {
    const head = fusedLinearCrossEntropy({ units: VOCABULARY });
    const model = tf.sequential({ layers: [newTable(), head] });
    compile(model);
    const { tokens, labels } = batch();
    const flat = tf.tidy(() => tf.cast(tf.squeeze(labels, [-1]), 'int32'));
    const expected = model.evaluate(tokens, labels) as Tensor[];
    const data = tf.data.generator(function* () {
      yield { xs: tokens.clone(), ys: flat.clone() };
    });
    const { history } = await model.fitDataset(data, { epochs: 2, verbose: 0 });
    await expectClose(history.loss![0] as number, expected[0]!, 1e-5);
    expect(history.loss![1]).to.be.below(history.loss![0] as number);
    tf.dispose([tokens, labels, flat, expected]);
    model.dispose();
  });

  it('initializes its weight [V, H] as the kernel [H, V] of Keras', () => {
    const shapes: unknown[] = [];
    const ones = tf.initializers.ones();
    ones.apply = (shape) => {
      shapes.push(shape);
      return tf.ones(shape as number[]);
    };
    const head = fusedLinearCrossEntropy({ units: VOCABULARY, kernelInitializer: ones });
    head.apply(tf.input({ shape: [WIDTH] }));
    expect(shapes).to.deep.equal([[WIDTH, VOCABULARY]]);
    head.dispose();
  });

  it('is saved and loaded, and trains on', async () => {
    const model = languageModel(fusedLinearCrossEntropy({ ...args, kernelRegularizer: 'l2' }));
    const { tokens, labels } = batch();
    const loaded = await reload(model);
    expect(headOf(loaded).getConfig()).to.deep.equal(headOf(model).getConfig());
    const histories = [];
    for (const each of [model, loaded]) {
      compile(each);
      histories.push((await each.fit(tokens, labels, { epochs: 2, shuffle: false, verbose: 0 })).history.loss);
    }
    await expectClose(numbers(histories[1]), numbers(histories[0]), OUTPUT_TOLERANCE);
    tf.dispose([tokens, labels]);
    model.dispose();
    loaded.dispose();
  });

  it("trains an embedding's table as its weight, saves and loads", async () => {
    const table = newTable('tokenTable');
    const model = languageModel(fusedLinearCrossEntropy({ embedding: table }), table);
    expect(model.weights.length).to.equal(3);
    const reference = newTable();
    const tokens = tf.input({ shape: [LENGTH] });
    const hidden = dense({ units: WIDTH, activation: 'silu' }).apply(reference.apply(tokens)) as tf.SymbolicTensor;
    const untied = tf.model({
      inputs: tokens,
      outputs: reference.apply(hidden, { reverse: true }) as tf.SymbolicTensor,
    });
    untied.setWeights(model.getWeights());
    const { tokens: x, labels } = batch();
    const oneHot = tf.tidy(() => tf.oneHot(tf.cast(tf.squeeze(labels, [-1]), 'int32'), VOCABULARY));
    untied.compile({
      optimizer: tf.train.sgd(0.5),
      loss: (target: Tensor, logits: Tensor) => tf.losses.softmaxCrossEntropy(target, logits),
    });
    compile(model);
    const options = { epochs: 3, shuffle: false, verbose: 0 } as const;
    const { history } = await model.fit(x, labels, options);
    const { history: wanted } = await untied.fit(x, oneHot, options);
    await expectClose(numbers(history.loss), numbers(wanted.loss), 1e-5);

    const loaded = await reload(model);
    compile(loaded);
    const [next, loadedNext] = [await model.fit(x, labels, options), await loaded.fit(x, labels, options)];
    await expectClose(numbers(loadedNext.history.loss), numbers(next.history.loss), OUTPUT_TOLERANCE);
    await expectClose(loaded.getLayer('tokenTable').getWeights()[0]!, table.table, 0);
    tf.dispose([x, labels, oneHot]);
    for (const each of [model, loaded, untied]) each.dispose();
  });

  it('needs units or an embedding that comes before it', () => {
    expect(() => fusedLinearCrossEntropy({})).to.throw(/takes either option 'units' or option 'embedding'/);
    const table = newTable('elsewhere');
    expect(() => fusedLinearCrossEntropy({ units: 3, embedding: table })).to.throw(/takes either option/);
    const head = fusedLinearCrossEntropy({ embedding: table });
    expect(() => head.apply(tf.input({ shape: [LENGTH, WIDTH] }))).to.throw(
      /layers\.fusedLinearCrossEntropy: the input must come from the embedding 'elsewhere', but does not/,
    );
  });
});
