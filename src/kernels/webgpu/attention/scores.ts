import type { FlashAttentionAttrs, FlashAttentionInputs } from '../../contracts/flash_attention.js';
import type { AttentionShape } from '../../contracts/shared/attention_shape.js';
import type { UniformValue } from '../runtime/gpu.js';
import type { StorageType, UniformType } from '../runtime/program.js';
import { wgslFunction } from '../wgsl/activations.js';

/** What lies between q · k and the softmax, as far as programs are specialised by it. */
export interface ScoreSpec {
  /** Whether a query sees no keys further before, or after, its place than the uniforms of these names say. */
  readonly before: boolean;
  readonly after: boolean;
  /** Whether it sees but every `dilation`-th of those. */
  readonly dilated: boolean;
  /** What of `ranges` a block sees: nothing of it is needed, its range alone, or each token's segment too. */
  readonly visibility: 'all' | 'ranges' | 'segments';
  readonly softcap: boolean;
  readonly bias: boolean;
  readonly dropout: boolean;
}

export function scoreSpec(
  { bias, keyLengths, segmentIds }: FlashAttentionInputs,
  { before, after, dilation, softcap, dropout }: FlashAttentionAttrs,
): ScoreSpec {
  return {
    before: before >= 0,
    after: after >= 0,
    dilated: dilation > 1,
    visibility: segmentIds ? 'segments' : keyLengths ? 'ranges' : 'all',
    softcap: softcap > 0,
    bias: bias !== undefined,
    dropout: dropout > 0,
  };
}

export const LOG2_E = '1.4426950408889634';
export const LN_2 = '0.6931471805599453';
/** What a masked score is: so far below where a maximum starts that its exponential is 0. */
export const MASKED = '-3e38';
export const LOWEST_MAXIMUM = '-1e38';

export const scoreReads = ({ bias }: ScoreSpec): Record<string, StorageType> => (bias ? { bias: 'f32' } : {});

export const scoreUniforms = (spec: ScoreSpec): Record<string, UniformType> => ({
  queryHeads: 'u32',
  group: 'u32',
  queries: 'i32',
  keys: 'i32',
  /** A query's place among the keys is its number and this. */
  shift: 'i32',
  /** With softcap, divided by it; without, times log2(e). */
  scale: 'f32',
  ...(spec.before && { before: 'i32' }),
  ...(spec.after && { after: 'i32' }),
  ...(spec.dilated && { dilation: 'i32' }),
  ...(spec.visibility !== 'all' && { segmentsAt: 'u32', rangesAt: 'u32' }),
  ...(spec.softcap && { cap: 'f32' }),
  ...(spec.bias && { biasBatch: 'u32', biasHead: 'u32', biasRow: 'u32', biasColumn: 'u32' }),
  ...(spec.dropout && { seed: 'u32', dropBelow: 'u32', keepScale: 'f32' }),
});

export function scoreValues(
  { bias }: FlashAttentionInputs,
  { scale, softcap, before, after, dilation, dropout, seed }: FlashAttentionAttrs,
  { queryHeads, group, queries, keys }: AttentionShape,
): Record<string, UniformValue> {
  const [, heads = 1, rows = 1, columns = 1] = bias?.shape ?? [];
  const biasStride = (i: number, floats: number) => (bias && bias.shape[i]! > 1 ? floats : 0);
  return {
    queryHeads,
    group,
    queries,
    keys,
    shift: keys - queries,
    scale: softcap > 0 ? scale / softcap : scale * Math.LOG2E,
    before,
    after,
    dilation,
    cap: softcap * Math.LOG2E,
    biasBatch: biasStride(0, heads * rows * columns),
    biasHead: biasStride(1, rows * columns),
    biasRow: biasStride(2, columns),
    biasColumn: biasStride(3, 1),
    seed,
    dropBelow: dropout * 2 ** 32,
    keepScale: 1 / (1 - dropout),
  };
}

export const scoreDeclarations = ({ softcap, dropout }: ScoreSpec) => `
${softcap ? wgslFunction('tanh', 'f32') : ''}
${dropout ? MIX_BITS : ''}`;

/** Of Ellis' "Prospecting for hash functions": `lowbias32`. The composed kernel mixes the same way. */
const MIX_BITS = `
fn mixBits(value: u32) -> u32 {
  var x = value;
  x = (x ^ (x >> 16u)) * 0x7feb352du;
  x = (x ^ (x >> 15u)) * 0x846ca68bu;
  return x ^ (x >> 16u);
}`;

/** WGSL of a score, times log2(e), of the `product` of a query and a key. */
export function scoreOf({ softcap, bias }: ScoreSpec, product: string, biasRow: string, key: string): string {
  const score = softcap ? `u.cap * exactTanh(${product} * u.scale)` : `${product} * u.scale`;
  return bias ? `${score} + ${LOG2_E} * bias[${biasRow} + u32(${key}) * u.biasColumn]` : score;
}

/**
 * WGSL of whether a query at `place` sees `key`; the segments of both are named where there are segments. Without `&&`, which
 * would branch for each element.
 */
export function isVisible(
  { before, after, dilated, visibility }: ScoreSpec,
  place: string,
  key: string,
  segments: readonly [string, string],
): string {
  return [
    `(${key} < keyEnd)`,
    ...(before ? [`(${key} >= ${place} - u.before)`] : []),
    ...(after ? [`(${key} <= ${place} + u.after)`] : []),
    ...(dilated ? [`((${key} - ${place}) % u.dilation == 0)`] : []),
    ...(visibility === 'segments' ? [`(${segments[0]} == ${segments[1]})`] : []),
  ].join(' & ');
}

/** WGSL of whether some pair of places and keys, each from a first to a last one, may be masked. */
export function needsMask(
  { before, after, dilated, visibility }: ScoreSpec,
  [firstPlace, lastPlace]: readonly [string, string],
  [firstKey, lastKey]: readonly [string, string],
): string {
  if (dilated || visibility === 'segments') return 'true';
  return [
    `${lastKey} >= keyEnd`,
    ...(before ? [`${firstKey} < ${lastPlace} - u.before`] : []),
    ...(after ? [`${lastKey} > ${firstPlace} + u.after`] : []),
  ].join(' || ');
}

/** WGSL of the random bits of a row, a number among all rows of all heads, and of whether a key's weight is kept. */
export const rowBits = (row: string) => `mixBits(${row} ^ mixBits(u.seed))`;
export const isKept = (bits: string, key: string) => `mixBits(${bits} + u32(${key})) >= u.dropBelow`;

/** WGSL of a token's segment. */
export const segmentOf = (buffer: string, batch: string, token: string) =>
  `${buffer}[u.segmentsAt + ${batch} * u32(u.keys) + u32(clamp(${token}, 0, u.keys - 1))]`;
