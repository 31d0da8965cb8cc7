/** Every loss with its gradients, by what stands beside tfjs-core alone. */
import { randomUniform, type Tensor, tensor, tidy, valueAndGrads } from '@tensorflow/tfjs-core';
import {
  type DpoLossType,
  fusedLinearCosineDistillation,
  fusedLinearCpo,
  fusedLinearDpo,
  fusedLinearGrpo,
  fusedLinearJsd,
  fusedLinearJsdDistillation,
  fusedLinearKlDiv,
  fusedLinearKto,
  fusedLinearOrpo,
  fusedLinearSimpo,
  type GrpoLossType,
} from '../../src/index.js';

const DPO: DpoLossType[] = [
  ...(['sigmoid', 'hinge', 'ipo', 'exoPair', 'ncaPair', 'robust'] as const),
  ...(['bcoPair', 'sppoHard', 'apoZero', 'apoDown', 'discopop'] as const),
];
const GRPO: GrpoLossType[] = ['grpo', 'bnpo', 'drGrpo', 'dapo', 'cispo', 'sapo', 'luspo', 'vespo'];

/** By its name, the value of each loss and its gradients in x, weight and bias, one after the other. */
export async function everyLoss(): Promise<Record<string, number[]>> {
  const random = (shape: number[], seed: number) => randomUniform(shape, -1, 1, 'float32', seed);
  const [x, weight, bias] = [random([2, 3, 4], 1), random([5, 4], 2), random([5], 3)];
  const labels = tensor([0, 3, -100, 2, 4, 1], [2, 3], 'int32');
  const mask = tensor([1, 1, 0, 1, 1, 1], [2, 3], 'int32');
  const [refInput, refWeight, oldPerTokenLogps] = [random([2, 3, 4], 4), random([5, 4], 5), random([2, 3], 6)];
  const reference = { refInput, refWeight };
  const target = tensor(Array(30).fill(0.2), [2, 3, 5]);
  // A teacher of two more classes.
  const teacher = [random([2, 3, 2], 7), random([7, 2], 8)] as const;
  const distilled = (studentBias: Tensor) => ({ studentBias, temperature: 2 });

  const losses: Record<string, (x: Tensor, weight: Tensor, bias: Tensor) => { loss: Tensor }> = {
    cosine: (x, weight, bias) => ({
      loss: fusedLinearCosineDistillation(x, weight, ...teacher, labels, distilled(bias)),
    }),
    cpo: (x, weight, bias) => fusedLinearCpo(x, weight, labels, { bias, averageLogProb: true, labelSmoothing: 0.1 }),
    jsd: (x, weight, bias) => ({ loss: fusedLinearJsd(x, weight, ...teacher, { labels, ...distilled(bias) }) }),
    jsdDistillation: (x, weight, bias) => ({
      loss: fusedLinearJsdDistillation(x, weight, ...teacher, labels, distilled(bias)),
    }),
    klDiv: (x, weight, bias) => ({ loss: fusedLinearKlDiv(x, weight, target, { bias, labels, temperature: 2 }) }),
    kto: (x, weight, bias) => fusedLinearKto(x, weight, labels, [1, 0], { bias, ...reference, kl: 0.1 }),
    orpo: (x, weight, bias) => fusedLinearOrpo(x, weight, labels, { bias }),
    simpo: (x, weight, bias) => fusedLinearSimpo(x, weight, labels, { bias }),
  };
  for (const lossType of DPO) {
    losses[lossType] = (x, weight, bias) =>
      fusedLinearDpo(x, weight, labels, { bias, ...reference, lossType, labelSmoothing: 0.1 });
  }
  for (const lossType of GRPO) {
    losses[lossType] = (x, weight, bias) =>
      fusedLinearGrpo(x, weight, labels, mask, [0.5, -1.5], {
        ...{ bias, ...reference, oldPerTokenLogps, lossType, delta: 4, useBiasCorrectionKl: lossType === 'dapo' },
        ...{ maxCompletionLength: 3, importanceSamplingLevel: lossType === 'luspo' ? 'sequence' : 'token' },
      });
  }

  const numbers: Record<string, number[]> = {};
  for (const [name, loss] of Object.entries(losses)) {
    const { value, grads } = valueAndGrads((...[x, weight, bias]: Tensor[]) =>
      tidy(() => loss(x!, weight!, bias!).loss),
    )([x, weight, bias]);
    const parts = await Promise.all([value, ...grads].map((part) => part.data()));
    numbers[name] = parts.flatMap((part) => [...part]);
  }
  return numbers;
}
