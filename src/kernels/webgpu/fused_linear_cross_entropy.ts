import type { KernelConfig, TensorInfo } from '@tensorflow/tfjs-core';
import {
  FusedLinearCrossEntropy,
  type FusedLinearCrossEntropyAttrs,
  type FusedLinearCrossEntropyInputs,
} from '../kernel_names.js';
import { columnSum } from './column_sum.js';
import {
  type CrossEntropyRows,
  crossEntropyGradient,
  crossEntropyLoss,
  crossEntropyResults,
  crossEntropyTotals,
} from './cross_entropy_rows.js';
import { type MatmulOperand, matmul, workspaceSize } from './matmul/matmul.js';
import { Gpu } from './runtime/gpu.js';
import { asRows } from './runtime/row.js';

/** Bytes of logits that exist at once, unless `chunkSize` says otherwise. */
const LOGITS_BUDGET = 200 * 2 ** 20;
/** Chunks are made of whole tiles of the matmul. */
const TOKENS_STEP = 128;

function chooseChunkSize(gpu: Gpu, rows: number, rowBytes: number, chunkSize: number): number {
  const { maxStorageBufferBindingSize, maxBufferSize } = gpu.limits;
  const most = Math.floor(Math.min(maxStorageBufferBindingSize, maxBufferSize) / rowBytes);
  if (chunkSize > 0) return Math.min(chunkSize, most, rows);
  const fits = Math.floor(LOGITS_BUDGET / rowBytes);
  const whole = Math.max(1, Math.floor(fits / TOKENS_STEP)) * TOKENS_STEP;
  return Math.min(whole, most, rows);
}

/**
 * Chunk by chunk of tokens: logits = x · weightᵀ + bias, their losses, their gradient in place, and what follows from it:
 * dx = dlogits · weight, dweight += dlogitsᵀ · x, dbias += Σ dlogits. Rows of logits are padded to a multiple of four, so that
 * any vocabulary is read in vec4s.
 */
export const fusedLinearCrossEntropyConfig: KernelConfig = {
  kernelName: FusedLinearCrossEntropy,
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { x, weight, labels, bias, classWeight, dy } = inputs as unknown as FusedLinearCrossEntropyInputs;
    const attributes = attrs as unknown as FusedLinearCrossEntropyAttrs;
    const { useTokenScaling, transposeWeight, chunkSize, gradients } = attributes;
    const gpu = Gpu.of(backend);
    const [rows, hidden] = asRows(x.shape);
    const vocabulary = weight.shape[transposeWeight ? 1 : 0]!;
    const stride = Math.ceil(vocabulary / 4) * 4;
    const call: CrossEntropyRows = {
      rows,
      vocabulary,
      stride,
      labels,
      weight: classWeight,
      attrs: attributes,
      tokenScaled: useTokenScaling,
    };
    const results = crossEntropyResults(gpu, call);
    const dx = gradients ? gpu.output(x.shape) : undefined;
    const dweight = gradients ? gpu.output(weight.shape) : undefined;
    const dbias = gradients && bias ? gpu.output(bias.shape) : undefined;

    const chunk = chooseChunkSize(gpu, rows, stride * 4, chunkSize);
    const logits = gpu.output([chunk, stride]);
    // One for all chunks: on tfjs's own device what is given back is not used again before the next submission.
    const workspace = gradients ? gpu.output([workspaceSize(chunk, hidden, vocabulary)]) : undefined;
    for (let first = 0; first < Math.max(rows, 1); first += Math.max(chunk, 1)) {
      const count = Math.min(chunk, rows - first);
      const tokens = (layout: MatmulOperand['layout']) => ({
        tensor: x,
        layout,
        stride: hidden,
        offset: first * hidden,
      });
      /** The weight, for a sum over the hidden size or over the classes. */
      const classes = (over: 'hidden' | 'classes'): MatmulOperand => {
        const inner = transposeWeight ? 'classes' : 'hidden';
        return {
          tensor: weight,
          layout: over === inner ? 'kInner' : 'kOuter',
          stride: transposeWeight ? vocabulary : hidden,
        };
      };
      const slopes = (layout: MatmulOperand['layout']) => ({ tensor: logits, layout, stride });
      matmul(gpu, count, vocabulary, hidden, tokens('kInner'), classes('hidden'), logits, { bias, cStride: stride });
      crossEntropyLoss(gpu, call, results, logits, first, count);
      if (!gradients) continue;
      crossEntropyGradient(gpu, call, results, { dlogits: logits, dy }, first, count);
      const accumulate = first > 0;
      const dxPart = { cOffset: first * hidden, workspace };
      matmul(gpu, count, hidden, vocabulary, slopes('kInner'), classes('classes'), dx!, dxPart);
      const dweightPart = { epilogue: { accumulate } };
      if (transposeWeight) {
        matmul(gpu, hidden, vocabulary, count, tokens('kOuter'), slopes('kOuter'), dweight!, dweightPart);
      } else {
        matmul(gpu, vocabulary, hidden, count, slopes('kOuter'), tokens('kOuter'), dweight!, dweightPart);
      }
      if (dbias) columnSum(gpu, logits, count, vocabulary, { stride, total: dbias, accumulate });
    }

    const totals = crossEntropyTotals(gpu, call, results);
    gpu.release(logits, workspace, results.stats, results.lse, results.tokenScale);
    return [...totals, dx, dweight, dbias].filter((output): output is TensorInfo => output !== undefined);
  },
};
