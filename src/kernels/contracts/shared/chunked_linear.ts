import type { TensorInfo } from '@tensorflow/tfjs-core';

/** What the contracts of losses over a linear layer share, whose logits exist for a chunk of tokens at a time. */
export interface ChunkedLinearInputs {
  /** [..., H] */
  x: TensorInfo;
  /** [V, H], or [H, V] with transposeWeight. */
  weight: TensorInfo;
  /** [V] */
  bias?: TensorInfo;
  /** [...]: what the gradient of each token's loss is multiplied by; 1 unless given. */
  dy?: TensorInfo;
}

export interface ChunkedLinearAttrs {
  transposeWeight: boolean;
  /** Tokens in a chunk; 0 to choose by memory. */
  chunkSize: number;
  /** Which gradients are computed beside the loss. */
  gradients: WantedGradients;
}

export interface WantedGradients {
  readonly x: boolean;
  readonly weight: boolean;
  /** Only with a bias. */
  readonly bias: boolean;
}

export const wantsAny = ({ x, weight, bias }: WantedGradients): boolean => x || weight || bias;

export const NO_GRADIENTS: WantedGradients = { x: false, weight: false, bias: false };

/** Outputs: the gradients that are wanted, dx [..., H], dweight in weight's layout and dbias [V]. */
export const chunkedLinearGradients = {
  dx: ({ gradients }: ChunkedLinearAttrs) => gradients.x,
  dweight: ({ gradients }: ChunkedLinearAttrs) => gradients.weight,
  dbias: ({ gradients }: ChunkedLinearAttrs) => gradients.bias,
};
