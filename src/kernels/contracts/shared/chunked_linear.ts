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

/** Bytes of logits that cost nothing beside what a model holds. */
const FREE_BYTES = 64e6;
/** Chunks are made of whole tiles of the matmul, two of them, of which a multiprocessor works on two at a time. */
const TOKENS_STEP = 256;
/**
 * Each chunk has dweight read and written, 8 · V · H bytes for its 6 · V · H floating point operations a token: with 256 tokens
 * that is a twentieth of the time. With H / 8 of them the logits are an eighth of dweight.
 */
const HIDDEN_A_TOKEN = 8;

/**
 * How many tokens should have their logits at once.
 *
 * @param rowBytes The bytes of one token's logits.
 */
export function tokensOfChunk(hidden: number, rowBytes: number): number {
  const wanted = Math.max(FREE_BYTES / rowBytes, hidden / HIDDEN_A_TOKEN, TOKENS_STEP);
  return Math.floor(wanted / TOKENS_STEP) * TOKENS_STEP;
}
