/** Calls of tfjs's kernels that save something for their gradients, each by the op that runs the kernel. */
import { random } from '../support/against_composed.js';
import { tf } from '../support/backend.js';

/** What a call is made of. */
export interface Sizes {
  m: number;
  n: number;
  k: number;
  /** Which of some shapes that are broadcast, or of some options. */
  variant: number;
}

export interface KernelCall {
  /** What is differentiated. */
  inputs: Record<string, tf.Tensor>;
  /** Other inputs of the kernel. */
  fixed?: Record<string, tf.Tensor>;
  f: (...inputs: tf.Tensor[]) => tf.Tensor;
}

type MakeCall = (sizes: Sizes) => KernelCall;

const binary =
  (op: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor, scale = 1, shift = 0): MakeCall =>
  ({ m, n, variant }) => {
    const shapes = [
      [
        [m, n],
        [m, n],
      ],
      [[m, n], [n]],
      [[], [m, n]],
      [
        [m, 1],
        [1, n],
      ],
    ] as const;
    const [a, b] = shapes[variant % shapes.length]!;
    const make = (shape: readonly number[], seed: number) =>
      tf.tidy(() => tf.add(tf.mul(random([...shape], seed), scale), shift));
    return { inputs: { a: make(a, 1), b: make(b, 2) }, f: (x, y) => op(x!, y!) };
  };

const unary =
  (op: (x: tf.Tensor, sizes: Sizes) => tf.Tensor, scale = 1, shift = 0): MakeCall =>
  (sizes) => ({
    inputs: { x: tf.tidy(() => tf.add(tf.mul(random([sizes.m, sizes.n]), scale), shift)) },
    f: (x) => op(x!, sizes),
  });

/** Numbers between 0.5 and 1.5. */
const positive = [0.5, 1] as const;

const image = ({ m, n, k }: Sizes, depth = k) => random([1, m + 2, n + 2, depth]);
const ofImage =
  (name: string, op: (x: tf.Tensor4D, sizes: Sizes) => tf.Tensor): MakeCall =>
  (sizes) => ({ inputs: { [name]: image(sizes) }, f: (x) => op(x as tf.Tensor4D, sizes) });
const ofVolume =
  (op: (x: tf.Tensor5D) => tf.Tensor): MakeCall =>
  ({ m, n, k }) => ({ inputs: { x: random([1, m + 1, n + 1, 2, k]) }, f: (x) => op(x as tf.Tensor5D) });

const list =
  (op: (xs: tf.Tensor[], sizes: Sizes) => tf.Tensor): MakeCall =>
  (sizes) => ({
    inputs: { 0: random([sizes.m, sizes.n], 1), 1: random([sizes.m, sizes.n], 2) },
    f: (...xs) => op(xs, sizes),
  });

const axes = ({ variant }: Sizes) => [0, 1, [0, 1], -1][variant % 4]!;
const indices = ({ m, n }: Sizes, below: number) =>
  tf.tensor1d(
    Array.from({ length: m + n }, (_, i) => (3 * i) % below),
    'int32',
  );

/** Of kernels whose gradients do not read all that is saved. */
export const callsOfReaders: Readonly<Record<string, MakeCall>> = {
  [tf.Add]: binary(tf.add),
  [tf.AddN]: list((xs) => tf.addN(xs)),
  [tf.ArgMax]: unary((x) => tf.mul(x, tf.sum(tf.argMax(x, 1)))),
  [tf.ArgMin]: unary((x) => tf.mul(x, tf.sum(tf.argMin(x, 1)))),
  [tf.AvgPool]: ofImage('x', (x, { variant }) => tf.avgPool(x, 2, 1 + (variant % 2), 'same')),
  [tf.AvgPool3D]: ofVolume((x) => tf.avgPool3d(x, 2, 1, 'same')),
  [tf.BatchMatMul]: ({ m, n, k, variant }) => {
    const batches = [
      [[], []],
      [[2], [2]],
      [[2], []],
      [[2], [1]],
      [[1], [2]],
    ] as const;
    const [a, b] = batches[variant % batches.length]!;
    const [flipA, flipB] = [variant % 2 === 1, variant % 3 === 1];
    return {
      inputs: {
        a: random([...a, ...(flipA ? [k, m] : [m, k])], 1),
        b: random([...b, ...(flipB ? [n, k] : [k, n])], 2),
      },
      f: (x, y) => tf.matMul(x!, y!, flipA, flipB),
    };
  },
  [tf.Concat]: list((xs, { variant }) => tf.concat(xs, variant % 2)),
  [tf.Conv2D]: (sizes) => ({
    inputs: { x: image(sizes), filter: random([2, 2, sizes.k, 2], 2) },
    f: (x, filter) => tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 1 + (sizes.variant % 2), 'same'),
  }),
  [tf.Conv2DBackpropInput]: (sizes) => ({
    inputs: { dy: image(sizes), filter: random([2, 2, 2, sizes.k], 2) },
    f: (dy, filter) =>
      tf.conv2dTranspose(dy as tf.Tensor4D, filter as tf.Tensor4D, [1, sizes.m + 2, sizes.n + 2, 2], 1, 'same'),
  }),
  [tf.Conv3D]: ({ m, n, k }) => ({
    inputs: { x: random([1, m + 1, n + 1, 2, k]), filter: random([2, 2, 1, k, 2], 2) },
    f: (x, filter) => tf.conv3d(x as tf.Tensor5D, filter as tf.Tensor5D, 1, 'same'),
  }),
  [tf.Cumsum]: unary((x, { variant }) => tf.cumsum(x, variant % 2, variant % 3 === 0, variant % 4 === 1)),
  [tf.DepthwiseConv2dNative]: (sizes) => ({
    inputs: { x: image(sizes), filter: random([2, 2, sizes.k, 2], 2) },
    f: (x, filter) => tf.depthwiseConv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 1, 'same'),
  }),
  [tf.ExpandDims]: ({ m, n, variant }) => ({
    inputs: { input: random([m, n]) },
    f: (x) => tf.mul(tf.expandDims(x!, variant % 3), 2),
  }),
  [tf.FloorDiv]: binary(tf.floorDiv, ...positive),
  [tf.GatherV2]: (sizes) => {
    const { m, n, k, variant } = sizes;
    const shape = [m + 1, n, k];
    const fixed =
      variant % 3 === 2
        ? tf.tensor2d(
            Array.from({ length: 2 * (m + 1) }, (_, i) => i % n),
            [m + 1, 2],
            'int32',
          )
        : indices(sizes, shape[variant % 3]!);
    return {
      inputs: { x: random(shape) },
      fixed: { indices: fixed },
      f: (x) => (variant % 3 === 2 ? tf.gather(x!, fixed, 1, 1) : tf.gather(x!, fixed, variant % 3)),
    };
  },
  [tf.GreaterEqual]: binary((a, b) => tf.add(tf.cast(tf.greaterEqual(a, b), 'float32'), tf.mul(a, b))),
  [tf.Mean]: unary((x, sizes) => tf.mean(x, axes(sizes), sizes.variant % 3 === 0)),
  [tf.MirrorPad]: unary((x) =>
    tf.mirrorPad(
      x,
      [
        [1, 0],
        [0, 1],
      ],
      'symmetric',
    ),
  ),
  [tf.Mod]: binary(tf.mod, ...positive),
  [tf.Multiply]: binary(tf.mul),
  // Of numbers that nothing depends on: integers have no gradient.
  [tf.OneHot]: (sizes) => {
    const fixed = indices(sizes, 3);
    return {
      inputs: { x: random([sizes.m + sizes.n, 3]) },
      fixed: { indices: fixed },
      f: (x) => tf.mul(x!, tf.oneHot(fixed, 3)),
    };
  },
  [tf.Pack]: list((xs, { variant }) => tf.stack(xs, variant % 3)),
  [tf.PadV2]: unary((x) =>
    tf.pad(
      x,
      [
        [1, 0],
        [0, 2],
      ],
      3,
    ),
  ),
  [tf.Pow]: binary(tf.pow, ...positive),
  [tf.Prelu]: ({ m, n, variant }) => ({
    inputs: { x: random([m, n], 1), alpha: random(variant % 2 === 0 ? [m, n] : [n], 2) },
    f: (x, alpha) => tf.prelu(x!, alpha!),
  }),
  [tf.RealDiv]: binary(tf.div, ...positive),
  [tf.Reshape]: unary((x, { m, n }) => tf.reshape(x, [m * n, 1])),
  [tf.ResizeBilinear]: ofImage('images', (x, { m, n }) => tf.image.resizeBilinear(x, [m + 4, n + 1])),
  [tf.ResizeNearestNeighbor]: ofImage('images', (x, { m, n }) => tf.image.resizeNearestNeighbor(x, [m + 4, n + 1])),
  [tf.Slice]: unary((x, { m }) => tf.slice(x, [m - 1, 0], [1, -1])),
  [tf.Sub]: binary(tf.sub),
  [tf.Sum]: unary((x, sizes) => tf.sum(x, axes(sizes), sizes.variant % 3 === 0)),
  [tf.Tile]: unary((x, { variant }) => tf.tile(x, [2, 1 + (variant % 3)])),
  [tf.UnsortedSegmentSum]: (sizes) => {
    const fixed = indices(sizes, 3);
    return {
      inputs: { x: random([sizes.m + sizes.n, sizes.k]) },
      fixed: { segmentIds: fixed },
      f: (x) => tf.unsortedSegmentSum(x!, fixed, 3),
    };
  },
};

/** Of kernels whose gradients read all that is saved. */
export const callsOfReadingAll: Readonly<Record<string, MakeCall>> = {
  [tf.Abs]: unary((x) => tf.abs(x)),
  [tf.Acos]: unary((x) => tf.acos(x), 0.5),
  [tf.Acosh]: unary((x) => tf.acosh(x), 0.5, 2),
  [tf.Asin]: unary((x) => tf.asin(x), 0.5),
  [tf.Asinh]: unary((x) => tf.asinh(x)),
  [tf.Atan]: unary((x) => tf.atan(x)),
  [tf.Atan2]: binary(tf.atan2, ...positive),
  [tf.Atanh]: unary((x) => tf.atanh(x), 0.5),
  [tf.ClipByValue]: unary((x) => tf.clipByValue(x, -0.5, 0.25)),
  [tf.Cos]: unary((x) => tf.cos(x)),
  [tf.Cosh]: unary((x) => tf.cosh(x)),
  [tf.Elu]: unary((x) => tf.elu(x)),
  [tf.Erf]: unary((x) => tf.erf(x)),
  [tf.Exp]: unary((x) => tf.exp(x)),
  [tf.Expm1]: unary((x) => tf.expm1(x)),
  [tf.FusedBatchNorm]: (sizes) => ({
    inputs: {
      x: image(sizes),
      mean: random([sizes.k], 2),
      variance: tf.tidy(() => tf.add(random([sizes.k], 3), 2)),
      offset: random([sizes.k], 4),
      scale: random([sizes.k], 5),
    },
    f: (...[x, mean, variance, offset, scale]) =>
      tf.batchNorm(x!, mean as tf.Tensor1D, variance as tf.Tensor1D, offset as tf.Tensor1D, scale as tf.Tensor1D),
  }),
  [tf.LeakyRelu]: unary((x) => tf.leakyRelu(x)),
  [tf.Log]: unary((x) => tf.log(x), ...positive),
  [tf.Log1p]: unary((x) => tf.log1p(x), ...positive),
  [tf.Max]: unary((x) => tf.max(x, 1)),
  [tf.MaxPool]: ofImage('x', (x) => tf.maxPool(x, 2, 1, 'same')),
  [tf.Maximum]: binary(tf.maximum),
  [tf.Min]: unary((x) => tf.min(x, 1)),
  [tf.Minimum]: binary(tf.minimum),
  [tf.Prod]: unary((x) => tf.prod(x, 1)),
  [tf.Reciprocal]: unary((x) => tf.reciprocal(x), ...positive),
  [tf.Relu]: unary((x) => tf.relu(x)),
  [tf.Relu6]: unary((x) => tf.relu6(x)),
  [tf.Rsqrt]: unary((x) => tf.rsqrt(x), ...positive),
  [tf.Select]: ({ m, n }) => {
    const condition = tf.tidy(() => tf.greater(random([m, n], 3), 0));
    return {
      inputs: { t: random([m, n], 1), e: random([m, n], 2) },
      fixed: { condition },
      f: (t, e) => tf.where(condition, t!, e!),
    };
  },
  [tf.Selu]: unary((x) => tf.selu(x)),
  [tf.Sigmoid]: unary((x) => tf.sigmoid(x)),
  [tf.Sin]: unary((x) => tf.sin(x)),
  [tf.Sinh]: unary((x) => tf.sinh(x)),
  [tf.Softmax]: unary((x) => tf.softmax(x)),
  [tf.Softplus]: unary((x) => tf.softplus(x)),
  [tf.Sqrt]: unary((x) => tf.sqrt(x), ...positive),
  [tf.Square]: unary((x) => tf.square(x)),
  [tf.SquaredDifference]: binary(tf.squaredDifference),
  [tf.Tan]: unary((x) => tf.tan(x)),
  [tf.Tanh]: unary((x) => tf.tanh(x)),
};
