import { cast, div, expandDims, maximum, mul, notEqual, scalar, sum, type Tensor } from '@tensorflow/tfjs-core';
import type { Tensors } from '../../contracts/shared/contract.js';
import type {
  DivergenceAttrs,
  DivergenceGradInputs,
  DivergenceInputs,
  DivergenceReduction,
} from '../../contracts/shared/divergence.js';
import { columnsOf, flatten, only, sumOfRow } from './rows.js';

/** The loss of a divergence's elements, and what the sum of those that count is divided by. */
export function divergenceLoss(
  { input, labels }: Tensors<DivergenceInputs, Tensor>,
  { reduction, ignoreIndex }: DivergenceAttrs,
  elements: Tensor,
): { loss: Tensor; divisor?: Tensor } {
  const counts = labels && notEqual(labels, ignoreIndex);
  const counted = counts ? only(expandDims(counts, -1), elements) : elements;
  if (reduction === 'none') return { loss: counted };
  const columns = columnsOf(input);
  const rows = () => maximum(counts ? sum(cast(counts, 'float32')) : input.size / columns, 1);
  const divisors: Record<Exclude<DivergenceReduction, 'none'>, () => Tensor> = {
    mean: () => mul(rows(), columns),
    batchmean: rows,
    sum: () => scalar(1),
  };
  const divisor = divisors[reduction]();
  return { loss: input.size === 0 ? scalar(0) : div(sum(sumOfRow(flatten(counted))), divisor), divisor };
}

/** The gradient of the input, by the slopes of the elements. */
export function divergenceGradient(
  { dy, labels, divisor }: Tensors<DivergenceGradInputs, Tensor>,
  { ignoreIndex }: DivergenceAttrs,
  slopes: Tensor,
): { dinput: Tensor } {
  const dinput = mul(slopes, divisor ? div(dy, divisor) : dy);
  return { dinput: labels ? only(expandDims(notEqual(labels, ignoreIndex), -1), dinput) : dinput };
}
