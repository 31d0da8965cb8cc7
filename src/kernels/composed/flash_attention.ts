import {
  add,
  cast,
  concat,
  div,
  equal,
  exp,
  expandDims,
  fill,
  greaterEqual,
  less,
  lessEqual,
  log,
  logicalAnd,
  matMul,
  max,
  maximum,
  mod,
  mul,
  neg,
  range,
  reshape,
  slice,
  square,
  sub,
  sum,
  type Tensor,
  type Tensor4D,
  tanh,
  tensor,
  tidy,
  transpose,
  where,
  zerosLike,
} from '@tensorflow/tfjs-core';
import {
  FlashAttention,
  type FlashAttentionAttrs,
  FlashAttentionGrad,
  type FlashAttentionInputs,
  FlashAttentionWithLse,
} from '../contracts/flash_attention.js';
import { type AttentionShape, attentionShape } from '../contracts/shared/attention_shape.js';
import type { Tensors } from '../contracts/shared/contract.js';
import { mixBits } from '../contracts/shared/mix_bits.js';
import { composedKernel } from './shared/composed_kernel.js';
import { rotateHalves } from './shared/rotation.js';

/** Scores that a block of queries may have: they are computed for some queries at a time, so that not all are held at once. */
const BLOCK_SIZE = 2 ** 22;
/** A masked score, and where a maximum starts: so far above it that the exponential of a masked one is 0. */
const MASKED = -3e38;
const LOWEST_MAXIMUM = -1e38;

type Inputs = Tensors<FlashAttentionInputs, Tensor>;

/** A call's tensors as [B, H, T, D], q and k rotated. */
interface Operands {
  readonly q: Tensor4D;
  readonly k: Tensor4D;
  readonly v: Tensor4D;
}

function operandsOf({ q, k, v, cos, sin }: Inputs, shape: AttentionShape, { layout }: FlashAttentionAttrs): Operands {
  const { batches, queryHeads, keyHeads, queries, keys, headSize, isPacked } = shape;
  const heads = (x: Tensor, first: number, count: number, all: number, length: number) => {
    if (layout === 'bhtd') return x as Tensor4D;
    const rows = reshape(x, [batches, length, all, headSize]);
    const own = count === all ? rows : slice(rows, [0, 0, first, 0], [batches, length, count, headSize]);
    return transpose(own, [0, 2, 1, 3]) as Tensor4D;
  };
  const all = isPacked ? queryHeads + 2 * keyHeads : 0;
  const rotated = (x: Tensor4D): Tensor4D => (cos && sin ? rotateRows(x, cos, sin, false) : x) as Tensor4D;
  return {
    q: rotated(heads(q, 0, queryHeads, all || queryHeads, queries)),
    k: rotated(heads(k ?? q, queryHeads, keyHeads, all || keyHeads, keys)),
    v: heads(v ?? q, queryHeads + keyHeads, keyHeads, all || keyHeads, keys),
  };
}

/** Rotates x [B, H, T, D] by the last T angles. */
function rotateRows(x: Tensor, cos: Tensor, sin: Tensor, transposed: boolean): Tensor {
  const anglesOf = (angles: Tensor) => {
    const [batches, places, size] = angles.shape as [number, number, number];
    const rows = x.shape[2]!;
    return slice(angles, [0, places - rows, 0], [batches, rows, size]);
  };
  return rotateHalves(x, anglesOf(cos), anglesOf(sin), { layout: 'bhtd', transposed });
}

/** The blocks of queries: the first one's number, and how many. */
function blocksOf({ batches, queryHeads, queries, keys }: AttentionShape): Array<{ first: number; count: number }> {
  const size = Math.max(1, Math.min(queries, Math.floor(BLOCK_SIZE / (batches * queryHeads * keys))));
  return Array.from({ length: Math.ceil(queries / size) }, (_, i) => ({
    first: i * size,
    count: Math.min(size, queries - i * size),
  }));
}

interface Block {
  readonly first: number;
  readonly count: number;
}

/** [B, Hq, T, N] as [B, Hk, group · T, N], so that heads which share keys are one matrix. */
const byKeyHead = (x: Tensor, { batches, keyHeads }: AttentionShape) =>
  reshape(x, [batches, keyHeads, -1, x.shape[3]!]);
const byQueryHead = (x: Tensor, { batches, queryHeads }: AttentionShape) =>
  reshape(x, [batches, queryHeads, -1, x.shape[3]!]);

const rowsOf = (x: Tensor, { first, count }: Block) =>
  slice(x, [0, 0, first, 0], [x.shape[0]!, x.shape[1]!, count, x.shape[3]!]);

/** What a block's queries see, [1 or B, 1, count, Tk]; undefined for all. */
function visibilityOf(
  { keyLengths, segmentIds }: Inputs,
  { before, after, dilation }: FlashAttentionAttrs,
  { batches, queries, keys }: AttentionShape,
  { first, count }: Block,
): Tensor | undefined {
  const place = reshape(range(first + keys - queries, first + keys - queries + count, 1, 'float32'), [1, 1, count, 1]);
  const key = reshape(range(0, keys, 1, 'float32'), [1, 1, 1, keys]);
  const conditions: Tensor[] = [];
  if (before >= 0) conditions.push(greaterEqual(key, sub(place, before)));
  if (after >= 0) conditions.push(lessEqual(key, add(place, after)));
  if (dilation > 1) conditions.push(equal(mod(add(sub(key, place), dilation * (keys + queries)), dilation), 0));
  if (keyLengths) conditions.push(less(key, reshape(cast(keyLengths, 'float32'), [batches, 1, 1, 1])));
  if (segmentIds) {
    const own = slice(segmentIds, [0, first], [batches, count]);
    conditions.push(equal(reshape(own, [batches, 1, count, 1]), reshape(segmentIds, [batches, 1, 1, keys])));
  }
  return conditions.length > 0 ? conditions.reduce((a, b) => logicalAnd(a, b)) : undefined;
}

/** A block's scores [B, Hq, count, Tk], masked, and the tanh of what softcap bounds. */
function scoresOf(inputs: Inputs, operands: Operands, attrs: FlashAttentionAttrs, shape: AttentionShape, block: Block) {
  const { bias } = inputs;
  const { scale, softcap } = attrs;
  const products = byQueryHead(matMul(byKeyHead(rowsOf(operands.q, block), shape), operands.k, false, true), shape);
  const bounded = softcap > 0 ? tanh(mul(products, scale / softcap)) : undefined;
  let scores = bounded ? mul(bounded, softcap) : mul(products, scale);
  if (bias) scores = add(scores, bias.shape[2] === 1 ? bias : rowsOf(bias, block));
  const visible = visibilityOf(inputs, attrs, shape, block);
  return { scores: visible ? where(visible, scores, fill(scores.shape, MASKED)) : scores, bounded };
}

/** What dropout multiplies a block's weights by, [B, Hq, count, Tk]; undefined without it. */
function keptOf(
  { dropout, seed }: FlashAttentionAttrs,
  { batches, queryHeads, queries, keys }: AttentionShape,
  { first, count }: Block,
): Tensor | undefined {
  if (dropout === 0) return undefined;
  const dropBelow = Math.floor(dropout * 2 ** 32);
  const kept = new Float32Array(batches * queryHeads * count * keys);
  const seedBits = mixBits(seed());
  let at = 0;
  for (let head = 0; head < batches * queryHeads; head++) {
    for (let query = first; query < first + count; query++) {
      const bits = mixBits((head * queries + query) ^ seedBits);
      for (let key = 0; key < keys; key++) kept[at++] = mixBits(bits + key) >= dropBelow ? 1 / (1 - dropout) : 0;
    }
  }
  return tensor(kept, [batches, queryHeads, count, keys]);
}

/** [Hq] as a column beside the scores. */
const sinkColumn = (sinks: Tensor) => reshape(sinks, [1, -1, 1, 1]);

function forward(inputs: Inputs, attrs: FlashAttentionAttrs) {
  const shape = attentionShape(inputs, attrs);
  const { sinks } = inputs;
  const operands = operandsOf(inputs, shape, attrs);
  const blocks = blocksOf(shape).map((block) =>
    tidy(() => {
      const { scores } = scoresOf(inputs, operands, attrs, shape, block);
      let top = maximum(max(scores, -1, true), LOWEST_MAXIMUM);
      if (sinks) top = maximum(top, sinkColumn(sinks));
      const weights = exp(sub(scores, top));
      let total = sum(weights, -1, true);
      if (sinks) total = add(total, exp(sub(sinkColumn(sinks), top)));
      const kept = keptOf(attrs, shape, block);
      const values = byQueryHead(matMul(byKeyHead(kept ? mul(weights, kept) : weights, shape), operands.v), shape);
      const seesNothing = equal(total, 0);
      const y = where(seesNothing, zerosLike(values), div(values, where(seesNothing, fill(total.shape, 1), total)));
      // log(0) is not −∞ on every backend.
      const lse = where(seesNothing, fill(total.shape, -Infinity), add(top, log(total)));
      return [y, lse] as [Tensor, Tensor];
    }),
  );
  const y = join(blocks.map(([y]) => y));
  const lse = join(blocks.map(([, lse]) => lse));
  return { y: inLayout(y, shape.yShape, attrs), lse: reshape(lse, lse.shape.slice(0, 3)) };
}

const join = (blocks: Tensor[]) => (blocks.length === 1 ? blocks[0]! : concat(blocks, 2));

/** [B, H, T, D] in the call's layout. */
const inLayout = (x: Tensor, shape: readonly number[], { layout }: FlashAttentionAttrs) =>
  reshape(layout === 'bhtd' ? x : transpose(x, [0, 2, 1, 3]), [...shape]);

export const flashAttention = composedKernel(FlashAttention, forward);
export const flashAttentionWithLse = composedKernel(FlashAttentionWithLse, forward);

export const flashAttentionGrad = composedKernel(FlashAttentionGrad, (inputs, attrs) => {
  const shape = attentionShape(inputs, attrs);
  const { batches, queryHeads, keyHeads, queries, keys, headSize, isPacked, yShape } = shape;
  const { bias, sinks, lse, dlse, cos, sin } = inputs;
  const operands = operandsOf(inputs, shape, attrs);
  const ofY = (x: Tensor) =>
    attrs.layout === 'bhtd' ? x : transpose(reshape(x, [batches, queries, queryHeads, headSize]), [0, 2, 1, 3]);
  const [y, dy] = [ofY(inputs.y), ofY(inputs.dy)];
  const column = (x: Tensor) => expandDims(x, 3);
  const lseColumn = column(lse);
  const deltaOfY = sum(mul(y, dy), -1, true);
  const delta = dlse ? sub(deltaOfY, column(dlse)) : deltaOfY;

  /** What is added up over the blocks: dk, dv, and, where it has no rows of its own, the bias' gradient. */
  let sums: Tensor[] = [];
  const dqs: Tensor[] = [];
  const dbiases: Tensor[] = [];
  const hasRows = bias !== undefined && bias.shape[2]! > 1;
  for (const block of blocksOf(shape)) {
    const [dq, dk, dv, dbias] = tidy(() => {
      const { scores, bounded } = scoresOf(inputs, operands, attrs, shape, block);
      const logSums = rowsOf(lseColumn, block);
      // Where nothing is seen, lse is −∞ and every score is masked.
      const known = where(less(logSums, LOWEST_MAXIMUM / 2), zerosLike(logSums), logSums);
      const weights = exp(sub(scores, known));
      const kept = keptOf(attrs, shape, block);
      const dyBlock = byKeyHead(rowsOf(dy, block), shape);
      const products = byQueryHead(matMul(dyBlock, operands.v, false, true), shape);
      const dweights = kept ? mul(products, kept) : products;
      const dscores = mul(weights, sub(dweights, rowsOf(delta, block)));
      const dproducts = byKeyHead(bounded ? mul(dscores, sub(1, square(bounded))) : dscores, shape);
      const values = byKeyHead(kept ? mul(weights, kept) : weights, shape);
      const q = byKeyHead(rowsOf(operands.q, block), shape);
      const results = [
        byQueryHead(mul(matMul(dproducts, operands.k), attrs.scale), shape),
        mul(matMul(dproducts, q, true, false), attrs.scale),
        matMul(values, dyBlock, true, false),
      ];
      if (attrs.bias && bias) results.push(sumTo(dscores, bias.shape, hasRows));
      return results;
    }) as [Tensor, Tensor, Tensor, Tensor | undefined];
    dqs.push(dq);
    if (dbias && hasRows) dbiases.push(dbias);
    const parts = [dk, dv, ...(dbias && !hasRows ? [dbias] : [])];
    sums = sums.length === 0 ? parts : parts.map((part, i) => add(sums[i]!, part));
  }
  const back = (x: Tensor) => (cos && sin ? rotateRows(x, cos, sin, true) : x);
  const dq = back(join(dqs));
  const [dk, dv] = [back(sums[0]!), sums[1]!];
  const rows = (x: Tensor, heads: number, length: number) =>
    reshape(transpose(x, [0, 2, 1, 3]), [batches, length, heads * headSize]);
  const results = isPacked
    ? { dq: concat([rows(dq, queryHeads, queries), rows(dk, keyHeads, keys), rows(dv, keyHeads, keys)], -1) }
    : {
        dq: inLayout(dq, yShape, attrs),
        dk: inLayout(dk, inputs.k!.shape, attrs),
        dv: inLayout(dv, inputs.v!.shape, attrs),
      };
  const dsinks =
    attrs.sinks && sinks ? neg(sum(mul(exp(sub(sinkColumn(sinks), lseColumn)), delta), [0, 2, 3])) : undefined;
  return { ...results, dbias: attrs.bias ? (hasRows ? join(dbiases) : sums[2]) : undefined, dsinks };
});

/** Sums over the dimensions in which a bias has one element; over rows only if it has one row. */
function sumTo(x: Tensor, shape: readonly number[], hasRows: boolean): Tensor {
  const axes = [0, 1, 2, 3].filter((axis) => shape[axis] === 1 && x.shape[axis]! > 1 && !(axis === 2 && hasRows));
  return axes.length > 0 ? sum(x, axes, true) : x;
}
