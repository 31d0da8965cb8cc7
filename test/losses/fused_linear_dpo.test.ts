import { expect } from 'chai';
import { type DpoLossType, type FusedLinearDpoConfig, fusedLinearDpo } from '../../src/index.js';
import { random } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import {
  describeGolden,
  expectClose,
  expectError,
  expectNoLeak,
  GRADIENT_TOLERANCE,
  OUTPUT_TOLERANCE,
  relativeError,
} from '../support/golden.js';
import {
  gradientOfX,
  headOf,
  labelsOf,
  logpsInFloat64,
  lossAndGradients,
  PARTS,
  sumsOf,
  type TestHead,
} from '../support/heads.js';
import { conditionOfLogitSums } from '../support/logit_sums.js';

describeGolden(
  'fusedLinearDpo',
  ({ x, weight, labels, ...tensors }, { useRefModel: _, ...options }) =>
    fusedLinearDpo(x!, weight!, labels!, { ...options, ...tensors } as FusedLinearDpoConfig),
  { condition: conditionOfLogitSums },
);

describe('fusedLinearDpo', () => {
  const LENGTH = 3;
  /** Two pairs, and what a reference gives them. */
  const pairs = () => ({ head: headOf(4, LENGTH), labels: labelsOf(4, LENGTH) });
  const reference = { refChosenLogps: [-1, -4], refRejectedLogps: [-3, -2] };

  const dpo = (head: TestHead, labels: tf.Tensor, config?: FusedLinearDpoConfig) =>
    lossAndGradients(head, (x, weight, bias) => fusedLinearDpo(x, weight, labels, { ...config, bias }).loss);

  const expectAllClose = async (actual: tf.Tensor[], expected: tf.Tensor[], tolerance?: number) => {
    for (const [i, tensor] of actual.entries()) {
      await expectClose(tensor, expected[i]!, tolerance ?? (i === 0 ? OUTPUT_TOLERANCE : GRADIENT_TOLERANCE), PARTS[i]);
    }
  };

  it(`of 'ipo' is its formula, of log-ratios for a token`, async () => {
    await expectNoLeak(async () => {
      const { head, labels } = pairs();
      const beta = 0.3;
      const tokens = await logpsInFloat64(head, labels);
      const lengths = [3, 2, 3, 2];
      const ratios = sumsOf(tokens, LENGTH).map(
        (logp, row) => (logp - [...reference.refChosenLogps, ...reference.refRejectedLogps][row]!) / lengths[row]!,
      );
      const errors = [0, 1].map((pair) => ratios[pair]! - ratios[pair + 2]! - 1 / (2 * beta));
      const slopes = [0, 1, 2, 3].map((row) => ((row < 2 ? 1 : -1) * errors[row % 2]!) / lengths[row]!);
      const actual = dpo(head, labels, { ...reference, beta, lossType: 'ipo' });
      await expectClose(actual[0]!, (errors[0]! ** 2 + errors[1]! ** 2) / 2, OUTPUT_TOLERANCE, 'loss');
      await expectClose(actual[1]!, gradientOfX(tokens, LENGTH, slopes), GRADIENT_TOLERANCE, 'gradient of x');
      tf.dispose([head, labels, actual] as tf.TensorContainer);
    });
  });

  it('of several types is the weighted sum of them', async () => {
    await expectNoLeak(async () => {
      const { head, labels } = pairs();
      const lossType: DpoLossType[] = ['sigmoid', 'hinge', 'sppoHard'];
      const lossWeights = [0.5, 2, -0.25];
      const together = dpo(head, labels, { lossType, lossWeights });
      const unweighted = dpo(head, labels, { lossType });
      const single = lossType.map((type) => dpo(head, labels, { lossType: type }));
      const sumOf = (weights: number[]) =>
        PARTS.map((_, i) => tf.tidy(() => tf.addN(single.map((parts, k) => tf.mul(parts[i]!, weights[k]!)))));
      const [weighted, plain] = [sumOf(lossWeights), sumOf([1, 1, 1])];
      await expectAllClose(together, weighted);
      await expectAllClose(unweighted, plain);
      tf.dispose([head, labels, together, unweighted, single, weighted, plain] as tf.TensorContainer);
    });
  });

  it('is the same of a reference model and of its log-probabilities', async () => {
    await expectNoLeak(async () => {
      const { head, labels } = pairs();
      // Of another width than the model.
      const model = { refInput: random([4, LENGTH, 3], 5), refWeight: random([5, 3], 6), refBias: random([5], 7) };
      const refs = tf.tidy(() => {
        const { refInput, refWeight, refBias: bias } = model;
        const { chosenLogps, rejectedLogps } = fusedLinearDpo(refInput, refWeight, labels, { bias });
        return { refChosenLogps: chosenLogps, refRejectedLogps: rejectedLogps };
      });
      const [byModel, byLogps, without] = [dpo(head, labels, model), dpo(head, labels, refs), dpo(head, labels)];
      await expectAllClose(byModel, byLogps, 1e-6);
      // Without one the loss is another.
      expect(relativeError(await byModel[0]!.data(), await without[0]!.data())).to.be.above(0.001);
      tf.dispose([head, labels, model, refs, byModel, byLogps, without] as tf.TensorContainer);
    });
  });

  it('takes one pair of one token', async () => {
    await expectNoLeak(async () => {
      const head = headOf(2, 1);
      const labels = tf.tensor2d([[3], [0]], undefined, 'int32');
      const tokens = await logpsInFloat64(head, labels);
      const margin = 0.1 * (tokens[0]!.logp - tokens[1]!.logp);
      const slope = -0.1 / (1 + Math.exp(margin));
      const actual = dpo(head, labels);
      await expectClose(actual[0]!, Math.log1p(Math.exp(-margin)), OUTPUT_TOLERANCE, 'loss');
      await expectClose(actual[1]!, gradientOfX(tokens, 1, [slope, -slope]), GRADIENT_TOLERANCE, 'gradient of x');
      tf.dispose([head, labels, actual] as tf.TensorContainer);
    });
  });

  it('keeps the digits of gradients of tokens that are all but certain', async () => {
    await expectNoLeak(async () => {
      // The logits of the label are 12 and 8 above the others.
      const x = tf.tensor3d([12, 0.3, 8, -0.2], [2, 1, 2]);
      const weight = tf.tensor2d([0, 0.5, 1, -0.4, 0, -0.8], [3, 2]);
      const [bias, labels] = [tf.zeros([3]), tf.ones([2, 1], 'int32')];
      const tokens = await logpsInFloat64({ x, weight }, labels);
      const slope = -0.1 / (1 + Math.exp(0.1 * (tokens[0]!.logp - tokens[1]!.logp)));
      const actual = dpo({ x, weight, bias }, labels);
      const rows = (await (actual[1] as tf.Tensor3D).array()).flat();
      for (const [i, row] of rows.entries()) {
        const expected = tokens[i]!.slope.map((value) => value * (i === 0 ? slope : -slope));
        await expectClose(row, expected, GRADIENT_TOLERANCE, `gradient of token ${i}`);
      }
      tf.dispose([x, weight, bias, labels, actual] as tf.TensorContainer);
    });
  });

  for (const averageLogProb of [false, true]) {
    it(`takes a sequence without tokens that count as one of log-probability 0, averaged: ${averageLogProb}`, async () => {
      await expectNoLeak(async () => {
        const head = headOf(2, 2);
        const labels = tf.tensor2d(
          [
            [3, 1],
            [-100, -100],
          ],
          undefined,
          'int32',
        );
        const tokens = await logpsInFloat64(head, labels);
        const share = averageLogProb ? 0.5 : 1;
        const margin = share * 0.1 * sumsOf(tokens, 2)[0]!;
        const slope = (-0.1 * share) / (1 + Math.exp(margin));
        const actual = dpo(head, labels, { averageLogProb });
        await expectClose(actual[0]!, Math.log1p(Math.exp(-margin)), OUTPUT_TOLERANCE, 'loss');
        // The second sequence's slope is not 0, but that of its log-probability is.
        await expectClose(actual[1]!, gradientOfX(tokens, 2, [slope, -slope]), GRADIENT_TOLERANCE, 'gradient of x');
        const ofIgnored = tf.slice(actual[1]!, [1, 0, 0]);
        await expectClose(ofIgnored, new Float32Array(8), 0, 'gradient of what is ignored');
        tf.dispose([head, labels, actual, ofIgnored] as tf.TensorContainer);
      });
    });
  }

  it('is the same for any chunk size and for either layout of its weight, and repeats bit for bit', async () => {
    await expectNoLeak(async () => {
      const { head, labels } = pairs();
      const [whole, again] = [dpo(head, labels, reference), dpo(head, labels, reference)];
      const chunked = [1, 5].map((chunkSize) => dpo(head, labels, { ...reference, chunkSize }));
      const transposed = tf.tidy(() => {
        const turned = { ...head, weight: tf.transpose(head.weight) };
        const [loss, dx, dweight, dbias] = dpo(turned, labels, { ...reference, transposeWeight: true });
        return [loss!, dx!, tf.transpose(dweight!), dbias!];
      });
      await expectAllClose(again, whole, 0);
      for (const parts of chunked) await expectAllClose(parts, whole, 1e-6);
      await expectAllClose(transposed, whole, 1e-6);
      tf.dispose([head, labels, whole, again, chunked, transposed] as tf.TensorContainer);
    });
  });

  it('adds the negative log-likelihood of labels of its own', async () => {
    await expectNoLeak(async () => {
      const { head, labels } = pairs();
      const nllLabels = tf.tensor2d(
        [
          [2, -100, 1],
          [-100, 4, 0],
          [1, 1, 1], // the rejected ones do not count
          [0, 0, 0],
        ],
        undefined,
        'int32',
      );
      const tokens = (await logpsInFloat64(head, nllLabels)).slice(0, 6);
      const nll = tokens.reduce((sum, { logp }) => sum - logp / 4, 0);
      const slopes = [...gradientOfX(tokens, LENGTH, [-0.25, -0.25]), ...new Array(24).fill(0)];
      const plain = dpo(head, labels);
      const [dpoLoss, dpoGradient] = [await plain[0]!.data(), await plain[1]!.data()];
      const actual = dpo(head, labels, { nllLabels, computeNllLoss: true, alpha: 0.3 });
      await expectClose(actual[0]!, dpoLoss[0]! + 0.3 * nll, OUTPUT_TOLERANCE, 'loss');
      const expected = Array.from(dpoGradient, (value, i) => value + 0.3 * slopes[i]!);
      await expectClose(actual[1]!, expected, GRADIENT_TOLERANCE, 'gradient of x');
      tf.dispose([head, labels, nllLabels, plain, actual] as tf.TensorContainer);
    });
  });

  describe('names', () => {
    const refuses = (what: string, config: () => object, message: RegExp, rows = 4) =>
      it(what, async () => {
        await expectNoLeak(async () => {
          const [{ x, weight, bias }, labels] = [headOf(rows, LENGTH), labelsOf(rows, LENGTH)];
          const given = config();
          expectError(() => fusedLinearDpo(x, weight, labels, given), message);
          tf.dispose([x, weight, bias, labels, given] as tf.TensorContainer);
        });
      });
    const model = () => ({ refInput: random([4, LENGTH, 3]), refWeight: random([5, 3]) });

    refuses(
      'an odd number of rows',
      () => ({}),
      /^fusedLinearDpo: x must be of an even number of rows, the chosen sequences and then the rejected ones, but got a float32 tensor of shape \[3,3,4\]$/,
      3,
    );
    refuses(
      'the loss types that there are',
      () => ({ lossType: 'sigmoidal' }),
      /^fusedLinearDpo: option 'lossType' must be one of 'sigmoid', 'hinge', 'ipo', 'exoPair', 'ncaPair', 'robust', 'bcoPair', 'sppoHard', 'apoZero', 'apoDown', 'discopop', or an array of different ones, but got 'sigmoidal'$/,
    );
    refuses(
      'too many weights of losses',
      () => ({ lossWeights: [1, 2] }),
      /^fusedLinearDpo: option 'lossWeights' must be an array of 1, as lossType is, but got an array of 2$/,
    );
    refuses(
      `a smoothing that 'exoPair' has no logarithm of`,
      () => ({ lossType: 'exoPair' }),
      /^fusedLinearDpo: option 'labelSmoothing' must be a finite number in \(0, 1\) for the loss type 'exoPair', but got 0$/,
    );
    refuses(
      `a smoothing that 'robust' would divide by 0 for, in a list of types`,
      () => ({ lossType: ['sigmoid', 'robust'], labelSmoothing: 0.5 }),
      /^fusedLinearDpo: option 'labelSmoothing' must be a finite number in \[0, 0\.5\) for the loss type 'robust', but got 0\.5$/,
    );
    refuses(
      'the half of a reference model that is missing',
      () => ({ refInput: random([4, LENGTH, 3]) }),
      /^fusedLinearDpo: refInput and refWeight must be given together, but refWeight is missing$/,
    );
    refuses(
      'a reference that is given twice',
      () => ({ ...model(), ...reference }),
      /^fusedLinearDpo: the reference is given twice, as refChosenLogps and refRejectedLogps and as refInput; give one of them$/,
    );
    refuses(
      'log-probabilities of the rejected sequences that are missing',
      () => ({ refChosenLogps: reference.refChosenLogps }),
      /^fusedLinearDpo: refChosenLogps and refRejectedLogps must be given together, but refRejectedLogps is missing$/,
    );
    refuses(
      'a label that there is no class for',
      () => ({
        nllLabels: [
          [0, 0, 0],
          [0, 0, 5],
          [0, 0, 0],
          [0, 0, 0],
        ],
      }),
      /^fusedLinearDpo: nllLabels must be in \[0, 5\) or -100 \(ignoreIndex\), but got 5 at position 5$/,
    );
  });
});
