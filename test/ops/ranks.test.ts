import { expect } from 'chai';
import { Signature } from '../../src/checks/signature.js';
import * as liger from '../../src/index.js';
import { random } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { expectClose, expectNoLeak, GRADIENT_TOLERANCE, OUTPUT_TOLERANCE } from '../support/golden.js';

/** How an op is called with some leading dimensions: shapes of what is differentiated, and the op on such tensors. */
interface RankCase {
  shapes(leading: number[]): number[][];
  run(tensors: tf.Tensor[], leading: number[]): tf.Tensor;
}

const C = 5;
/** Class numbers that differ from row to row. */
const labelsOf = (leading: number[]) =>
  tf.tensor(
    Int32Array.from({ length: tf.util.sizeFromShape(leading) }, (_, i) => (3 * i + 1) % C),
    leading,
    'int32',
  );

const cases: Record<string, RankCase> = {
  crossEntropy: {
    shapes: (leading) => [[...leading, C]],
    run: ([logits], leading) => liger.crossEntropy(logits!, labelsOf(leading), { labelSmoothing: 0.1 }),
  },
  'crossEntropy without reduction': {
    shapes: (leading) => [[...leading, C]],
    run: ([logits], leading) => liger.crossEntropy(logits!, labelsOf(leading), { reduction: 'none' }),
  },
  dyt: {
    shapes: (leading) => [[...leading, C], [1], [C], [C]],
    run: ([x, alpha, gamma, beta]) => liger.dyt(x!, alpha!, gamma!, { beta }),
  },
  embedding: {
    shapes: () => [[C, 4]],
    run: ([table], leading) => liger.embedding(table!, labelsOf(leading)),
  },
  fusedAddRmsNorm: {
    shapes: (leading) => [[...leading, C], [...leading, C], [C]],
    run: ([x, residual, gamma]) => {
      const { y, residual: sum } = liger.fusedAddRmsNorm(x!, residual!, gamma!);
      return tf.add(y, sum);
    },
  },
  fusedCrossEntropyTvd: {
    shapes: (leading) => [[...leading, C]],
    run: ([logits], leading) => {
      const teacher = random([...leading, C], 3);
      const { crossEntropy, tvd } = liger.fusedCrossEntropyTvd(logits!, teacher, labelsOf(leading));
      return tf.add(crossEntropy, tvd);
    },
  },
  fusedLinearCrossEntropy: {
    shapes: (leading) => [[...leading, 4], [C, 4], [C]],
    run: ([x, weight, bias], leading) =>
      liger.fusedLinearCrossEntropy(x!, weight!, labelsOf(leading), { bias, chunkSize: 4 }),
  },
  'fusedLinearCrossEntropy without reduction': {
    shapes: (leading) => [[...leading, 4], [C, 4], [C]],
    run: ([x, weight, bias], leading) =>
      liger.fusedLinearCrossEntropy(x!, weight!, labelsOf(leading), { bias, reduction: 'none' }),
  },
  fusedLinearCosineDistillation: {
    shapes: (leading) => [[...leading, C], [7, C], [7]],
    run: ([x, weight, studentBias], leading) => {
      const teacher = [random([...leading, 4], 3), random([7, 4], 4)] as const;
      return liger.fusedLinearCosineDistillation(x!, weight!, ...teacher, labelsOf(leading), {
        studentBias,
        ignoreIndex: 4,
      });
    },
  },
  fusedLinearDistillation: {
    shapes: (leading) => [[...leading, C], [7, C], [7]],
    run: ([x, weight, studentBias], leading) => {
      const teacher = [random([...leading, 4], 3), random([7, 4], 4)] as const;
      return liger.fusedLinearDistillation(
        x!,
        weight!,
        ...teacher,
        labelsOf(leading),
        ({ studentLogits }) => tf.sum(tf.square(studentLogits), 1),
        { studentBias },
      );
    },
  },
  fusedLinearJsd: {
    shapes: (leading) => [[...leading, C], [7, C], [7]],
    run: ([x, weight, studentBias], leading) => {
      const teacher = [random([...leading, 4], 3), random([7, 4], 4)] as const;
      return liger.fusedLinearJsd(x!, weight!, ...teacher, { studentBias, labels: labelsOf(leading), ignoreIndex: 4 });
    },
  },
  fusedLinearJsdDistillation: {
    shapes: (leading) => [[...leading, C], [7, C], [7]],
    run: ([x, weight, studentBias], leading) => {
      const teacher = [random([...leading, 4], 3), random([7, 4], 4)] as const;
      return liger.fusedLinearJsdDistillation(x!, weight!, ...teacher, labelsOf(leading), {
        studentBias,
        ignoreIndex: 4,
      });
    },
  },
  fusedLinearKlDiv: {
    shapes: (leading) => [[...leading, C], [7, C], [7]],
    run: ([x, weight, bias], leading) =>
      liger.fusedLinearKlDiv(x!, weight!, tf.softmax(random([...leading, 7], 3)), { bias }),
  },
  fusedLinearScaledCrossEntropy: {
    shapes: (leading) => [[...leading, 4], [C, 4], [C]],
    run: ([x, weight, bias], leading) => {
      const config = { bias, chunkSize: 4, returnEntropy: true } as const;
      const { nll, entropy } = liger.fusedLinearScaledCrossEntropy(x!, weight!, labelsOf(leading), config);
      return tf.add(nll, entropy);
    },
  },
  fusedMoe: {
    shapes: (leading) => [
      [...leading, 4],
      [C, 6, 4],
      [C, 4, 3],
      [...leading, 1],
    ],
    run: ([x, gateUp, down, weights], leading) =>
      liger.fusedMoe(x!, gateUp!, down!, tf.expandDims(labelsOf(leading), -1), weights!),
  },
  geglu: {
    shapes: (leading) => [
      [...leading, C],
      [...leading, C],
    ],
    run: ([gate, up]) => liger.geglu(gate!, up!),
  },
  gelu: { shapes: (leading) => [[...leading, C]], run: ([x]) => liger.gelu(x!) },
  'gelu by tanh': {
    shapes: (leading) => [[...leading, C]],
    run: ([x]) => liger.gelu(x!, { approximate: 'tanh' }),
  },
  jsd: {
    shapes: (leading) => [[...leading, C]],
    run: ([logits], leading) =>
      liger.jsd(tf.mul(logits!, -1), tf.logSoftmax(random([...leading, C], 3)), {
        labels: labelsOf(leading),
        ignoreIndex: 4,
      }),
  },
  klDiv: {
    shapes: (leading) => [[...leading, C]],
    run: ([logP], leading) => liger.klDiv(logP!, tf.softmax(random([...leading, C], 3)), { reduction: 'none' }),
  },
  layerNorm: {
    shapes: (leading) => [[...leading, C], [C], [C]],
    run: ([x, gamma, beta]) => liger.layerNorm(x!, gamma!, beta!, { epsilon: 0.1 }),
  },
  linear: {
    shapes: (leading) => [[...leading, C], [4, C], [4]],
    run: ([x, weight, bias]) => liger.linear(x!, weight!, { bias }),
  },
  'linear with an activation': {
    shapes: (leading) => [[...leading, C], [4, C], [4]],
    run: ([x, weight, bias]) => liger.linear(x!, weight!, { bias, activation: 'gelu' }),
  },
  logSoftmax: { shapes: (leading) => [[...leading, C]], run: ([x]) => liger.logSoftmax(x!) },
  mhcCoeffs: {
    shapes: (leading) => [[...leading, 2, C], [2 * C, 8], [8], [], [], []],
    run: ([x, phi, b, alphaPre, alphaPost, alphaRes], leading) => {
      const { hPre, hPost, hRes } = liger.mhcCoeffs(x!, phi!, b!, alphaPre!, alphaPost!, alphaRes!);
      return tf.concat([hPre, hPost, tf.reshape(hRes, [...leading, 4])], -1);
    },
  },
  mhcForward: {
    shapes: (leading) => [[...leading, 2, C], [2 * C, 8], [8], [], [], []],
    run: ([x, phi, b, alphaPre, alphaPost, alphaRes]) =>
      liger.mhcForward(x!, (t) => liger.softmax(t), phi!, b!, alphaPre!, alphaPost!, alphaRes!),
  },
  mhcPostRes: {
    shapes: (leading) => [
      [...leading, 2, C],
      [...leading, C],
      [...leading, 2],
      [...leading, 2, 2],
    ],
    run: ([x, fOut, hPost, hRes]) => liger.mhcPostRes(x!, fOut!, hPost!, hRes!),
  },
  mhcPre: {
    shapes: (leading) => [
      [...leading, 2, C],
      [...leading, 2],
    ],
    run: ([x, hPre]) => liger.mhcPre(x!, hPre!),
  },
  modulatedRmsNorm: {
    shapes: (leading) => [[...leading, C], [...leading, C], [C], [...leading, C]],
    run: ([x, scale, gamma, shift]) => liger.modulatedRmsNorm(x!, scale!, { gamma, shift }),
  },
  'modulatedRmsNorm with one scale for all rows': {
    shapes: (leading) => [[...leading, C], [C], [C], [C]],
    run: ([x, scale, gamma, shift]) => liger.modulatedRmsNorm(x!, scale!, { gamma, shift }),
  },
  polyNorm: {
    shapes: (leading) => [[...leading, C], [3], []],
    run: ([x, weight, bias]) => liger.polyNorm(x!, weight!, bias!, { epsilon: 0.1 }),
  },
  rmsNorm: {
    shapes: (leading) => [[...leading, C], [C]],
    run: ([x, gamma]) => liger.rmsNorm(x!, gamma!),
  },
  packedSwiglu: { shapes: (leading) => [[...leading, 6]], run: ([x]) => liger.packedSwiglu(x!) },
  reluSquared: { shapes: (leading) => [[...leading, C]], run: ([x]) => liger.reluSquared(x!) },
  scaledCrossEntropy: {
    shapes: (leading) => [[...leading, C]],
    run: ([logits], leading) => {
      const { nll, entropy } = liger.scaledCrossEntropy(logits!, labelsOf(leading), { returnEntropy: true });
      return tf.add(nll, entropy);
    },
  },
  silu: { shapes: (leading) => [[...leading, C]], run: ([x]) => liger.silu(x!) },
  softCrossEntropy: {
    shapes: (leading) => [
      [...leading, C],
      [...leading, C],
    ],
    run: ([logits, targets]) => liger.softCrossEntropy(logits!, targets!, { labelSmoothing: 0.1 }),
  },
  'softCrossEntropy without reduction': {
    shapes: (leading) => [
      [...leading, C],
      [...leading, C],
    ],
    run: ([logits, targets]) => liger.softCrossEntropy(logits!, targets!, { reduction: 'none' }),
  },
  softmax: { shapes: (leading) => [[...leading, C]], run: ([x]) => liger.softmax(x!) },
  sparsemax: { shapes: (leading) => [[...leading, C]], run: ([x]) => liger.sparsemax(x!) },
  swiglu: {
    shapes: (leading) => [
      [...leading, C],
      [...leading, C],
    ],
    run: ([gate, up]) => liger.swiglu(gate!, up!),
  },
  swigluMlp: {
    shapes: (leading) => [
      [...leading, C],
      [6, C],
      [6, C],
      [C, 6],
    ],
    run: ([x, gateWeight, upWeight, downWeight]) => liger.swigluMlp(x!, gateWeight!, upWeight!, downWeight!),
  },
  tvd: {
    shapes: (leading) => [[...leading, C]],
    run: ([p], leading) => liger.tvd(p!, random([...leading, C], 3), { labels: labelsOf(leading), ignoreIndex: 4 }),
  },
};

/** The value and all gradients, flat. */
function valueAndGradients({ shapes, run }: RankCase, leading: number[]): tf.Tensor[] {
  return tf.tidy(() => {
    const inputs = shapes(leading).map((shape, i) => random(shape, i + 1));
    const { value, grads } = tf.valueAndGrads((...tensors: tf.Tensor[]) => {
      const y = run(tensors, leading);
      return tf.sum(tf.mul(y, random([y.size], 9).reshape(y.shape)));
    })(inputs);
    for (const [i, gradient] of grads.entries()) expect(gradient.shape).to.deep.equal(inputs[i]!.shape);
    return [value, ...grads].map((tensor) => tf.reshape(tensor, [-1]));
  });
}

describe('ops over any leading dimensions', () => {
  it('are all tried', () => {
    // Each dimension of the other ones has a meaning of its own.
    const takesAny = Signature.all.filter(({ args }) => Object.values(args).some(({ shape }) => shape[0] === '...'));
    const ops = Object.keys(liger).filter((name) => takesAny.some(({ op }) => op === name));
    const tried = new Set(Object.keys(cases).map((name) => name.split(' ')[0]!));
    expect([...tried].sort()).to.deep.equal(ops.sort());
  });

  for (const [name, rankCase] of Object.entries(cases)) {
    it(`${name}: values and gradients are those of its rows, for ranks 1 to 4`, async () => {
      await expectNoLeak(async () => {
        for (const [leading, rows] of [
          [[], [1]],
          [[2, 3], [6]],
          [[1, 2, 3], [6]],
        ] as const) {
          const actual = valueAndGradients(rankCase, [...leading]);
          const expected = valueAndGradients(rankCase, [...rows]);
          for (const [i, tensor] of actual.entries()) {
            const tolerance = i === 0 ? OUTPUT_TOLERANCE : GRADIENT_TOLERANCE;
            await expectClose(
              tensor,
              expected[i]!,
              tolerance,
              `[${leading}] ${i === 0 ? 'value' : `gradient ${i - 1}`}`,
            );
          }
          tf.dispose([actual, expected]);
        }
      });
    });
  }
});
