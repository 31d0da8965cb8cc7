/** What gradients of tfjs's kernels read of the tensors that were saved for them: tfjs's own gradients and those in their place. */
import * as tf from '@tensorflow/tfjs-core';

/**
 * Whose gradients read the values of a saved tensor:
 * - those of the inputs that are listed,
 * - 'none': they read its shape,
 * - 'none, but computed with': an op is given it, such as zerosLike, whose result does not depend on its values.
 */
export type ReadBy<Input extends string = string> = readonly Input[] | 'none' | 'none, but computed with';

/** Who reads what is saved of a kernel. */
export interface Readers {
  /** Of the inputs that are saved. */
  readonly inputs: Readonly<Record<string, ReadBy>>;
  /** Of the outputs that are saved. */
  readonly outputs: readonly ReadBy[];
}

type InputOf<Inputs> = keyof Inputs & string;

const readers = <Inputs>(
  inputs: { readonly [K in InputOf<Inputs>]?: ReadBy<InputOf<Inputs>> },
  outputs: ReadonlyArray<ReadBy<InputOf<Inputs>>> = [],
): Readers => ({ inputs: inputs as Readers['inputs'], outputs });

/** A product of any kind: the gradient of each factor reads the other one. */
const product = { a: ['b'], b: ['a'] } as const;
const convolution = { x: ['filter'], filter: ['x'] } as const;
const quotient = { a: ['b'], b: ['a', 'b'] } as const;

/** Kernels whose gradients do not read all that is saved for them. */
export const readByGradients: ReadonlyMap<string, Readers | 'no input'> = new Map<string, Readers | 'no input'>([
  [tf.Add, readers<tf.AddInputs>({ a: 'none', b: 'none' })],
  [tf.AddN, 'no input'],
  [tf.ArgMax, readers<tf.ArgMaxInputs>({ x: 'none, but computed with' })],
  [tf.ArgMin, readers<tf.ArgMinInputs>({ x: 'none, but computed with' })],
  [tf.AvgPool, readers<tf.AvgPoolInputs>({ x: 'none, but computed with' })],
  [tf.AvgPool3D, readers<tf.AvgPool3DInputs>({ x: 'none, but computed with' })],
  [tf.BatchMatMul, readers<tf.BatchMatMulInputs>(product)],
  [tf.Concat, 'no input'],
  [tf.Conv2D, readers<tf.Conv2DInputs>(convolution)],
  [tf.Conv2DBackpropInput, readers<tf.Conv2DBackpropInputInputs>({ dy: ['filter'], filter: ['dy'] })],
  [tf.Conv3D, readers<tf.Conv3DInputs>(convolution)],
  [tf.Cumsum, readers<tf.CumsumInputs>({ x: 'none' })],
  [tf.DepthwiseConv2dNative, readers<tf.DepthwiseConv2dNativeInputs>(convolution)],
  [tf.ExpandDims, readers<tf.ExpandDimsInputs>({ input: 'none' })],
  [tf.FloorDiv, readers<tf.FloorDivInputs>(quotient)],
  [tf.GatherV2, readers<tf.GatherV2Inputs>({ x: 'none, but computed with', indices: ['x'] })],
  [tf.GreaterEqual, readers<tf.GreaterEqualInputs>({ a: 'none, but computed with', b: 'none, but computed with' })],
  [tf.Mean, readers<tf.MeanInputs>({ x: 'none' })],
  [tf.MirrorPad, readers<tf.MirrorPadInputs>({ x: 'none' })],
  [tf.Mod, readers<tf.ModInputs>({ a: ['b'], b: ['b'] })],
  [tf.Multiply, readers<tf.MultiplyInputs>(product)],
  [tf.OneHot, readers<tf.OneHotInputs>({ indices: 'none' })],
  [tf.Pack, 'no input'],
  [tf.PadV2, readers<tf.PadV2Inputs>({ x: 'none' })],
  [tf.Pow, readers<tf.PowInputs>({ a: ['a', 'b'], b: ['a'] }, [['b']])],
  // Which elements are positive is looked at for both gradients.
  [tf.Prelu, readers<tf.PreluInputs>({ x: ['x', 'alpha'], alpha: ['x'] })],
  [tf.RealDiv, readers<tf.RealDivInputs>(quotient)],
  [tf.Reshape, readers<tf.ReshapeInputs>({ x: 'none' })],
  [tf.ResizeBilinear, readers<tf.ResizeBilinearInputs>({ images: 'none, but computed with' })],
  [tf.ResizeNearestNeighbor, readers<tf.ResizeNearestNeighborInputs>({ images: 'none, but computed with' })],
  [tf.Slice, readers<tf.SliceInputs>({ x: 'none' })],
  [tf.Sub, readers<tf.SubInputs>({ a: 'none', b: 'none' })],
  [tf.Sum, readers<tf.SumInputs>({ x: 'none' })],
  [tf.Tile, readers<tf.TileInputs>({ x: 'none, but computed with' })],
  [tf.UnsortedSegmentSum, readers<tf.UnsortedSegmentSumInputs>({ segmentIds: ['x'] })],
]);

/** Kernels whose gradients read all that is saved for them, whichever input they are of. */
export const readingAll: ReadonlySet<string> = new Set([
  tf.Abs,
  tf.Acos,
  tf.Acosh,
  tf.Asin,
  tf.Asinh,
  tf.Atan,
  tf.Atan2,
  tf.Atanh,
  tf.ClipByValue,
  tf.ComplexAbs,
  tf.Cos,
  tf.Cosh,
  tf.Dilation2D,
  tf.Elu,
  tf.Erf,
  tf.Exp,
  tf.Expm1,
  tf.FusedBatchNorm,
  tf.LRN,
  tf.LeakyRelu,
  tf.Log,
  tf.Log1p,
  tf.LogSoftmax,
  tf.Max,
  tf.MaxPool,
  tf.MaxPool3D,
  tf.Maximum,
  tf.Min,
  tf.Minimum,
  tf.Prod,
  tf.Reciprocal,
  tf.Relu,
  tf.Relu6,
  tf.Rsqrt,
  tf.Select,
  tf.Selu,
  tf.Sigmoid,
  tf.Sin,
  tf.Sinh,
  tf.Softmax,
  tf.Softplus,
  tf.Sqrt,
  tf.Square,
  tf.SquaredDifference,
  tf.Tan,
  tf.Tanh,
]);

/** Kernels whose gradients compute with a tensor of which they need the shape. */
export const computedWith: ReadonlySet<string> = new Set(
  [...readByGradients].flatMap(([kernelName, known]) =>
    known !== 'no input' && Object.values(known.inputs).includes('none, but computed with') ? [kernelName] : [],
  ),
);

/**
 * Ops with a gradient of their own, by the scopes that they run in, and the place of their output in what they save. With an activation
 * they would read it; but where a gradient is asked for, tfjs computes the activation by another op.
 */
export const unreadOutputs: ReadonlyMap<string, number> = new Map([
  ['fusedMatMul__op', 2],
  ['fusedConv2d__op', 2],
  ['fusedDepthwiseConv2d__op', 2],
]);

/** Who reads each tensor that a gradient has tfjs save, in their order; undefined where nobody said so. */
export function readersOf(config: tf.GradConfig): readonly ReadBy[] | 'all' | 'no input' | undefined {
  const { kernelName, inputsToSave = [], outputsToSave = [], saveAllInputs } = config;
  const known = readingAll.has(kernelName) ? 'all' : readByGradients.get(kernelName);
  if (!known || known === 'all') return known;
  if (known === 'no input') return saveAllInputs && !outputsToSave.includes(true) ? known : undefined;
  // Of a gradient that saves other tensors than tfjs's does, the table knows nothing.
  const savedOutputs = outputsToSave.filter((isSaved) => isSaved).length;
  const isAsKnown =
    !saveAllInputs &&
    savedOutputs === known.outputs.length &&
    inputsToSave.length === Object.keys(known.inputs).length &&
    inputsToSave.every((name) => name in known.inputs);
  return isAsKnown ? [...inputsToSave.map((name) => known.inputs[name]!), ...known.outputs] : undefined;
}
