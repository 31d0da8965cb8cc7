/** Sums of products over labelled dimensions, as matrix products. */
import { backend_util, matMul, mul, reshape, sum, type Tensor, transpose, util } from '@tensorflow/tfjs-core';

/** A tensor, and the label of each of its dimensions. */
export interface Labelled {
  tensor: Tensor;
  labels: readonly string[];
}

const same = (a: readonly string[], b: readonly string[]) => a.join('') === b.join('');

const extentsOf = ({ tensor, labels }: Labelled, wanted: readonly string[]) =>
  wanted.map((label) => tensor.shape[labels.indexOf(label)]!);

/** The same tensor with its dimensions in another order. */
export function ordered({ tensor, labels }: Labelled, wanted: readonly string[]): Tensor {
  return same(labels, wanted)
    ? tensor
    : transpose(
        tensor,
        wanted.map((label) => labels.indexOf(label)),
      );
}

/** Summed over the dimensions that none of `kept` names. */
export function summedTo({ tensor, labels }: Labelled, kept: readonly string[]): Labelled {
  const axes = labels.flatMap((label, axis) => (kept.includes(label) ? [] : [axis]));
  if (axes.length === 0) return { tensor, labels };
  return { tensor: sum(tensor, axes), labels: labels.filter((label) => kept.includes(label)) };
}

/** A batch of matrices [batch, rows, columns]; those that lie there transposed are left as they are, and `flip` says so. */
function matrices(term: Labelled, [batch, rows, columns]: readonly [string[], string[], string[]]) {
  const sizes = [batch, rows, columns].map((labels) => util.sizeFromShape(extentsOf(term, labels))) as [
    number,
    number,
    number,
  ];
  const flip = same(term.labels, [...batch, ...columns, ...rows]);
  const tensor = flip ? term.tensor : ordered(term, [...batch, ...rows, ...columns]);
  return { flip, tensor: reshape(tensor, flip ? [sizes[0], sizes[2], sizes[1]] : sizes) };
}

/** With all of `labels` in their order, those that it lacks of size 1. */
function spread(term: Labelled, labels: readonly string[]): Tensor {
  const own = labels.filter((label) => term.labels.includes(label));
  const extents = extentsOf(term, own);
  return reshape(
    ordered(term, own),
    labels.map((label) => (own.includes(label) ? extents[own.indexOf(label)]! : 1)),
  );
}

/** The product of x and y with the labels `kept`, as far as one of them has these. All others both have: they are summed over. */
export function product(x: Labelled, y: Labelled, kept: readonly string[]): Labelled {
  const labels = kept.filter((label) => x.labels.includes(label) || y.labels.includes(label));
  const summed = x.labels.filter((label) => !kept.includes(label));
  const batch = labels.filter((label) => x.labels.includes(label) && y.labels.includes(label));
  const outer = labels.filter((label) => !batch.includes(label));
  if (summed.length === 0) return { tensor: mul(spread(x, labels), spread(y, labels)), labels };
  // tfjs's einsum makes all the products before it sums them, which a matrix product does not.
  const [a, b] = outer[0] && y.labels.includes(outer[0]) ? [y, x] : [x, y];
  const [rows, columns] = [a, b].map((term) => outer.filter((label) => term.labels.includes(label))) as [
    string[],
    string[],
  ];
  const [left, right] = [matrices(a, [batch, rows, summed]), matrices(b, [batch, summed, columns])];
  return {
    tensor: reshape(matMul(left.tensor, right.tensor, left.flip, right.flip), [
      ...extentsOf(a, [...batch, ...rows]),
      ...extentsOf(b, columns),
    ]),
    labels: [...batch, ...rows, ...columns],
  };
}

/**
 * The labels of each operand of an equation, and of the result. Undefined where an operand has a label twice.
 *
 * @throws If the equation is none for these tensors.
 */
export function labelsOf(
  equation: string,
  tensors: readonly Tensor[],
): { operands: string[][]; result: string[] } | undefined {
  const { allDims, summedDims, idDims } = backend_util.decodeEinsumEquation(equation, tensors.length);
  backend_util.checkEinsumDimSizes(allDims.length, idDims, [...tensors]);
  const operands = idDims.map((dims) => dims.map((dim) => allDims[dim]!));
  if (operands.some((labels) => new Set(labels).size < labels.length)) return undefined;
  return { operands, result: allDims.slice(0, allDims.length - summedDims.length) };
}

/** What an equation makes of its one or two operands, none of which is empty. */
export function contract(operands: readonly Labelled[], result: readonly string[]): Tensor {
  const [x, y] = operands as [Labelled, Labelled?];
  if (!y) return ordered(summedTo(x, result), result);
  const [a, b] = [summedTo(x, [...y.labels, ...result]), summedTo(y, [...x.labels, ...result])];
  return ordered(product(a, b, result), result);
}
