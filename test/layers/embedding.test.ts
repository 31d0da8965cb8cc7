import { expect } from 'chai';
import { embedding as op } from '../../src/index.js';
import { dense, embedding, layerNorm } from '../../src/layers/index.js';
import { tf } from '../support/backend.js';
import { expectClose, expectError, OUTPUT_TOLERANCE } from '../support/golden.js';
import { describeLayer, reload } from './describe_layer.js';

describeLayer({
  name: 'embedding',
  make: (args) => embedding({ inputDim: 7, outputDim: 4, embeddingsInitializer: 'randomNormal', ...args }),
  inputShape: [3],
  inputs: () => tf.tensor2d([0, 1, 6, 6, 3, 1], [2, 3], 'int32'),
  inputDType: 'int32',
  weights: { embeddings: [7, 4] },
  reference: (indices, [table]) => op(table!, indices),
});

/** An embedding used on both sides of a layer, so that its gradient has two parts. */
function tiedModel() {
  const tokens = tf.input({ shape: [3] });
  const table = embedding({ inputDim: 7, outputDim: 4, name: 'tokenTable' });
  const hidden = dense({ units: 4 }).apply(table.apply(tokens)) as tf.SymbolicTensor;
  return tf.model({ inputs: tokens, outputs: table.apply(hidden, { reverse: true }) as tf.SymbolicTensor });
}

const labelled = () => ({
  tokens: tf.tensor2d([0, 1, 6, 6, 3, 1], [2, 3]),
  target: tf.randomNormal([2, 3, 7], 0, 1, 'float32', 3),
});

describe('layers.embedding', () => {
  it('is the first layer of a model without an input shape, and takes indices in float32', async () => {
    const table = embedding({ inputDim: 5, outputDim: 2, inputLength: 3 });
    const model = tf.sequential({ layers: [table] });
    expect(model.outputs[0]!.shape).to.deep.equal([null, 3, 2]);
    const tokens = tf.tensor2d([[4, 0, 1]]);
    const y = model.predict(tokens) as tf.Tensor;
    const wanted = tf.tidy(() => tf.gather(table.getWeights()[0]!, [[4, 0, 1]]));
    await expectClose(y, wanted, 0);
    tf.dispose([tokens, y, wanted]);
    model.dispose();
  });

  it('checks inputLength', () => {
    const table = embedding({ inputDim: 5, outputDim: 2, inputLength: 3 });
    expectError(() => table.computeOutputShape([null, 4]), /'inputLength' is \[3\], but the input is of shape \[,4\]/);
  });

  it('gives the mask of maskZero to the layers after it', async () => {
    const masks: tf.Tensor[] = [];
    const last = layerNorm();
    last.setCallHook((_, { mask }) => masks.push(tf.keep(tf.cast(mask, 'int32'))));
    const tokens = tf.input({ shape: [3] });
    const hidden = dense({ units: 4 }).apply(embedding({ inputDim: 5, outputDim: 2, maskZero: true }).apply(tokens));
    const model = tf.model({ inputs: tokens, outputs: last.apply(hidden) as tf.SymbolicTensor });
    const x = tf.tensor2d([1, 2, 0, 4, 0, 0], [2, 3]);
    const before = tf.memory().numTensors;
    const y = model.predict(x) as tf.Tensor;
    expect(tf.memory().numTensors, 'tensors').to.equal(before + 2);
    await expectClose(masks[0]!, [1, 1, 0, 1, 0, 0], 0);
    tf.dispose([x, y, masks]);
    model.dispose();
  });

  it('has no mask without maskZero', () => {
    expect(embedding({ inputDim: 5, outputDim: 2 }).supportsMasking).to.equal(false);
  });

  it('multiplies with the transposed table in reverse', async () => {
    const table = embedding({ inputDim: 7, outputDim: 4 });
    const tokens = tf.tensor1d([2, 5], 'int32');
    const hidden = table.apply(tokens) as tf.Tensor;
    const logits = table.apply(hidden, { reverse: true }) as tf.Tensor;
    const wanted = tf.tidy(() => tf.matMul(hidden, table.getWeights()[0]!, false, true));
    await expectClose(logits, wanted, OUTPUT_TOLERANCE);
    tf.dispose([tokens, hidden, logits, wanted]);
    table.dispose();
  });

  it('trains, saves and loads in reverse', async () => {
    const model = tiedModel();
    expect(model.outputs[0]!.shape).to.deep.equal([null, 3, 7]);
    expect(model.weights.map(({ shape }) => shape)).to.deep.equal([[7, 4], [4, 4], [4]]);
    const { tokens, target } = labelled();
    model.compile({ optimizer: tf.train.sgd(0.5), loss: 'meanSquaredError' });
    const { history } = await model.fit(tokens, target, { epochs: 5, verbose: 0 });
    expect(history.loss!.at(-1)).to.be.below(history.loss![0] as number);

    const loaded = await reload(model);
    const table = loaded.getLayer('tokenTable');
    table.setWeights([tf.tidy(() => tf.mul(table.getWeights()[0]!, 2))]);
    const [y, twice] = [model.predict(tokens) as tf.Tensor, loaded.predict(tokens) as tf.Tensor];
    const bias = model.layers[2]!.getWeights()[1]!;
    const wanted = tf.tidy(() => {
      // Twice the table on both sides: four times the product, but for the bias between them.
      const ofBias = tf.dot(model.layers[1]!.getWeights()[0]!, bias);
      return tf.add(tf.mul(tf.sub(y, ofBias), 4), tf.mul(ofBias, 2));
    });
    await expectClose(twice, wanted, 1e-5);
    tf.dispose([tokens, target, y, twice, wanted]);
    model.dispose();
    loaded.dispose();
  });

  it('finds the table in a nested model', async () => {
    const tokens = tf.input({ shape: [3] });
    const table = embedding({ inputDim: 7, outputDim: 4 });
    const inner = tf.model({
      inputs: tokens,
      outputs: dense({ units: 4 }).apply(table.apply(tokens)) as tf.SymbolicTensor,
    });
    const outer = tf.input({ shape: [3] });
    const model = tf.model({
      inputs: outer,
      outputs: table.apply(inner.apply(outer) as tf.SymbolicTensor, { reverse: true }) as tf.SymbolicTensor,
    });
    const loaded = await reload(model);
    const x = tf.tensor2d([[0, 3, 6]]);
    const [y, wanted] = [loaded.predict(x) as tf.Tensor, model.predict(x) as tf.Tensor];
    await expectClose(y, wanted, 0);
    tf.dispose([x, y, wanted]);
    model.dispose();
    loaded.dispose();
  });

  it('is not used in reverse where the model would lack it', () => {
    const table = embedding({ inputDim: 7, outputDim: 4, name: 'elsewhere' });
    expect(() => table.apply(tf.input({ shape: [3, 4] }), { reverse: true })).to.throw(
      /the input must come from the embedding 'elsewhere', but does not/,
    );
  });
});
