import type { TensorInfo } from '@tensorflow/tfjs-core';
import {
  type ChunkedLinearAttrs,
  type ChunkedLinearInputs,
  tokensOfChunk,
  wantsAny,
} from '../../contracts/shared/chunked_linear.js';
import { linearFeatures } from '../../contracts/shared/linear_features.js';
import { type MatmulOperand, matmul, workspaceSize } from '../matmul/matmul.js';
import type { Gpu } from '../runtime/gpu.js';
import { asRows } from '../wgsl/row.js';
import { columnSum } from './column_sum.js';

/** The logits of some successive tokens. */
export interface Chunk {
  /** [at least count, stride]; a loss turns it into its gradient in place. */
  readonly logits: TensorInfo;
  /** The first token's number, and how many there are. */
  readonly first: number;
  readonly count: number;
}

/** What a loss does with a chunk: it records commands. */
export interface ChunkedLoss {
  /** The losses of the chunk's tokens. */
  loss(chunk: Chunk): void;
  /** The gradient of their logits in the place of the logits; padding becomes 0. Only where a gradient is wanted. */
  slopes(chunk: Chunk): void;
  /** The memory that the parts of a chunk's dx may take, of that of its logits. By default as much as is fastest. */
  readonly partsShare?: number;
}

/** The sizes of a linear layer whose rows of logits are padded to a multiple of four, so that any vocabulary is read in vec4s. */
export function chunkedLinearSizes({ x, weight }: ChunkedLinearInputs, { transposeWeight }: ChunkedLinearAttrs) {
  const [rows, hidden] = asRows(x.shape);
  const { outFeatures: vocabulary } = linearFeatures(weight, transposeWeight);
  return { rows, hidden, vocabulary, stride: Math.ceil(vocabulary / 4) * 4 };
}

/**
 * A loss over the logits x · weightᵀ + bias, which exist for a chunk of tokens at a time: their losses, their gradient in
 * place, and what follows from it as far as it is wanted: dx = dlogits · weight, dweight += dlogitsᵀ · x, dbias += Σ dlogits.
 */
export function chunkedLinear(
  gpu: Gpu,
  inputs: Pick<ChunkedLinearInputs, 'x' | 'weight'> & { bias?: TensorInfo | undefined },
  attrs: ChunkedLinearAttrs,
  { loss, slopes, partsShare }: ChunkedLoss,
): { dx: TensorInfo | undefined; dweight: TensorInfo | undefined; dbias: TensorInfo | undefined } {
  const { x, weight, bias } = inputs;
  const { transposeWeight, gradients } = attrs;
  const { rows, hidden, vocabulary, stride } = chunkedLinearSizes({ x, weight }, attrs);
  const dx = gradients.x ? gpu.output(x.shape) : undefined;
  const dweight = gradients.weight ? gpu.output(weight.shape) : undefined;
  const dbias = gradients.bias ? gpu.output([vocabulary]) : undefined;

  const size = chooseChunkSize(gpu, rows, hidden, stride * 4, attrs.chunkSize);
  const logits = gpu.output([size, stride]);
  // One for all chunks: on tfjs's own device what is given back is not used again before the next submission.
  const mostParts = partsShare && partsShare * size * stride;
  const workspace = dx && gpu.output([workspaceSize(gpu, size, hidden, vocabulary, mostParts)]);
  /** The weight in a sum over the hidden size or over the classes. */
  const classes = (over: 'hidden' | 'classes'): MatmulOperand => ({
    tensor: weight,
    layout: (over === 'classes') === transposeWeight ? 'kInner' : 'kOuter',
    stride: transposeWeight ? vocabulary : hidden,
  });
  const dlogits = (layout: MatmulOperand['layout']): MatmulOperand => ({ tensor: logits, layout, stride });

  // Without tokens there is one chunk without any, which sets the sums to 0.
  for (let first = 0; first < Math.max(rows, 1); first += Math.max(size, 1)) {
    const count = Math.min(size, rows - first);
    const chunk = { logits, first, count };
    const tokens = (layout: MatmulOperand['layout']): MatmulOperand => ({
      tensor: x,
      layout,
      stride: hidden,
      offset: first * hidden,
    });
    const a = tokens('kInner');
    matmul(gpu, { m: count, n: vocabulary, k: hidden, a, b: classes('hidden'), c: logits, bias, cStride: stride });
    loss(chunk);
    if (!wantsAny(gradients)) continue;
    slopes(chunk);
    const accumulate = first > 0;
    if (dx) {
      const into = { c: dx, cOffset: first * hidden, workspace, mostParts };
      matmul(gpu, { m: count, n: hidden, k: vocabulary, a: dlogits('kInner'), b: classes('classes'), ...into });
    }
    if (dweight) {
      const [x, d] = [tokens('kOuter'), dlogits('kOuter')];
      const product = transposeWeight
        ? { m: hidden, n: vocabulary, a: x, b: d }
        : { m: vocabulary, n: hidden, a: d, b: x };
      matmul(gpu, { ...product, k: count, c: dweight, accumulate });
    }
    if (dbias) columnSum(gpu, logits, count, vocabulary, { stride, total: dbias, accumulate });
  }
  gpu.release(logits, workspace);
  return { dx, dweight, dbias };
}

function chooseChunkSize(gpu: Gpu, rows: number, hidden: number, rowBytes: number, chunkSize: number): number {
  const { maxStorageBufferBindingSize, maxBufferSize } = gpu.limits;
  const most = Math.floor(Math.min(maxStorageBufferBindingSize, maxBufferSize) / rowBytes);
  return Math.min(chunkSize || tokensOfChunk(hidden, rowBytes), most, rows);
}
