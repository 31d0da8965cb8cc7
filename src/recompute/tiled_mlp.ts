import { add, concat, slice, Tensor, tidy, util } from '@tensorflow/tfjs-core';
import { type ConfigOf, defaultsOf, integer, resolveConfig } from '../checks/config_schema.js';
import { fail } from '../checks/errors.js';
import { runDiscarding } from '../engine/discarding_tape.js';
import { gradientsThrough, recordNode } from '../engine/recorded_node.js';
import { newSeed } from '../engine/replay.js';
import { living } from './checkpoint.js';
import { withRandom } from './repeatable_random.js';

const name = 'tiledMlp';

const schema = {
  /** How many parts the tokens are cut into, all but the last of one size. Default ⌈T / H⌉. */
  shards: integer(undefined, { min: 1 }),
} as const;

/** Options of {@link tiledMlp}. */
export interface TiledMlpConfig extends ConfigOf<typeof schema> {}

const defaults = defaultsOf(schema);

/**
 * Runs a function of tokens, such as an MLP, on some of them at a time, forward and backward: what it computes in between is held
 * for one shard only, and computed again in the backward pass.
 *
 * Gradients reach x and the variables that `fn` uses. Random ops in it give the same numbers both times.
 *
 * From Snowflake's "Arctic Long Sequence Training" (2025); `apply_tiled_mlp` in Liger-Kernel.
 *
 * @param fn A synchronous function of `[..., t, H]` that treats each token by itself and returns `[..., t, O]`. Tensors that it
 *     uses besides must live until the backward pass, as variables do.
 * @param x `[..., T, H]`
 * @returns `[..., T, O]`
 * @throws If x is no tensor of two or more dimensions, or `fn` returns something else than a tensor with x's tokens.
 */
export function tiledMlp(fn: (x: Tensor) => Tensor, x: Tensor, config?: TiledMlpConfig): Tensor {
  if (typeof fn !== 'function') fail(name, 'fn', 'a function', fn);
  if (!(x instanceof Tensor) || x.rank < 2) fail(name, 'x', 'a tensor of shape [..., T, H]', x);
  const axis = x.rank - 2;
  const [tokens, hidden] = x.shape.slice(axis) as [number, number];
  const { shards = Math.ceil(tokens / hidden) } = resolveConfig(name, schema, defaults, config);
  const size = Math.max(1, Math.ceil(tokens / Math.max(1, shards)));
  const starts = Array.from({ length: Math.max(1, Math.ceil(tokens / size)) }, (_, i) => i * size);
  const shardOf = (whole: Tensor, start: number) => {
    const [begin, extent] = [whole.shape.map(() => 0), [...whole.shape]];
    begin[axis] = start;
    extent[axis] = Math.min(size, tokens - start);
    return slice(whole, begin, extent);
  };

  const runOn = (shard: Tensor) => checked(fn(shard), shard);

  return tidy(name, () => {
    const parts = starts.map((start) => {
      const seed = newSeed();
      const { value, used } = runDiscarding(() => withRandom(seed, () => runOn(shardOf(x, start))));
      return { start, seed, value, used };
    });
    // Recorded as one node, and not through the parts.
    const { value: y } = runDiscarding(() =>
      parts.length > 1
        ? concat(
            parts.map(({ value }) => value),
            axis,
          )
        : parts[0]!.value,
    );
    const used = [...new Set(parts.flatMap((part) => part.used))];
    if (used.length > 0) recordNode({ inputs: used, outputs: [y], save: [x], backward: backwardOf(used, parts) });
    return y;
  });

  function backwardOf(used: readonly Tensor[], parts: ReadonlyArray<{ start: number; seed: number }>) {
    return ([dy]: readonly Tensor[], [savedX]: readonly Tensor[]): Tensor[] => {
      const others = used.filter((tensor) => tensor !== x).map(living);
      const dxs: Tensor[] = [];
      let sums: Tensor[] = [];
      for (const { start, seed } of parts) {
        const ofShard = tidy(() => {
          const shard = shardOf(savedX!, start);
          const again = () => [withRandom(seed, () => runOn(shard))];
          const [dx, ...gradients] = gradientsThrough(again, [shard, ...others], [shardOf(dy!, start)]);
          return {
            dx: dx!,
            sums: sums.length > 0 ? gradients.map((gradient, i) => add(gradient, sums[i]!)) : gradients,
          };
        });
        for (const sum of sums) sum.dispose();
        dxs.push(ofShard.dx);
        sums = ofShard.sums;
      }
      const dx = dxs.length > 1 ? tidy(() => concat(dxs, axis)) : dxs[0]!;
      if (dxs.length > 1) for (const part of dxs) part.dispose();
      return used.map((tensor) => (tensor === x ? dx : sums[others.indexOf(tensor)]!));
    };
  }
}

function checked(y: unknown, shard: Tensor): Tensor {
  if (!(y instanceof Tensor) || y.rank !== shard.rank) {
    fail(name, 'what fn returns', `a tensor of rank ${shard.rank}`, y);
  }
  const tokens = shard.shape.slice(0, -1);
  if (!util.arraysEqual(y.shape.slice(0, -1), tokens)) {
    throw new Error(
      `${name}: what fn returns must have the tokens that it was given, [${tokens}], but has shape [${y.shape}]`,
    );
  }
  return y;
}
