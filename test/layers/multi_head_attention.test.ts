import { expect } from 'chai';
import { multiHeadAttention } from '../../src/layers/index.js';
import { tf } from '../support/backend.js';
import { expectClose, expectError } from '../support/golden.js';
import { describeLayer } from './describe_layer.js';
import { referenceAttention, referenceLinear, referenceSelfAttention } from './reference_attention.js';

const [BATCH, LENGTH, SIZE] = [2, 5, 6];
/** Of sums in another order. */
const TOLERANCE = 5e-6;
const random = (shape: number[], seed: number) => tf.randomNormal(shape, 0, 1, 'float32', seed);

describeLayer({
  name: 'multiHeadAttention',
  make: (args) => multiHeadAttention({ numHeads: 2, keyDim: 4, biasInitializer: 'ones', ...args }),
  inputShape: [LENGTH, SIZE],
  weights: {
    query_key_value_kernel: [24, SIZE],
    query_key_value_bias: [24],
    output_kernel: [SIZE, 8],
    output_bias: [SIZE],
  },
  reference: (x, weights) => referenceSelfAttention(x, weights, { heads: 2 }),
  tolerance: TOLERANCE,
});

describeLayer({
  name: 'multiHeadAttention',
  make: (args) =>
    multiHeadAttention({
      ...{ numHeads: 4, numKeyValueHeads: 2, keyDim: 2, outputShape: 3, useBias: false },
      ...{ causal: true, slidingWindow: 3, softcap: 2, rotary: 100 },
      ...args,
    }),
  inputShape: [LENGTH, SIZE],
  weights: { query_key_value_kernel: [16, SIZE], output_kernel: [3, 8] },
  reference: (x, [kernel, outputKernel]) =>
    referenceSelfAttention(x, [kernel, undefined, outputKernel], {
      ...{ heads: 4, keyHeads: 2, causal: true, slidingWindow: 3, softcap: 2, rotary: 100 },
    }),
  tolerance: TOLERANCE,
});

describe('layers.multiHeadAttention', () => {
  /** A layer without biases, called with tensors. */
  const withoutBias = (args?: object) => multiHeadAttention({ numHeads: 2, keyDim: 4, useBias: false, ...args });
  const selfReference = (x: tf.Tensor, [kernel, output]: tf.Tensor[], options?: object) =>
    referenceSelfAttention(x, [kernel, undefined, output], { heads: 2, ...options });

  it('attends to other tensors, of their own lengths and sizes', async () => {
    const layer = withoutBias({ numKeyValueHeads: 1 });
    const inputs = [random([BATCH, 3, SIZE], 1), random([BATCH, LENGTH, 7], 2), random([BATCH, LENGTH, 2], 3)];
    const symbols = inputs.map(({ shape }) => tf.input({ shape: shape.slice(1) }));
    const model = tf.model({ inputs: symbols, outputs: layer.apply(symbols) as tf.SymbolicTensor });
    const weights = layer.getWeights();
    expect(weights.map(({ shape }) => shape)).to.deep.equal([
      [8, SIZE],
      [4, 2],
      [4, 7],
      [SIZE, 8],
    ]);
    const wanted = tf.tidy(() => {
      const [query, value, key] = inputs as [tf.Tensor, tf.Tensor, tf.Tensor];
      const [q, k, v] = [query, key, value].map((x, i) => referenceLinear(x, weights[i]!)) as tf.Tensor[];
      return referenceLinear(referenceAttention(q!, k!, v!, { heads: 2, keyHeads: 1 }), weights[3]!);
    });
    const y = model.predict(inputs) as tf.Tensor;
    expect(model.outputs[0]!.shape).to.deep.equal([null, 3, SIZE]);
    await expectClose(y, wanted, TOLERANCE);
    tf.dispose([inputs, y, wanted]);
    model.dispose();
  });

  it('is causal in a call that says so', async () => {
    const layer = withoutBias();
    const x = random([BATCH, LENGTH, SIZE], 1);
    const y = layer.apply(x, { useCausalMask: true }) as tf.Tensor;
    await expectClose(
      y,
      tf.tidy(() => selfReference(x, layer.getWeights(), { causal: true })),
      TOLERANCE,
    );
  });

  it('sees no padding that a layer before has found', async () => {
    const ids = tf.tensor2d([3, 0, 2, 1, 0, 0, 0, 4, 5, 1], [BATCH, LENGTH], 'int32');
    const embedding = tf.layers.embedding({ inputDim: 6, outputDim: SIZE, maskZero: true });
    const layer = withoutBias({ causal: true });
    const input = tf.input({ shape: [LENGTH] });
    const model = tf.model({ inputs: input, outputs: layer.apply(embedding.apply(input)) as tf.SymbolicTensor });
    const [y, wanted] = tf.tidy(() => {
      const there = tf.cast(tf.notEqual(ids, 0), 'float32');
      const x = embedding.apply(ids) as tf.Tensor;
      const seen = tf.reshape(there, [BATCH, 1, 1, LENGTH]);
      const ofTokens = tf.expandDims(there, 2);
      const full = selfReference(x, layer.getWeights(), { causal: true, seen });
      return [tf.mul(model.predict(ids) as tf.Tensor, ofTokens), tf.mul(full, ofTokens)];
    }) as [tf.Tensor, tf.Tensor];
    await expectClose(y, wanted, TOLERANCE);
  });

  it('takes masks, and gives zeros where a query sees nothing', async () => {
    const layer = withoutBias();
    const x = random([BATCH, LENGTH, SIZE], 1);
    const attentionMask = tf.tidy(() => {
      const some = tf.greater(random([BATCH, LENGTH, LENGTH], 5), 0);
      const notFirst = tf.greater(tf.range(0, LENGTH), 0);
      return tf.logicalOr(tf.logicalAnd(some, tf.reshape(notFirst, [1, LENGTH, 1])), tf.eye(LENGTH).cast('bool'));
    });
    const mask = tf.tensor2d([0, 1, 1, 1, 1, 1, 1, 1, 1, 1], [BATCH, LENGTH], 'bool');
    const [y, dx] = tf.tidy(() => {
      const f = (x: tf.Tensor) => layer.apply(x, { attentionMask, mask }) as tf.Tensor;
      return [f(x), tf.grad((x) => tf.sum(f(x)))(x)];
    }) as [tf.Tensor, tf.Tensor];
    const wanted = tf.tidy(() => {
      const seen = tf.logicalAnd(tf.expandDims(attentionMask, 1), tf.reshape(mask, [BATCH, 1, 1, LENGTH]));
      const all = selfReference(x, layer.getWeights(), { seen: tf.cast(seen, 'float32') });
      // The first query of the first batch sees itself alone, which is masked.
      return tf.mul(all, tf.cast(tf.reshape(mask, [BATCH, LENGTH, 1]), 'float32'));
    });
    await expectClose(y, wanted, TOLERANCE);
    expect((await dx.data()).every(Number.isFinite)).to.equal(true);
  });

  it('drops weights in training alone', async () => {
    const layer = withoutBias({ dropout: 0.5 });
    const x = random([BATCH, LENGTH, SIZE], 1);
    const of = async (training: boolean) => Array.from(await (layer.apply(x, { training }) as tf.Tensor).data());
    await expectClose(
      layer.apply(x) as tf.Tensor,
      tf.tidy(() => selfReference(x, layer.getWeights())),
      TOLERANCE,
    );
    expect(await of(true)).not.to.deep.equal(await of(true));
    expect(await of(false)).to.deep.equal(await of(false));
  });

  it('begins each projection by its own sizes, and by its own seed', async () => {
    const layer = withoutBias({ keyDim: SIZE / 2, kernelInitializer: tf.initializers.glorotUniform({ seed: 3 }) });
    layer.build([null, LENGTH, SIZE]);
    const [query, key] = tf.split(layer.getWeights()[0]!, 3) as [tf.Tensor, tf.Tensor];
    const wanted = tf.initializers.glorotUniform({ seed: 3 }).apply([SIZE, SIZE]);
    await expectClose(query, tf.transpose(wanted), 0);
    expect(Array.from(await key.data())).not.to.deep.equal(Array.from(await query.data()));
  });

  it('keeps the angles of longer sequences until it is disposed', async () => {
    const before = tf.memory().numTensors;
    const layer = withoutBias({ rotary: 1000 });
    for (const length of [2, 3, LENGTH, 4]) {
      const x = random([1, length, SIZE], length);
      const y = layer.apply(x) as tf.Tensor;
      const wanted = tf.tidy(() => selfReference(x, layer.getWeights(), { rotary: 1000 }));
      await expectClose(y, wanted, TOLERANCE);
      tf.dispose([x, y, wanted]);
    }
    layer.dispose();
    expect(tf.memory().numTensors).to.equal(before);
  });

  it('says what fits nothing', () => {
    expectError(() => multiHeadAttention({ numHeads: 2 } as never), /option 'keyDim' must be an integer in \[1, 256\]/);
    expectError(
      () => withoutBias({ numHeads: 3, numKeyValueHeads: 2 }),
      /numHeads must be a multiple of numKeyValueHeads = 2, but is 3/,
    );
    expectError(
      () => withoutBias({ keyDim: 3, rotary: 10 }),
      /with rotary heads must have an even size, but they have 3/,
    );
    expectError(() => withoutBias({ rotary: true }), /option 'rotary' must be a finite number above 0, or false/);
    const x = tf.input({ shape: [LENGTH, SIZE] });
    const layer = withoutBias();
    layer.apply(x);
    expect(() => layer.apply([x, x])).to.throw(/expects 1 inputs, but it received 2/);
  });
});
