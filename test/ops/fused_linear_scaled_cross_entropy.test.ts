import { expect } from 'chai';
import fc from 'fast-check';
import { crossEntropy, fusedLinearScaledCrossEntropy, linear } from '../../src/index.js';
import {
  FusedLinearScaledCrossEntropy,
  FusedLinearScaledCrossEntropyGrad,
} from '../../src/kernels/contracts/fused_linear_scaled_cross_entropy.js';
import { describeAgainstComposed, itDifferentiatesByName, random, smallOddSize } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import {
  describeGolden,
  expectClose,
  expectError,
  expectNoLeak,
  GRADIENT_TOLERANCE,
  OUTPUT_TOLERANCE,
} from '../support/golden.js';
import { logpsInFloat64 } from '../support/heads.js';

describeGolden(
  'fusedLinearScaledCrossEntropy',
  ({ x, weight, labels, bias }, options) =>
    fusedLinearScaledCrossEntropy(x!, weight!, labels!, { ...options, bias }) as Record<string, tf.Tensor>,
);

/** Labels in [0, vocabulary), every fifth one ignored. */
const labelsOf = (rows: number, vocabulary: number) =>
  tf.tensor1d(
    Array.from({ length: rows }, (_, i) => (i % 5 === 4 ? -100 : (i * 7 + 3) % vocabulary)),
    'int32',
  );

describe('fusedLinearScaledCrossEntropy', () => {
  const inputsOf = (rows: number, hidden: number, vocabulary: number) => ({
    x: random([rows, hidden]),
    weight: random([vocabulary, hidden], 2),
    labels: labelsOf(rows, vocabulary),
    bias: random([vocabulary], 3),
  });
  const sizes = [
    smallOddSize,
    smallOddSize,
    fc.constantFrom(2, 5, 64, 131),
    fc.constantFrom(0, 1, 3),
    fc.boolean(),
  ] as const;
  const attrs = { transposeWeight: false, temperature: 0.7, ignoreIndex: -100 };

  describeAgainstComposed(
    FusedLinearScaledCrossEntropy,
    [...sizes],
    (rows, hidden, vocabulary, chunkSize, returnEntropy) => ({
      inputs: inputsOf(rows, hidden, vocabulary),
      attrs: { ...attrs, chunkSize, returnEntropy },
    }),
    { numRuns: 8 },
  );

  describeAgainstComposed(
    FusedLinearScaledCrossEntropyGrad,
    [...sizes],
    (rows, hidden, vocabulary, chunkSize, withEntropy) => {
      const inputs = inputsOf(rows, hidden, vocabulary);
      const logits = tf.div(tf.add(tf.matMul(inputs.x, inputs.weight, false, true), inputs.bias), attrs.temperature);
      const p = tf.softmax(logits as tf.Tensor2D);
      const entropy = tf.neg(tf.sum(tf.mul(p, tf.log(p)), 1));
      return {
        inputs: {
          ...inputs,
          lse: tf.logSumExp(logits, 1),
          dnll: random([rows], 5),
          ...(withEntropy && { entropy, dentropy: random([rows], 6) }),
        },
        attrs: { ...attrs, chunkSize, gradients: { x: true, weight: rows % 2 === 1, bias: true } },
      };
    },
    { numRuns: 8 },
  );

  it('is the cross entropy of scaled logits, for any chunk size, and repeats bit for bit', async () => {
    await expectNoLeak(async () => {
      const { x, weight, labels, bias } = inputsOf(37, 8, 50);
      const dy = random([37], 9);
      const both = (f: (...tensors: tf.Tensor[]) => tf.Tensor) =>
        tf.tidy(() => [f(x, weight, bias), ...tf.grads(f)([x, weight, bias], dy)]);
      const inChunks = (chunkSize?: number) =>
        both(
          (x, weight, bias) =>
            fusedLinearScaledCrossEntropy(x!, weight!, labels, { bias, chunkSize, temperature: 0.5 }).nll,
        );
      const expected = both((x, weight, bias) =>
        crossEntropy(tf.div(linear(x!, weight!, { bias }), 0.5), labels, { reduction: 'none' }),
      );
      const [whole, again, small] = [inChunks(), inChunks(), inChunks(5)];
      for (const [i, tensor] of expected.entries()) {
        const tolerance = i === 0 ? OUTPUT_TOLERANCE : GRADIENT_TOLERANCE;
        await expectClose(whole[i]!, tensor, tolerance, `number ${i}`);
        await expectClose(small[i]!, whole[i]!, 1e-6, `number ${i}`);
        await expectClose(again[i]!, whole[i]!, 0, `number ${i}`);
      }
      tf.dispose([x, weight, labels, bias, dy, expected, whole, again, small]);
    });
  });

  it('keeps the digits of the gradient of a token that is all but certain', async () => {
    await expectNoLeak(async () => {
      // Vocabularies in vec4s, in vec4s with a rest, and of more threads than one.
      for (const vocabulary of [4, 5, 70]) {
        const label = vocabulary - 2;
        // The label's logit is 12 and 6 above the others, which are around 0.
        const [x, labels] = [
          tf.tensor2d([
            [12, 0.3, -0.4],
            [6, -0.2, 0.1],
          ]),
          tf.tensor1d([label, label], 'int32'),
        ];
        const weight = tf.tidy(() =>
          tf.concat(
            [
              tf
                .oneHot(tf.range(0, vocabulary, 1, 'int32'), vocabulary)
                .slice([0, label], [-1, 1])
                .toFloat(),
              random([vocabulary, 2], 2),
            ],
            1,
          ),
        );
        const tokens = await logpsInFloat64({ x, weight }, labels);
        const dx = tf.tidy(() => tf.grad((x: tf.Tensor) => fusedLinearScaledCrossEntropy(x, weight, labels).nll)(x));
        const rows = (await dx.array()) as number[][];
        for (const [i, row] of rows.entries()) {
          const expected = tokens[i]!.slope.map((value) => -value);
          await expectClose(row, expected, GRADIENT_TOLERANCE, `gradient of token ${i} of ${vocabulary} classes`);
        }
        tf.dispose([x, labels, weight, dx]);
      }
    });
  });

  it('gives a frozen head no gradient, and knows logits of −∞, tokens that are all ignored, and no tokens', async () => {
    await expectNoLeak(async () => {
      const { x, weight, labels, bias } = inputsOf(6, 4, 9);
      const run = (labelsOfCase: tf.Tensor, biasOfCase: tf.Tensor) =>
        tf.tidy(() => {
          const f = (x: tf.Tensor) => {
            const { nll, entropy } = fusedLinearScaledCrossEntropy(x, weight, labelsOfCase, {
              bias: biasOfCase,
              returnEntropy: true,
            });
            return tf.add(nll, entropy);
          };
          return [f(x), tf.grad(f)(x)];
        });
      // A class that can't be: as if it were not there.
      const masked = tf.tidy(() => tf.where(tf.equal(tf.range(0, 9), 8), tf.scalar(-Infinity), bias));
      const fewer = tf.tidy(() => {
        const [some, someBias] = [tf.slice(weight, [0, 0], [8, 4]), tf.slice(bias, [0], [8])];
        const f = (x: tf.Tensor) => {
          const { nll, entropy } = fusedLinearScaledCrossEntropy(x, some, tf.minimum(labels, tf.scalar(7, 'int32')), {
            bias: someBias,
            returnEntropy: true,
          });
          return tf.add(nll, entropy);
        };
        return [f(x), tf.grad(f)(x)];
      });
      const within = tf.tidy(() => tf.minimum(labels, tf.scalar(7, 'int32')));
      const actual = run(within, masked);
      for (const i of [0, 1]) await expectClose(actual[i]!, fewer[i]!, GRADIENT_TOLERANCE, `number ${i}`);
      const none = tf.fill([6], -100, 'int32');
      const ignored = run(none, bias);
      for (const [i, size] of [6, 24].entries()) await expectClose(ignored[i]!, new Float32Array(size), 0);
      const empty = tf.tidy(() => fusedLinearScaledCrossEntropy(tf.zeros([0, 4]), weight, tf.zeros([0], 'int32')).nll);
      expect(empty.shape).to.deep.equal([0]);
      tf.dispose([x, weight, labels, bias, masked, fewer, within, actual, none, ignored, empty] as tf.TensorContainer);
    });
  });

  it('names what does not fit', () => {
    const { x, weight, labels, bias } = inputsOf(3, 4, 9);
    expectError(
      () => fusedLinearScaledCrossEntropy(x, weight, labels, { temperature: 0 }),
      /^fusedLinearScaledCrossEntropy: option 'temperature' must be a finite number above 0, but got 0$/,
    );
    expectError(
      () => fusedLinearScaledCrossEntropy(x, weight, [1, 9, 2]),
      /^fusedLinearScaledCrossEntropy: labels must be in \[0, 9\) or -100 \(ignoreIndex\), but got 9 at position 1$/,
    );
    tf.dispose([x, weight, labels, bias]);
  });

  itDifferentiatesByName(
    FusedLinearScaledCrossEntropy,
    () => {
      const { labels, ...inputs } = inputsOf(5, 6, 7);
      return { inputs, constants: { labels }, attrs: { ...attrs, chunkSize: 2, returnEntropy: false } };
    },
    ({ x, weight, labels, bias }) =>
      fusedLinearScaledCrossEntropy(x!, weight!, labels!, { bias, temperature: 0.7, chunkSize: 2 }).nll,
  );
});
