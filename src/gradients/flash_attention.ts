import { type Tensor, zerosLike } from '@tensorflow/tfjs-core';
import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import {
  FlashAttention,
  type FlashAttentionAttrs,
  FlashAttentionGrad,
  type FlashAttentionInputs,
  FlashAttentionWithLse,
} from '../kernels/contracts/flash_attention.js';
import type { Tensors } from '../kernels/contracts/shared/contract.js';

const SAVED = ['q', 'k', 'v', 'bias', 'sinks', 'keyLengths', 'segmentIds', 'cos', 'sin', 'y', 'lse'] as const;

type Saved = Tensors<FlashAttentionInputs, Tensor> & { readonly y: Tensor; readonly lse: Tensor };

function backward(
  dys: { readonly dy: Tensor; readonly dlse?: Tensor },
  saved: Saved,
  attrs: FlashAttentionAttrs,
  wants: { readonly bias: boolean; readonly sinks: boolean },
) {
  const { k, bias, sinks, cos, sin } = saved;
  const asked = { separate: k !== undefined, bias: !!bias && wants.bias, sinks: !!sinks && wants.sinks };
  const { dq, dk, dv, dbias, dsinks } = runKernel(FlashAttentionGrad, { ...saved, ...dys }, { ...attrs, ...asked });
  return {
    q: () => dq,
    k: () => dk,
    v: () => dv,
    bias: () => dbias,
    sinks: () => dsinks,
    // Not differentiable, but the tape asks for it when it depends on a variable.
    ...(cos && { cos: () => zerosLike(cos) }),
    ...(sin && { sin: () => zerosLike(sin) }),
  };
}

export const flashAttentionGradient = gradientOf(FlashAttention, {
  save: SAVED,
  hide: ['lse'],
  backward: ({ y: dy }, saved, attrs, wants) => backward({ dy }, saved, attrs, wants),
});

export const flashAttentionWithLseGradient = gradientOf(FlashAttentionWithLse, {
  save: SAVED,
  backward: ({ y: dy, lse: dlse }, saved, attrs, wants) => backward({ dy, dlse }, saved, attrs, wants),
});
