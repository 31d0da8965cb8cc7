import { cast, logicalAnd, mul, reshape, sub, type Tensor } from '@tensorflow/tfjs-core';
import { integer, number, type Option, type ResolvedConfig, required } from '../../checks/config_schema.js';
import type { FlashAttentionConfig } from '../../ops/flash_attention.js';
import { RotaryTables } from './rotary_tables.js';

/** Options of layers that attend. */
export const attentionSchema = {
  /** Heads of queries. */
  numHeads: required(integer(undefined, { min: 1 })),
  /** Heads of keys and values, a divisor of `numHeads`: each is shared by as many heads of queries. Default `numHeads`. */
  numKeyValueHeads: integer(undefined, { min: 1 }),
  /** How many keys a query sees, up to its own place; without `causal`, as many after it. Default all. */
  slidingWindow: integer(undefined, { min: 1 }),
  /** Bounds scores: softcap · tanh(score / softcap). Default none. */
  softcap: number(undefined, { min: 0, above: true }),
} as const;

/** The base of the angles of rotary position embedding, or false for none. */
export function rotary(fallback: number | false): Option<number | false> {
  const { expected, accepts } = number(undefined, { min: 0, above: true });
  return {
    default: fallback,
    expected: `${expected}, or false`,
    accepts: (value) => value === false || accepts(value),
  };
}

export interface AttentionOptions extends ResolvedConfig<typeof attentionSchema> {
  readonly causal: boolean;
  readonly rotary: number | false;
  readonly dropout: number;
}

/** What a call with tensors of a layer that attends may be given. A model of tfjs gives it `training` and `mask` alone. */
export interface AttentionCallArgs {
  /** Whether weights are dropped. `fit` sets it. */
  training?: boolean;
  /** Of the inputs, [B, T] each: which tokens are no padding. tfjs passes on what a layer before has computed. */
  mask?: Tensor | ReadonlyArray<Tensor | null> | null;
  /** Which keys a query sees, of a shape that broadcasts to [B, Tq, Tk] or [B, heads, Tq, Tk]. */
  attentionMask?: Tensor;
  /** As the option `causal`, for one call. */
  useCausalMask?: boolean;
}

/** A masked key's bias: its exponential is 0, and a query that sees no key gets zeros. It has room for a score beside it. */
const MASKED = -2e38;

/** How a layer attends, by its options. */
export class Attention {
  readonly heads: number;
  readonly keyHeads: number;
  private readonly tables: RotaryTables | undefined;

  constructor(
    label: string,
    private readonly options: AttentionOptions,
    readonly headSize: number,
  ) {
    const { numHeads, numKeyValueHeads = numHeads, rotary } = options;
    if (numHeads % numKeyValueHeads !== 0) {
      throw new Error(
        `${label}: numHeads must be a multiple of numKeyValueHeads = ${numKeyValueHeads}, but is ${numHeads}`,
      );
    }
    if (rotary !== false && headSize % 2 !== 0) {
      throw new Error(`${label}: with rotary heads must have an even size, but they have ${headSize}`);
    }
    [this.heads, this.keyHeads] = [numHeads, numKeyValueHeads];
    this.tables = rotary === false ? undefined : new RotaryTables(headSize, rotary);
  }

  /** Floats of a packed projection: of queries, keys and values. */
  get packedSizes(): [number, number, number] {
    const keys = this.keyHeads * this.headSize;
    return [this.heads * this.headSize, keys, keys];
  }

  /**
   * The options of flashAttention in a call over places up to `length`.
   *
   * @param padding [B, Tk]: which keys are there.
   * @param isSelf Whether queries and keys are of the same tokens.
   */
  config(
    length: number,
    { training = false, attentionMask, useCausalMask = false }: AttentionCallArgs,
    padding: Tensor | null | undefined,
    isSelf: boolean,
  ): FlashAttentionConfig<false> {
    const { causal, slidingWindow, softcap, dropout } = this.options;
    return {
      heads: this.heads,
      keyHeads: this.keyHeads,
      causal: causal || useCausalMask,
      slidingWindow,
      softcap,
      dropout: training ? dropout : 0,
      ...this.tables?.get(length),
      ...maskOf(attentionMask, padding, isSelf),
    };
  }

  dispose(): void {
    this.tables?.dispose();
  }
}

/** Tokens that are there are a segment, and padding is another one: blocks between them are skipped, and no row sees nothing. */
function maskOf(attentionMask: Tensor | undefined, padding: Tensor | null | undefined, isSelf: boolean) {
  if (!attentionMask && padding && isSelf) return { segmentIds: cast(padding, 'int32') };
  const masks: Tensor[] = [];
  if (attentionMask) masks.push(overHeads(attentionMask));
  if (padding) masks.push(reshape(padding, [padding.shape[0]!, 1, 1, padding.shape[1]!]));
  if (masks.length === 0) return undefined;
  const seen = masks.map((mask) => cast(mask, 'bool')).reduce((a, b) => logicalAnd(a, b));
  return { bias: mul(sub(1, cast(seen, 'float32')), MASKED) };
}

/** A mask of all heads, or of each. */
function overHeads(mask: Tensor): Tensor {
  if (mask.rank === 4) return mask;
  const [keys = 1, queries = 1, batches = 1] = [...mask.shape].reverse();
  return reshape(mask, [batches, 1, queries, keys]);
}
