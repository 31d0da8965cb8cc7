import type { Tensor } from '@tensorflow/tfjs-core';
import { flag, integer, tensor } from '../../checks/config_schema.js';
import { isDifferentiated } from '../../engine/tape.js';
import { type ChunkedLinearAttrs, NO_GRADIENTS } from '../../kernels/contracts/shared/chunked_linear.js';

/** The options of losses over a linear layer, whose logits exist for a chunk of tokens at a time. */
export const chunkedLinearOptions = {
  /** Added to the logits, [V]. */
  bias: tensor(['V']),
  /** Takes the weight as [H, V] instead of [V, H]. Default false. */
  transposeWeight: flag(),
  /** Tokens whose logits exist at once. By default 256, or more where they take less than 64 MB or an eighth of the weight. */
  chunkSize: integer(undefined, { min: 1 }),
} as const;

/**
 * The kernel's attributes. Gradients are computed in the forward pass, and those alone that the tape may ask for.
 *
 * @param isReduced Whether the loss is one number. Otherwise each token's gradient is multiplied by one of its own before they
 *     are summed, so that they can't be computed ahead.
 */
export function chunkedLinearAttrs(
  { x, weight, bias }: { x: Tensor; weight: Tensor; bias: Tensor | undefined },
  { transposeWeight, chunkSize = 0 }: { transposeWeight: boolean; chunkSize?: number | undefined },
  isReduced: boolean,
): ChunkedLinearAttrs {
  const gradients = { x: isDifferentiated(x), weight: isDifferentiated(weight), bias: isDifferentiated(bias) };
  return { transposeWeight, chunkSize, gradients: isReduced ? gradients : NO_GRADIENTS };
}
