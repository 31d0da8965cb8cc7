import type { Tensor } from '@tensorflow/tfjs-core';
import { scaleGradient } from '../../engine/scale_gradient.js';
import {
  type ChunkedLinearAttrs,
  type WantedGradients,
  wantsAny,
} from '../../kernels/contracts/shared/chunked_linear.js';

/** The outputs of a loss over a linear layer that computes its gradients in the forward pass. */
export const GRADIENTS = ['dx', 'dweight', 'dbias'] as const;

type Gradients = { readonly [K in (typeof GRADIENTS)[number]]?: Tensor | undefined };

/** Saves the gradients where the forward pass computes them, and otherwise what they are computed from. */
export function savesForChunkedLoss(name: string, { gradients }: ChunkedLinearAttrs): boolean {
  return GRADIENTS.some((gradient) => gradient === name) === wantsAny(gradients);
}

/**
 * The gradients of a loss over a linear layer: those of the forward pass, or, where each token's loss comes with a gradient of
 * its own, those that `compute` makes from the logits again.
 *
 * @param dy The gradient of the loss: a scalar, or one for each token.
 */
export function chunkedLossGradients(
  { gradients }: ChunkedLinearAttrs,
  dy: Tensor,
  saved: Gradients,
  compute: () => Gradients,
): { [K in keyof WantedGradients]: (() => Tensor) | undefined } {
  const fromForward = wantsAny(gradients);
  const { dx, dweight, dbias } = fromForward ? saved : compute();
  const give = (gradient: Tensor | undefined) =>
    gradient && (() => (fromForward ? scaleGradient(gradient, dy) : gradient));
  return { x: give(dx), weight: give(dweight), bias: give(dbias) };
}
