import { flashAttention, fusedNeighborhoodAttention } from '../../src/index.js';
import { random } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { describeGolden, expectClose, expectNoLeak, GRADIENT_TOLERANCE, OUTPUT_TOLERANCE } from '../support/golden.js';

describeGolden('fusedNeighborhoodAttention', ({ query, key, value }, options) => ({
  y: fusedNeighborhoodAttention(query!, key!, value!, options),
}));

describe('fusedNeighborhoodAttention', () => {
  for (const length of [1, 5, 33, 67]) {
    it(`is attention with all other keys masked, for ${length} tokens`, async () => {
      await expectNoLeak(async () => {
        const inputs = [1, 2, 3].map((seed) => random([1, 2, length, 8], seed));
        const [kernelSize, dilation] = [5, 3];
        const isSeen = (i: number, j: number) => (i - j) % dilation === 0 && Math.abs(i - j) <= 2 * dilation;
        const mask = Array.from({ length: length * length }, (_, at) =>
          isSeen(Math.floor(at / length), at % length) ? 0 : -Infinity,
        );
        const bias = tf.tensor4d(mask, [1, 1, length, length]);
        const run = (f: (...tensors: tf.Tensor[]) => tf.Tensor) =>
          tf.tidy(() => [f(...inputs), ...tf.grads((...tensors) => tf.sum(tf.square(f(...tensors))))(inputs)]);
        const actual = run((q, k, v) => fusedNeighborhoodAttention(q!, k!, v!, { kernelSize, dilation }));
        const expected = run((q, k, v) => flashAttention(q!, k!, v!, { bias }));
        for (const [i, tensor] of actual.entries()) {
          await expectClose(tensor, expected[i]!, i === 0 ? OUTPUT_TOLERANCE : GRADIENT_TOLERANCE);
        }
        tf.dispose([inputs, bias, actual, expected]);
      });
    });
  }
});
