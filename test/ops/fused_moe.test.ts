import { expect } from 'chai';
import fc from 'fast-check';
import { deviceBackendOf } from '../../src/backend/tfjs_webgpu_backend.js';
import { fusedMoe, swigluMlp } from '../../src/index.js';
import { FusedMoe, FusedMoeGrad } from '../../src/kernels/contracts/fused_moe.js';
import { describeAgainstComposed, itDifferentiatesByName, random, smallOddSize } from '../support/against_composed.js';
import { backendName, tf } from '../support/backend.js';
import {
  describeGolden,
  expectClose,
  expectError,
  expectNoLeak,
  GRADIENT_TOLERANCE,
  OUTPUT_TOLERANCE,
} from '../support/golden.js';

describeGolden('fusedMoe', ({ x, gateUpProj, downProj, topKIndex, topKWeights }) => ({
  y: fusedMoe(x!, gateUpProj!, downProj!, topKIndex!, topKWeights!),
}));

describe('fusedMoe', () => {
  /** How tokens choose among experts: the i-th choice of all. */
  const choices = {
    'by turns': (i: number, experts: number) => (7 * i + (i >> 2)) % experts,
    'all the same': () => 0,
    'the last ones': (i: number, experts: number) => Math.max(0, experts - 1 - (i % 2)),
  };
  type Choice = keyof typeof choices;
  const indexOf = (choice: Choice, tokens: number, k: number, experts: number) =>
    tf.tensor(
      Int32Array.from({ length: tokens * k }, (_, i) => choices[choice](i, experts)),
      [tokens, k],
      'int32',
    );
  const inputsOf = (
    tokens: number,
    hidden: number,
    intermediate: number,
    experts: number,
    k: number,
    choice: Choice,
  ) => ({
    x: random([tokens, hidden]),
    gateUpProj: random([experts, 2 * intermediate, hidden], 2),
    downProj: random([experts, hidden, intermediate], 3),
    topKIndex: indexOf(choice, tokens, k, experts),
    topKWeights: random([tokens, k], 4),
  });

  const sizes = [
    fc.constantFrom(1, 2, 3, 7, 33, 130),
    smallOddSize,
    smallOddSize,
    fc.constantFrom(1, 2, 5),
    fc.constantFrom(1, 2, 3, 5),
    fc.constantFrom(...(Object.keys(choices) as Choice[])),
  ] as const;
  describeAgainstComposed(
    FusedMoe,
    [...sizes],
    (...values) => ({ inputs: inputsOf(...values), attrs: { keepGateUp: values[0] % 2 === 1 } }),
    { numRuns: 6 },
  );
  describeAgainstComposed(
    FusedMoeGrad,
    [...sizes, fc.integer({ min: 1, max: 15 })],
    (tokens, hidden, intermediate, experts, k, choice, wanted) => ({
      inputs: {
        ...inputsOf(tokens, hidden, intermediate, experts, k, choice),
        dy: random([tokens, hidden], 5),
        gate: random([tokens, k, intermediate], 6),
        up: random([tokens, k, intermediate], 7),
      },
      attrs: {
        wantsX: (wanted & 1) !== 0,
        wantsGateUpProj: (wanted & 2) !== 0,
        wantsDownProj: (wanted & 4) !== 0,
        wantsTopKWeights: (wanted & 8) !== 0,
      },
    }),
    { numRuns: 6 },
  );

  it('is one feed-forward block where experts are alike, of more experts than threads and choices than a block', async () => {
    await expectNoLeak(async () => {
      const [tokens, experts, k] = [700, 300, 2];
      const { x, gateUpProj, downProj, topKIndex, topKWeights } = inputsOf(tokens, 4, 3, 1, 1, 'all the same');
      const [y, expected] = tf.tidy(() => {
        const index = indexOf('by turns', tokens, k, experts);
        const weights = tf.concat([topKWeights, tf.mul(topKWeights, 2)], 1);
        const each = (weight: tf.Tensor) => tf.tile(weight, [experts, 1, 1]);
        const [gate, up] = tf.split(tf.squeeze(gateUpProj, [0]), 2, 0) as [tf.Tensor, tf.Tensor];
        const block = swigluMlp(x, gate, up, tf.squeeze(downProj, [0]));
        return [
          fusedMoe(x, each(gateUpProj), each(downProj), index, weights),
          tf.mul(block, tf.sum(weights, 1, true)),
        ] as const;
      });
      await expectClose(y, expected, OUTPUT_TOLERANCE);
      tf.dispose([x, gateUpProj, downProj, topKIndex, topKWeights, y, expected]);
    });
  });

  it('gives a row of NaN for an index out of range, which adds nothing to the gradients', async () => {
    await expectNoLeak(async () => {
      const inputs = inputsOf(3, 4, 5, 2, 2, 'by turns');
      const index = tf.tensor2d([0, 1, 1, 2, -1, 0], [3, 2], 'int32');
      const weights = [inputs.x, inputs.gateUpProj, inputs.downProj, inputs.topKWeights];
      const run = (choice: tf.Tensor, scales: tf.Tensor) =>
        tf.tidy(() => {
          // By the kernel's name: the op checks an index that need not be read from a device.
          const f = (...[x, gateUpProj, downProj, factors]: tf.Tensor[]) => {
            const topKWeights = tf.mul(factors!, scales);
            const tensors = { x: x!, gateUpProj: gateUpProj!, downProj: downProj!, topKIndex: choice, topKWeights };
            return (tf.engine().runKernel(FusedMoe.name, tensors, {}) as tf.Tensor[])[0]!;
          };
          return [f(...weights), ...tf.grads(f)(weights, random([3, 4], 9))];
        });
      const [ones, inRange, valid] = [
        tf.ones([3, 2]),
        tf.tensor2d([0, 1, 1, 0, 0, 0], [3, 2], 'int32'),
        tf.tensor2d([1, 1, 1, 0, 0, 1], [3, 2]),
      ];
      const [y, ...actual] = run(index, ones);
      const [expectedY, ...expected] = run(inRange, valid);
      const rows = [...(await y!.data())];
      expect(rows.map(Number.isNaN)).to.deep.equal([...Array(4).fill(false), ...Array(8).fill(true)]);
      await expectClose(rows.slice(0, 4), [...(await expectedY!.data())].slice(0, 4), OUTPUT_TOLERANCE);
      for (const [i, gradient] of actual.entries()) await expectClose(gradient, expected[i]!, GRADIENT_TOLERANCE);
      tf.dispose([inputs, index, ones, inRange, valid, y, actual, expectedY, expected] as tf.TensorContainer);
    });
  });

  it('takes no tokens', async () => {
    await expectNoLeak(async () => {
      const [gateUpProj, downProj] = [random([2, 6, 4]), random([2, 4, 3])];
      const [x, index, weights] = [tf.zeros([0, 4]), tf.zeros([0, 2], 'int32'), tf.zeros([0, 2])];
      const { value, grads } = tf
        .engine()
        .gradients(() => fusedMoe(x, gateUpProj, downProj, index, weights), [x, gateUpProj, downProj, weights], x);
      expect(value.shape).to.deep.equal([0, 4]);
      await expectClose(grads[1]!, new Float32Array(48), 0);
      await expectClose(grads[2]!, new Float32Array(24), 0);
      tf.dispose([gateUpProj, downProj, x, index, weights, value, grads]);
    });
  });

  if (backendName.startsWith('webgpu')) {
    it('needs no more memory for more experts than their weights take', async () => {
      const meter = deviceBackendOf(tf.backend()).meterMemory();
      const peakOf = async (experts: number) => {
        const inputs = inputsOf(256, 32, 32, experts, 2, 'by turns');
        const { topKIndex, ...differentiable } = inputs;
        const { x, gateUpProj, downProj, topKWeights } = differentiable;
        await tf.tidy(() => tf.sum(gateUpProj)).data();
        meter.resetPeak();
        const before = meter.peak;
        const { value, grads } = tf
          .engine()
          .gradients(() => fusedMoe(x, gateUpProj, downProj, topKIndex, topKWeights), Object.values(differentiable), x);
        await value.data();
        tf.dispose([inputs, value, grads] as tf.TensorContainer);
        return { peak: meter.peak - before, ofWeights: 4 * (gateUpProj.size + downProj.size) };
      };
      await peakOf(2);
      const [few, many] = [await peakOf(2), await peakOf(16)];
      // Where buffers come back late, gradients take more than the weights do; one tensor for all experts would take 2.7 times as much.
      expect(many.peak - few.peak).to.be.below(2 * (many.ofWeights - few.ofWeights));
    });

    it('names how many experts a device can sort by', async () => {
      const experts = 5000;
      const [gateUpProj, downProj] = [tf.zeros([experts, 2, 1]), tf.zeros([experts, 1, 1])];
      await expectNoLeak(async () => {
        expectError(
          () => fusedMoe([[1]], gateUpProj, downProj, [[0]], [[1]]),
          /^fusedMoe: this WebGPU device sorts by at most \d+ experts, but got 5000$/,
        );
      });
      tf.dispose([gateUpProj, downProj]);
    });
  }

  it('names what does not fit', () => {
    const { x, gateUpProj, downProj, topKIndex, topKWeights } = inputsOf(2, 4, 3, 2, 1, 'by turns');
    const odd = tf.zeros([2, 5, 4]);
    expectError(
      () => fusedMoe(x, odd, downProj, topKIndex, topKWeights),
      /^fusedMoe: gateUpProj must be of shape \[E,2I,H\] = \[2,6,4\] \(as downProj says\), but got a float32 tensor of shape \[2,5,4\]$/,
    );
    expectError(
      () => fusedMoe(x, gateUpProj, downProj, [[0], [2]], topKWeights),
      /^fusedMoe: topKIndex must be in \[0, 2\), but got 2 at position 1$/,
    );
    expectError(
      () => fusedMoe(x, gateUpProj, downProj, [[0, 1]], topKWeights),
      /^fusedMoe: topKIndex must have shape \[\.\.\.,K\]/,
    );
    tf.dispose([x, gateUpProj, downProj, topKIndex, topKWeights, odd]);
  });

  itDifferentiatesByName(
    FusedMoe,
    () => {
      const { topKIndex, ...inputs } = inputsOf(5, 6, 3, 4, 2, 'by turns');
      return { inputs, constants: { topKIndex }, attrs: {} };
    },
    ({ x, gateUpProj, downProj, topKIndex, topKWeights }) =>
      fusedMoe(x!, gateUpProj!, downProj!, topKIndex!, topKWeights!),
  );
});
