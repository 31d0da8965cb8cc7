import { Tensor, type TensorLike } from '@tensorflow/tfjs-core';
import { type ConfigOf, flag, integer, number, oneOf, tensor } from '../checks/config_schema.js';
import { fail, show } from '../checks/errors.js';
import { float32, Signature } from '../checks/signature.js';
import { drawSeed } from '../engine/replay.js';
import { runKernel } from '../engine/run_kernel.js';
import {
  FlashAttention,
  type FlashAttentionAttrs,
  type FlashAttentionInputs,
  FlashAttentionWithLse,
} from '../kernels/contracts/flash_attention.js';
import { attentionShape } from '../kernels/contracts/shared/attention_shape.js';
import type { Tensors } from '../kernels/contracts/shared/contract.js';
import { rankOf } from './shared/rank_of.js';

const op = 'flashAttention';

const options = {
  /** A query sees no keys after its own place; the last query's place is the last key's. Default false. */
  causal: flag(),
  /** What products of queries and keys are multiplied by. Default D^−½. */
  scale: number(undefined),
  /** How many keys a query sees, up to its own place; without `causal`, as many after it. Default all. */
  slidingWindow: integer(undefined, { min: 1 }),
  /** Bounds scores: softcap · tanh(score / softcap). Default none. */
  softcap: number(undefined, { min: 0, above: true }),
  /** The keys of each batch that are there, [B], int32: those behind them are padding. Not differentiable. */
  keyLengths: tensor(['B'], 'int32'),
  /** Of packed sequences, [B, T], int32: a token sees its own segment alone. Not differentiable. */
  segmentIds: tensor(['B', 'Tq'], 'int32'),
  /** Added to the scores, of any shape that broadcasts to [B, Hq, Tq, Tk]. */
  bias: tensor(['B or 1', 'Hq or 1', 'Tq or 1', 'Tk or 1']),
  /** Cosines of rotary position embedding, [1 or B, T, D]: q and k are rotated as by `rope`, the last row of each by the last angles. */
  cos: tensor(['N', 'T', 'D']),
  /** Sines, of the same shape. */
  sin: tensor(['N', 'T', 'D']),
  /** A logit for each query head that takes part in the softmax and carries no value, [Hq]. */
  sinks: tensor(['Hq']),
  /** 'bhtd': q, k, v are [B, H, T, D]. 'bthd': [B, T, H, D]. Default 'bhtd'. */
  layout: oneOf(['bhtd', 'bthd'], 'bhtd'),
  /** The number of query heads, where tensors have their heads side by side, [B, T, H · D]. */
  heads: integer(undefined, { min: 1 }),
  /** The number of heads of keys and values there. Default `heads`. */
  keyHeads: integer(undefined, { min: 1 }),
  /** The share of attention weights that are dropped, those kept being scaled up. Default 0. */
  dropout: number(0, { min: 0, max: 1, below: true }),
  /** What the dropped ones follow from: the same seed drops the same ones. Default a random one in each call. */
  seed: integer(undefined, { min: 0, max: 2 ** 32 - 1 }),
  /** Returns an object with the logarithm of the sum of the exponentials of each row's scores, too. Default false. */
  returnLse: flag(),
} as const;

const byHead = new Signature(
  op,
  { q: float32('B', 'Hq', 'Tq', 'D'), k: float32('B', 'Hk', 'Tk', 'D'), v: float32('B', 'Hk', 'Tk', 'D') },
  options,
);
const byToken = new Signature(
  op,
  { q: float32('B', 'Tq', 'Hq', 'D'), k: float32('B', 'Tk', 'Hk', 'D'), v: float32('B', 'Tk', 'Hk', 'D') },
  options,
);
const sideBySide = new Signature(
  op,
  { q: float32('B', 'Tq', 'Hq·D'), k: float32('B', 'Tk', 'Hk·D'), v: float32('B', 'Tk', 'Hk·D') },
  options,
);
const packed = new Signature(op, { qkv: float32('B', 'Tq', '(Hq+2Hk)·D') }, options);

/** Options of {@link flashAttention}. */
export interface FlashAttentionConfig<L extends boolean = boolean> extends Omit<ConfigOf<typeof options>, 'returnLse'> {
  /** Returns an object with the logarithm of the sum of the exponentials of each row's scores, too. Default false. */
  returnLse?: L;
}

/** What {@link flashAttention} returns with `returnLse`. */
export interface FlashAttentionResult {
  y: Tensor;
  /** `[B, Hq, Tq]`, with a sink among the exponentials; −Infinity where a query sees no key. */
  lse: Tensor;
}

/** What {@link flashAttention} returns, by `returnLse`. */
export type FlashAttentionReturn<L extends boolean> = [L] extends [true]
  ? FlashAttentionResult
  : [L] extends [false]
    ? Tensor
    : Tensor | FlashAttentionResult;

/**
 * Attention: `softmax(q · kᵀ · scale) · v`, without ever holding the scores of all queries and keys. Each query head h reads
 * the keys and values of head `⌊h · Hk / Hq⌋`. A query that sees no key gives zeros.
 *
 * In float32, by online softmax over blocks of keys; the backward pass computes the scores again. Beyond its result a call
 * keeps one number a row. Blocks that are masked as a whole are skipped. Results and gradients repeat bit for bit.
 *
 * Dao, "FlashAttention-2" (2023); `torch.nn.functional.scaled_dot_product_attention` in PyTorch.
 *
 * @param q Queries `[B, Hq, Tq, D]`, or as `layout` says; or `[B, Tq, Hq · D]` with the option `heads`.
 * @param k Keys `[B, Hk, Tk, D]`, Hq a multiple of Hk. D is at most 256.
 * @param v Values, of the same shape.
 * @returns Of q's shape. Differentiable in q, k, v, bias and sinks.
 */
export function flashAttention<L extends boolean = false>(
  q: Tensor | TensorLike,
  k: Tensor | TensorLike,
  v: Tensor | TensorLike,
  config?: FlashAttentionConfig<L>,
): FlashAttentionReturn<L>;
/**
 * Attention over one packed projection, which no op has to slice.
 *
 * @param qkv Queries, keys and values side by side, `[B, T, (Hq + 2 Hk) · D]`, with the option `heads`.
 * @returns `[B, T, Hq · D]`. Differentiable in qkv, bias and sinks.
 */
export function flashAttention<L extends boolean = false>(
  qkv: Tensor | TensorLike,
  config: FlashAttentionConfig<L>,
): FlashAttentionReturn<L>;
export function flashAttention(
  ...args: [Tensor | TensorLike, unknown?, (Tensor | TensorLike)?, FlashAttentionConfig?]
): Tensor | FlashAttentionResult {
  const [q, second, v, config] = args;
  const body = (checked: Checked) => attend(checked) as never;
  if (args.length <= 2 && !(second instanceof Tensor)) return packed.call({ qkv: q }, second, body);
  const signature = rankOf(q) === 3 ? sideBySide : config?.layout === 'bthd' ? byToken : byHead;
  return signature.call({ q, k: second, v }, config, body);
}

interface Checked {
  readonly tensors: Readonly<Record<string, Tensor | undefined>>;
  readonly config: Required<Pick<FlashAttentionConfig, 'causal' | 'layout' | 'dropout' | 'returnLse'>> &
    FlashAttentionConfig;
}

function attend({ tensors, config }: Checked): Tensor | FlashAttentionResult {
  const { keyLengths, segmentIds, bias, sinks, cos, sin } = tensors;
  const qkv = tensors.qkv ?? tensors.q!;
  const inputs = { q: qkv, k: tensors.k, v: tensors.v, bias, sinks, keyLengths, segmentIds, cos, sin };
  const { causal, scale, slidingWindow, softcap = 0, dropout, returnLse } = config;
  const { seed: given } = config;
  const seed = given === undefined && dropout > 0 ? drawSeed() : () => given ?? 0;
  const heads = headsOf(inputs, config);
  const { headSize } = attentionShape(inputs, heads);
  checkShapes(inputs, heads);
  const attrs: FlashAttentionAttrs = {
    ...heads,
    scale: scale ?? headSize ** -0.5,
    softcap,
    before: slidingWindow ? slidingWindow - 1 : -1,
    after: causal ? 0 : slidingWindow ? slidingWindow - 1 : -1,
    dilation: 1,
    dropout,
    seed,
  };
  if (returnLse) return runKernel(FlashAttentionWithLse, inputs, attrs);
  return runKernel(FlashAttention, inputs, attrs).y;
}

type Inputs = Tensors<FlashAttentionInputs, Tensor>;
type Heads = Pick<FlashAttentionAttrs, 'layout' | 'queryHeads' | 'keyHeads'>;

/** The heads that tensors have by their shape, or by the options where they lie side by side. */
function headsOf({ q, k }: Inputs, { layout, heads, keyHeads }: Checked['config']): Heads {
  if (q.rank === 3) {
    if (heads === undefined) {
      throw new Error(`${op}: option 'heads' must be given, since heads lie side by side in ${show(q)}`);
    }
    const chosen = { layout: 'bthd', queryHeads: heads, keyHeads: keyHeads ?? heads } as const;
    const all = k ? heads : heads + 2 * chosen.keyHeads;
    const [name, width] = [k ? 'q' : 'qkv', q.shape[2]!];
    if (width % all !== 0) fail(op, name, `of a last dimension that is a multiple of ${all} heads`, q);
    if (k && k.shape[2] !== (width / all) * chosen.keyHeads) {
      fail(
        op,
        'k',
        `of a last dimension of ${(width / all) * chosen.keyHeads}, ${chosen.keyHeads} heads of q's size`,
        k,
      );
    }
    return chosen;
  }
  const axis = layout === 'bhtd' ? 1 : 2;
  const found = { layout, queryHeads: q.shape[axis]!, keyHeads: k!.shape[axis]! };
  const expect = (name: string, given: number | undefined, own: number) => {
    if (given !== undefined && given !== own)
      fail(op, `option '${name}'`, `${own}, as the shapes say, or left out`, given);
  };
  expect('heads', heads, found.queryHeads);
  expect('keyHeads', keyHeads, found.keyHeads);
  return found;
}

const LARGEST_HEAD = 256;

function checkShapes(inputs: Inputs, heads: Heads): void {
  const { q, k, bias, sinks, segmentIds, cos, sin } = inputs;
  const { batches, queryHeads, keyHeads, queries, keys, headSize } = attentionShape(inputs, heads);
  if (queryHeads % keyHeads !== 0) {
    throw new Error(`${op}: q must have a multiple of k's ${keyHeads} heads, but has ${queryHeads}`);
  }
  if (headSize > LARGEST_HEAD) fail(op, k ? 'q' : 'qkv', `of heads of at most ${LARGEST_HEAD} floats`, q);
  if (segmentIds && queries !== keys) {
    throw new Error(`${op}: segmentIds needs as many keys as queries, but there are ${keys} and ${queries}`);
  }
  const full = [batches, queryHeads, queries, keys];
  if (bias && !bias.shape.every((size, i) => size === 1 || size === full[i])) {
    fail(op, 'bias', `of a shape that broadcasts to [B, Hq, Tq, Tk] = [${full}]`, bias);
  }
  if (sinks && sinks.shape[0] !== queryHeads) fail(op, 'sinks', `of shape [Hq] = [${queryHeads}]`, sinks);
  if ((cos === undefined) !== (sin === undefined)) {
    throw new Error(`${op}: cos and sin must be given together, but ${cos ? 'sin' : 'cos'} is missing`);
  }
  if (!cos) return;
  const angles = [cos.shape[0] === 1 ? 1 : batches, Math.max(queries, keys), headSize];
  if (!cos.shape.every((size, i) => size === angles[i])) {
    fail(op, 'cos', `of shape [1 or B, T, D] = [1 or ${batches}, ${angles[1]}, ${headSize}]`, cos);
  }
  if (headSize % 2 !== 0)
    throw new Error(`${op}: with cos and sin heads must have an even size, but they have ${headSize}`);
}
