import { expect } from 'chai';
import { geglu, layerNorm, rmsNorm, swiglu } from '../../src/index.js';
import { type TransformerBlockLayerArgs, transformerBlock } from '../../src/layers/index.js';
import { tf } from '../support/backend.js';
import { expectClose, expectError } from '../support/golden.js';
import { describeLayer } from './describe_layer.js';
import { referenceLinear, referenceSelfAttention } from './reference_attention.js';

const [BATCH, LENGTH, SIZE, INNER] = [2, 4, 8, 6];
/** Of sums in another order. */
const TOLERANCE = 5e-6;

const llama = (args?: object) =>
  transformerBlock({ numHeads: 4, numKeyValueHeads: 2, intermediateSize: INNER, ...args });
const GPT2 = {
  ...{ numHeads: 2, intermediateSize: INNER, activation: 'geluTanh', normalization: 'layerNorm', epsilon: 1e-5 },
  ...{ useBias: true, rotary: false, biasInitializer: 'ones' },
} satisfies TransformerBlockLayerArgs;

function llamaReference(x: tf.Tensor, weights: tf.Tensor[], unit = swiglu, seen?: tf.Tensor): tf.Tensor {
  const [gamma, packed, output, mlpGamma, gate, up, down] = weights as [tf.Tensor, ...tf.Tensor[]];
  const options = { heads: 4, keyHeads: 2, causal: true, rotary: 10000, seen };
  const h = tf.add(x, referenceSelfAttention(rmsNorm(x, gamma), [packed, undefined, output], options));
  const y = rmsNorm(h, mlpGamma);
  return tf.add(h, referenceLinear(unit(referenceLinear(y, gate!), referenceLinear(y, up!)), down!));
}

const LLAMA_WEIGHTS = {
  attention_norm_gamma: [SIZE],
  query_key_value_kernel: [16, SIZE],
  output_kernel: [SIZE, SIZE],
  mlp_norm_gamma: [SIZE],
  gate_kernel: [INNER, SIZE],
  up_kernel: [INNER, SIZE],
  down_kernel: [SIZE, INNER],
};

describeLayer({
  name: 'transformerBlock',
  make: llama,
  inputShape: [LENGTH, SIZE],
  weights: LLAMA_WEIGHTS,
  reference: (x, weights) => llamaReference(x, weights),
  tolerance: TOLERANCE,
});

describeLayer({
  name: 'transformerBlock',
  make: (args) => transformerBlock({ ...GPT2, ...args }),
  inputShape: [LENGTH, SIZE],
  weights: {
    attention_norm_gamma: [SIZE],
    attention_norm_beta: [SIZE],
    query_key_value_kernel: [3 * SIZE, SIZE],
    query_key_value_bias: [3 * SIZE],
    output_kernel: [SIZE, SIZE],
    output_bias: [SIZE],
    mlp_norm_gamma: [SIZE],
    mlp_norm_beta: [SIZE],
    up_kernel: [INNER, SIZE],
    up_bias: [INNER],
    down_kernel: [SIZE, INNER],
    down_bias: [SIZE],
  },
  reference: (x, weights) => {
    const [gamma, beta, packed, packedBias, output, outputBias, mlpGamma, mlpBeta, up, upBias, down, downBias] =
      weights as [tf.Tensor, tf.Tensor, ...tf.Tensor[]];
    const norm = { epsilon: 1e-5 };
    const attended = referenceSelfAttention(layerNorm(x, gamma, beta, norm), [packed, packedBias, output, outputBias], {
      heads: 2,
      causal: true,
    });
    const h = tf.add(x, attended);
    const inner = referenceLinear(layerNorm(h, mlpGamma!, mlpBeta!, norm), up!, upBias);
    return tf.add(h, referenceLinear(geglu(inner, tf.onesLike(inner)), down!, downBias));
  },
  tolerance: TOLERANCE,
});

describe('layers.transformerBlock', () => {
  const x = () => tf.randomNormal([BATCH, LENGTH, SIZE], 0, 1, 'float32', 1);

  it('has other activations, with a bias and without', async () => {
    const layer = llama({ activation: 'geglu' });
    const y = layer.apply(x()) as tf.Tensor;
    await expectClose(y, llamaReference(x(), layer.getWeights(), geglu), TOLERANCE);

    const unbiased = llama();
    const biased = llama({ useBias: true });
    for (const block of [unbiased, biased]) block.build([null, LENGTH, SIZE]);
    // Biases of 0 change nothing, though other ops compute it.
    let next = 0;
    const kernels = unbiased.getWeights();
    biased.setWeights(biased.getWeights().map((weight, i) => (isBias(biased.weights[i]!) ? weight : kernels[next++]!)));
    await expectClose(biased.apply(x()) as tf.Tensor, unbiased.apply(x()) as tf.Tensor, TOLERANCE);
  });

  it('sees no padding', async () => {
    const layer = llama();
    const mask = tf.tensor2d([1, 0, 1, 1, 1, 1, 1, 0], [BATCH, LENGTH], 'bool');
    const y = layer.apply(x(), { mask }) as tf.Tensor;
    const there = tf.cast(tf.expandDims(mask, 2), 'float32');
    const seen = tf.cast(tf.reshape(mask, [BATCH, 1, 1, LENGTH]), 'float32');
    await expectClose(
      tf.mul(y, there),
      tf.mul(llamaReference(x(), layer.getWeights(), swiglu, seen), there),
      TOLERANCE,
    );
  });

  it('trains every weight, and none where it is frozen', async () => {
    for (const trainable of [true, false]) {
      const layer = llama({ trainable, inputShape: [LENGTH, SIZE] });
      const model = tf.sequential({ layers: [layer, tf.layers.dense({ units: 1 })] });
      model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
      const before = layer.getWeights().map((weight) => tf.clone(weight));
      await model.fit(x(), tf.ones([BATCH, LENGTH, 1]), { epochs: 1, verbose: 0 });
      expect(layer.weights.length).to.equal(before.length);
      expect(layer.trainableWeights.length).to.equal(trainable ? before.length : 0);
      for (const [i, weight] of layer.getWeights().entries()) {
        const change = await tf.sum(tf.abs(tf.sub(weight, before[i]!))).data();
        expect(change[0]! > 0, layer.weights[i]!.name).to.equal(trainable);
      }
    }
  });

  it('drops in training alone', async () => {
    const layer = llama({ dropout: 0.5 });
    const of = async (training: boolean) => Array.from(await (layer.apply(x(), { training }) as tf.Tensor).data());
    await expectClose(layer.apply(x()) as tf.Tensor, llamaReference(x(), layer.getWeights()), TOLERANCE);
    expect(await of(true)).not.to.deep.equal(await of(true));
    expect(await of(false)).to.deep.equal(await of(false));
  });

  it('needs heads of whole floats', () => {
    expectError(
      () => llama({ numHeads: 3, numKeyValueHeads: 3 }).build([null, null, SIZE]),
      /without keyDim the input's 8 floats must be a multiple of 3 heads/,
    );
  });
});

const isBias = ({ originalName }: { originalName: string }) => originalName.endsWith('_bias');
