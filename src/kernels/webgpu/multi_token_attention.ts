import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import {
  type MapShape,
  MultiTokenAttention,
  MultiTokenAttentionGrad,
  mapShape,
  type Pair,
} from '../contracts/multi_token_attention.js';
import {
  arrangeProgram,
  type ConvolutionSpec,
  channelsTogether,
  convolutionProgram,
  TILE,
} from './multi_token_attention/convolution.js';
import {
  biasGradientProgram,
  type WeightGradientSpec,
  weightGradientLayout,
  weightGradientProgram,
} from './multi_token_attention/weight_gradient.js';
import { scoreGradientProgram, statsProgram } from './multi_token_attention/weights.js';
import type { Gpu } from './runtime/gpu.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { columnSum } from './shared/column_sum.js';

/** Workgroups among which rows are shared out that are summed over. */
const WANTED_WORKGROUPS = 528;

interface ConvolutionCall {
  readonly spec: Omit<ConvolutionSpec, 'vectors' | 'bias'>;
  /** Whether the weight is turned round, for the gradient of what it was multiplied by. */
  readonly turned: boolean;
  readonly tensors: { map: TensorInfo; stats?: TensorInfo; weight: TensorInfo; bias?: TensorInfo | undefined };
  readonly y: TensorInfo;
  readonly batches: number;
  readonly groups: number;
  readonly padding: Pair;
}

/** Records a masked convolution of maps [B, groups · inGroup, …] into `y`. */
function convolve(gpu: Gpu, { spec, turned, tensors, y, batches, groups, padding }: ConvolutionCall): void {
  const { kernel, inGroup, outGroup } = spec;
  const together = channelsTogether(outGroup);
  const blocks = Math.ceil(outGroup / together);
  const count = groups * blocks * inGroup * kernel[0] * kernel[1] * together;
  const arranged = gpu.output([count]);
  const { weight, ...maps } = tensors;
  gpu.run(
    arrangeProgram,
    { kernel, inGroup, outGroup, turned },
    { weight, arranged },
    { count },
    Math.ceil(count / 64),
  );
  const [inRows, inColumns] = maps.map.shape.slice(2) as [number, number];
  const [outRows, outColumns] = y.shape.slice(2) as [number, number];
  const uniforms = { inRows, inColumns, outRows, outColumns, ...paddingValues(padding), groups };
  const tiles = Math.ceil(outRows / TILE[0]) * Math.ceil(outColumns / TILE[1]);
  gpu.run(
    convolutionProgram,
    { ...spec, bias: maps.bias !== undefined, vectors: outColumns % 4 === 0 },
    { ...maps, arranged, y },
    uniforms,
    tiles * blocks * groups * batches,
  );
  gpu.release(arranged);
}

const paddingValues = ([paddingRows, paddingColumns]: Pair) => ({ paddingRows, paddingColumns });

export const multiTokenAttention = webgpuKernel(MultiTokenAttention, (gpu, { scores, weight, bias }, attrs) => {
  const { strides, padding, dilations, groups, sparse } = attrs;
  const { batches, channels, outChannels, length, kernel, out, inGroup, outGroup } = mapShape(
    scores.shape,
    weight.shape,
    attrs,
  );
  const stats = gpu.output([batches, channels, length, 2]);
  const rows = batches * channels * length;
  gpu.run(statsProgram, { columns: length, sparse }, { scores, stats }, { nan: Number.NaN }, { rows });
  const y = gpu.output([batches, outChannels, ...out]);
  convolve(gpu, {
    spec: { source: sourceOf(sparse), kernel, strides, dilations, gaps: [1, 1], inGroup, outGroup },
    turned: false,
    tensors: { map: scores, stats, weight, bias },
    ...{ y, batches, groups, padding },
  });
  return { y, stats };
});

const sourceOf = (sparse: boolean) => (sparse ? 'sparsemax' : 'softmax');

export const multiTokenAttentionGrad = webgpuKernel(
  MultiTokenAttentionGrad,
  (gpu, { dy, scores, stats, weight }, { dscores, dweight, dbias, ...attrs }) => {
    const { strides, padding, dilations, groups, sparse } = attrs;
    const shape = mapShape(scores.shape, weight.shape, attrs);
    const { batches, channels, length, kernel, inGroup, outGroup } = shape;

    const scoreGradient = () => {
      const gradient = gpu.output(scores.shape);
      const around = kernel.map((size, i) => dilations[i]! * (size - 1) - padding[i]!) as [number, number];
      convolve(gpu, {
        spec: {
          source: 'plain',
          kernel,
          strides: [1, 1],
          dilations,
          gaps: strides,
          inGroup: outGroup,
          outGroup: inGroup,
        },
        turned: true,
        tensors: { map: dy, weight },
        ...{ y: gradient, batches, groups, padding: around },
      });
      const rows = batches * channels * length;
      gpu.run(scoreGradientProgram, { columns: length, sparse }, { scores, stats, dscores: gradient }, {}, { rows });
      return gradient;
    };

    const weightGradient = () => {
      const spec: WeightGradientSpec = { source: sourceOf(sparse), kernel, strides, dilations, inGroup, outGroup };
      const { outBlocks, stripBlocks } = weightGradientLayout(spec);
      const [outRows, outColumns] = shape.out;
      const rows = batches * outRows;
      const workgroups = outBlocks * stripBlocks * groups;
      const slices = Math.min(rows, Math.ceil(WANTED_WORKGROUPS / workgroups));
      const size = util.sizeFromShape(weight.shape);
      const parts = gpu.output([slices, size]);
      const uniforms = { outRows, outColumns, rows, slices, groups, ...paddingValues(padding) };
      const all = { ...uniforms, inRows: length, inColumns: length };
      gpu.run(weightGradientProgram, spec, { map: scores, stats, dy, parts }, all, workgroups * slices);
      const total = gpu.output(weight.shape);
      columnSum(gpu, parts, slices, size, { total });
      gpu.release(parts);
      return total;
    };

    return {
      dscores: dscores ? scoreGradient() : undefined,
      dweight: dweight ? weightGradient() : undefined,
      dbias: dbias ? biasGradient(gpu, dy, shape) : undefined,
    };
  },
);

function biasGradient(gpu: Gpu, dy: TensorInfo, { batches, outChannels, out: [outRows, outColumns] }: MapShape) {
  const rows = batches * outRows;
  const slices = Math.min(rows, Math.ceil(WANTED_WORKGROUPS / outChannels));
  const parts = gpu.output([slices, outChannels]);
  const uniforms = { outChannels, outRows, outColumns, rows, slices };
  gpu.run(biasGradientProgram, {}, { dy, parts }, uniforms, slices * outChannels);
  const total = columnSum(gpu, parts, slices, outChannels);
  gpu.release(parts);
  return total;
}
