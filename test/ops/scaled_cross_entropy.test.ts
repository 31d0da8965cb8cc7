import { expect } from 'chai';
import fc from 'fast-check';
import { runKernel } from '../../src/engine/run_kernel.js';
import { fusedLinearScaledCrossEntropy, scaledCrossEntropy } from '../../src/index.js';
import { ScaledCrossEntropy, ScaledCrossEntropyGrad } from '../../src/kernels/contracts/scaled_cross_entropy.js';
import {
  describeAgainstComposed,
  itDifferentiatesByName,
  oddSize,
  random,
  smallOddSize,
} from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { expectClose, expectError, expectNoLeak, GRADIENT_TOLERANCE, OUTPUT_TOLERANCE } from '../support/golden.js';

/** Labels in [0, vocabulary), every fifth one ignored. */
const labelsOf = (rows: number, vocabulary: number) =>
  tf.tensor1d(
    Array.from({ length: rows }, (_, i) => (i % 5 === 4 ? -100 : (i * 7 + 3) % vocabulary)),
    'int32',
  );

/** Both outputs, and the gradient in x of a weighted sum of them. */
function bothWithGradient(
  f: (x: tf.Tensor) => { nll: tf.Tensor; entropy: tf.Tensor },
  x: tf.Tensor,
): Record<'nll' | 'entropy' | 'gradient', tf.Tensor> {
  return tf.tidy(() => {
    const { nll, entropy } = f(x);
    const weighted = (x: tf.Tensor) => {
      const { nll, entropy } = f(x);
      const [dnll, dentropy] = [random(nll.shape, 8), random(nll.shape, 9)];
      return tf.add(tf.mul(nll, dnll), tf.mul(entropy, dentropy));
    };
    return { nll, entropy, gradient: tf.grad(weighted)(x) };
  });
}

describe('scaledCrossEntropy', () => {
  const inputsOf = (rows: number, vocabulary: number) => ({
    logits: tf.randomUniform([rows, vocabulary], -4, 4, 'float32', 1),
    labels: labelsOf(rows, vocabulary),
  });
  const attrs = { temperature: 0.7, ignoreIndex: -100 };

  // Of one class the gradient is 0, and what a kernel gives is rounding alone.
  const classes = fc.oneof(
    oddSize.filter((size) => size > 1),
    fc.constantFrom(4099, 16384),
  );
  const sizes = [smallOddSize, classes, fc.boolean()] as const;

  describeAgainstComposed(ScaledCrossEntropy, [...sizes], (rows, vocabulary, returnEntropy) => ({
    inputs: inputsOf(rows, vocabulary),
    attrs: { ...attrs, returnEntropy },
  }));

  describeAgainstComposed(ScaledCrossEntropyGrad, [...sizes], (rows, vocabulary, withEntropy) => {
    const inputs = inputsOf(rows, vocabulary);
    const z = tf.div(inputs.logits, attrs.temperature);
    const logP = tf.logSoftmax(z as tf.Tensor2D);
    return {
      inputs: {
        ...inputs,
        lse: tf.logSumExp(z, 1),
        dnll: random([rows], 5),
        ...(withEntropy && { entropy: tf.neg(tf.sum(tf.mul(tf.exp(logP), logP), 1)), dentropy: random([rows], 6) }),
      },
      attrs,
    };
  });

  it('is fusedLinearScaledCrossEntropy of a layer that gives the logits, and repeats bit for bit', async () => {
    await expectNoLeak(async () => {
      const [rows, vocabulary] = [11, 37];
      const { logits, labels } = inputsOf(rows, vocabulary);
      const config = { temperature: 0.5, returnEntropy: true } as const;
      // With the identity as its weight the layer's input is the logits.
      const identity = tf.eye(vocabulary);
      const expected = bothWithGradient((x) => fusedLinearScaledCrossEntropy(x, identity, labels, config), logits);
      const actual = bothWithGradient((x) => scaledCrossEntropy(x, labels, config), logits);
      const again = bothWithGradient((x) => scaledCrossEntropy(x, labels, config), logits);
      for (const name of ['nll', 'entropy', 'gradient'] as const) {
        const tolerance = name === 'gradient' ? GRADIENT_TOLERANCE : OUTPUT_TOLERANCE;
        await expectClose(actual[name], expected[name], tolerance, name);
        await expectClose(again[name], actual[name], 0, name);
      }
      tf.dispose([logits, labels, identity, expected, actual, again] as tf.TensorContainer);
    });
  });

  it('keeps the digits of the gradient of a token that is all but certain', async () => {
    await expectNoLeak(async () => {
      // Vocabularies in floats, in vec4s, and of more threads than one.
      for (const vocabulary of [4, 5, 70]) {
        const label = vocabulary - 2;
        const values = Array.from({ length: vocabulary }, (_, i) => (i === label ? 12 : Math.fround(Math.sin(i))));
        const [logits, labels] = [tf.tensor1d(values), tf.scalar(label, 'int32')];
        const exponentials = values.map((value) => Math.exp(value - 12));
        const others = exponentials.reduce((sum, e, i) => (i === label ? sum : sum + e), 0);
        const expected = exponentials.map((e, i) => (i === label ? -others : e) / (1 + others));
        const actual = tf.tidy(() => tf.grad((x: tf.Tensor) => scaledCrossEntropy(x, labels).nll)(logits));
        await expectClose(actual, expected, GRADIENT_TOLERANCE, `gradient of ${vocabulary} classes`);
        tf.dispose([logits, labels, actual]);
      }
    });
  });

  it('knows logits of −∞, large ones, tokens that are all ignored, and no tokens', async () => {
    await expectNoLeak(async () => {
      const run = (logits: tf.Tensor, labels: tf.Tensor) =>
        bothWithGradient((x) => scaledCrossEntropy(x, labels, { returnEntropy: true }), logits);
      const { logits, labels } = inputsOf(6, 8);
      const actual = run(logits, labels);
      // Classes that can't be: as if they were not there.
      const masked = tf.tidy(() => tf.concat([logits, tf.fill([6, 3], -Infinity)], 1));
      const ofMasked = run(masked, labels);
      const withZeros = tf.tidy(() => tf.concat([actual.gradient, tf.zeros([6, 3])], 1));
      await expectClose(ofMasked.nll, actual.nll, OUTPUT_TOLERANCE, 'nll');
      await expectClose(ofMasked.entropy, actual.entropy, OUTPUT_TOLERANCE, 'entropy');
      await expectClose(ofMasked.gradient, withZeros, GRADIENT_TOLERANCE, 'gradient');
      const large = tf.tidy(() => scaledCrossEntropy([[1e4, -1e4, 0]], [1], { returnEntropy: true }));
      await expectClose(large.nll, [2e4], 0);
      await expectClose(large.entropy, [0], 0);
      const none = tf.fill([6], -100, 'int32');
      const ignored = run(logits, none);
      await expectClose(ignored.nll, new Float32Array(6), 0);
      await expectClose(ignored.entropy, new Float32Array(6), 0);
      await expectClose(ignored.gradient, new Float32Array(48), 0);
      const [noLogits, noLabels] = [tf.zeros([0, 8]), tf.zeros([0], 'int32')];
      const empty = run(noLogits, noLabels);
      expect(empty.nll.shape).to.deep.equal([0]);
      expect(empty.gradient.shape).to.deep.equal([0, 8]);
      tf.dispose([logits, labels, actual, masked, ofMasked, withZeros, large, none, ignored] as tf.TensorContainer);
      tf.dispose([noLogits, noLabels, empty] as tf.TensorContainer);
    });
  });

  it('gives NaN for the tokens alone whose label is out of range, where no one checks it', async () => {
    await expectNoLeak(async () => {
      const logits = random([2, 9]);
      const labels = tf.tensor1d([2, 9], 'int32');
      const actual = bothWithGradient((logits) => {
        const { nll, entropy } = runKernel(ScaledCrossEntropy, { logits, labels }, { ...attrs, returnEntropy: true });
        return { nll, entropy: entropy! };
      }, logits);
      for (const tensor of Object.values(actual)) {
        const found = Array.from(await tensor.data(), Number.isNaN);
        expect(found).to.deep.equal(found.map((_, i) => i >= found.length / 2));
      }
      tf.dispose([logits, labels, actual] as tf.TensorContainer);
    });
  });

  it('names what does not fit', () => {
    const { logits, labels } = inputsOf(3, 9);
    expectError(
      () => scaledCrossEntropy(logits, labels, { temperature: 0 }),
      /^scaledCrossEntropy: option 'temperature' must be a finite number above 0, but got 0$/,
    );
    expectError(
      () => scaledCrossEntropy(logits, [1, 9, 2]),
      /^scaledCrossEntropy: labels must be in \[0, 9\) or -100 \(ignoreIndex\), but got 9 at position 1$/,
    );
    tf.dispose([logits, labels]);
  });

  itDifferentiatesByName(
    ScaledCrossEntropy,
    () => {
      const { logits, labels } = inputsOf(5, 7);
      return { inputs: { logits }, constants: { labels }, attrs: { ...attrs, returnEntropy: false } };
    },
    ({ logits, labels }) => scaledCrossEntropy(logits!, labels!, { temperature: 0.7 }).nll,
  );
});
