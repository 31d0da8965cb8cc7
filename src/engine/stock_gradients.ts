/** Gradients of the stock ops that losses are written in. tfjs-core registers none of its own; `@tensorflow/tfjs` does. */
import {
  Add,
  backend_util,
  broadcastTo,
  Cast,
  ClipByValue,
  type ClipByValueAttrs,
  cast,
  div,
  Exp,
  ExpandDims,
  type GradConfig,
  getGradient,
  greater,
  greaterEqual,
  Identity,
  Log,
  less,
  lessEqual,
  logicalAnd,
  logicalNot,
  Maximum,
  Minimum,
  Multiply,
  mul,
  Neg,
  neg,
  PadV2,
  type PadV2Attrs,
  pad,
  RealDiv,
  Reshape,
  registerGradient,
  reshape,
  Select,
  Sigmoid,
  Slice,
  type SliceAttrs,
  Square,
  Sub,
  Sum,
  type SumAttrs,
  slice,
  slice_util,
  sub,
  sum,
  type Tensor,
  util,
  where,
  zerosLike,
} from '@tensorflow/tfjs-core';

/** The gradient of an operand, from that of a result that it was broadcast to. */
export function toShape(dy: Tensor, { shape }: Tensor): Tensor {
  const axes = backend_util.getReductionAxes(shape, dy.shape);
  return reshape(axes.length > 0 ? sum(dy, axes) : dy, shape);
}

const only = (condition: Tensor, dy: Tensor) => where(condition, dy, zerosLike(dy));

/** The gradient of a function of one tensor, by what is saved: its input `x`, or its output `y`. */
const unary = (
  kernelName: string,
  saved: 'x' | 'y' | 'nothing',
  slope: (dy: Tensor, saved: Tensor, attrs: object) => Tensor,
  input = 'x',
): GradConfig => ({
  kernelName,
  ...(saved === 'x' && { inputsToSave: [input] }),
  ...(saved === 'y' && { outputsToSave: [true] }),
  gradFunc: (dy, [tensor], attrs) => ({ [input]: () => slope(dy as Tensor, tensor!, attrs) }),
});

/** The gradient of a function of two tensors, which are broadcast to each other. */
const binary = (
  kernelName: string,
  slopes: (dy: Tensor, a: Tensor, b: Tensor) => [() => Tensor, () => Tensor],
): GradConfig => ({
  kernelName,
  inputsToSave: ['a', 'b'],
  gradFunc: (dy, [a, b]) => {
    const [da, db] = slopes(dy as Tensor, a!, b!);
    return { a: () => toShape(da(), a!), b: () => toShape(db(), b!) };
  },
});

export const stockGradients: readonly GradConfig[] = [
  binary(Add, (dy) => [() => dy, () => dy]),
  binary(Sub, (dy) => [() => dy, () => neg(dy)]),
  binary(Multiply, (dy, a, b) => [() => mul(dy, b), () => mul(dy, a)]),
  binary(RealDiv, (dy, a, b) => [() => div(dy, b), () => neg(div(mul(dy, div(a, b)), b))]),
  // Where both are equal, the first one counts.
  binary(Maximum, (dy, a, b) => [() => only(greaterEqual(a, b), dy), () => only(less(a, b), dy)]),
  binary(Minimum, (dy, a, b) => [() => only(lessEqual(a, b), dy), () => only(greater(a, b), dy)]),

  unary(Neg, 'nothing', (dy) => neg(dy)),
  unary(Square, 'x', (dy, x) => mul(dy, mul(x, 2))),
  unary(Exp, 'y', (dy, y) => mul(dy, y)),
  unary(Log, 'x', (dy, x) => div(dy, x)),
  unary(Sigmoid, 'y', (dy, y) => mul(dy, mul(y, sub(1, y)))),
  unary(ClipByValue, 'x', (dy, x, attrs) => {
    const { clipValueMin, clipValueMax } = attrs as ClipByValueAttrs;
    return only(logicalAnd(greaterEqual(x, clipValueMin), lessEqual(x, clipValueMax)), dy);
  }),

  unary(Sum, 'x', (dy, { shape }, attrs) => {
    const kept = [...shape];
    for (const axis of util.parseAxisParam((attrs as SumAttrs).axis, shape)) kept[axis] = 1;
    return broadcastTo(reshape(dy, kept), shape);
  }),
  {
    kernelName: Select,
    inputsToSave: ['condition'],
    gradFunc: (dy, [condition]) => ({
      condition: () => zerosLike(cast(condition!, 'float32')),
      t: () => only(condition!, dy as Tensor),
      e: () => only(logicalNot(condition!), dy as Tensor),
    }),
  },

  unary(Identity, 'nothing', (dy) => cast(dy, 'float32')),
  unary(Cast, 'nothing', (dy) => cast(dy, 'float32')),
  unary(Reshape, 'x', (dy, { shape }) => reshape(dy, shape)),
  unary(ExpandDims, 'x', (dy, { shape }) => reshape(dy, shape), 'input'),
  unary(Slice, 'x', (dy, x, attrs) => {
    const { begin, size } = attrs as SliceAttrs;
    const [starts = [], sizes = []] = slice_util.parseSliceParams(x, begin, size);
    return pad(
      dy,
      x.shape.map((extent, i) => [starts[i]!, extent - starts[i]! - sizes[i]!]),
    );
  }),
  unary(PadV2, 'x', (dy, { shape }, attrs) =>
    slice(
      dy,
      (attrs as PadV2Attrs).paddings.map(([before]) => before),
      shape,
    ),
  ),
];

/** Registers those gradients that no one has. */
export function registerStockGradients(): void {
  for (const config of stockGradients) if (!getGradient(config.kernelName)) registerGradient(config);
}
