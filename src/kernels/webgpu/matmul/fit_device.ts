/** Finds out how fast a device is at products, and with it how to plan them. */
import type { DeviceFit } from '../../../backend/device_fit.js';
import { Gpu } from '../runtime/gpu.js';
import { type DeviceModel, isDeviceModel, MANY_TERMS, type ProductSize, productTime, STEPS } from './device_model.js';
import { type DeviceTimings, FEW_TERMS, modelOf, type TileTimings } from './device_timings.js';
import { FIXED_PLANS, Plans, planBy } from './plans.js';
import { DeviceStopwatch, type Stopwatch } from './stopwatch.js';
import { TILES } from './tile.js';

/** Products have at most as many floats. */
const MOST_FLOATS = 2 ** 24 + 2 ** 22;
/** More than a device's caches hold. */
const SUM_FLOATS = 2 ** 23;
/** A device is full where twice as many tiles take so many times as long. */
const JUMP = 1.35;
/** Tiles that take longer, in microseconds, are enough of them. */
const LONG_ENOUGH = 10_000;

/** What a transformer multiplies, as [m, n, k]: projections forward, for inputs and for weights, and logits. */
const PROBES: ReadonlyArray<readonly [m: number, n: number, k: number]> = [
  [64, 256, 256],
  [128, 512, 256],
  [64, 512, 512],
  [256, 768, 768],
  [256, 2304, 768],
  [256, 768, 3072],
  [512, 512, 512],
  [1024, 768, 768],
  [1024, 1536, 768],
  [1024, 768, 3072],
  [768, 768, 1024],
  [768, 3072, 1024],
  [2048, 512, 512],
  [512, 4096, 512],
];
/** Probes that should take longer, in microseconds, are left out: they are for faster devices. */
const LONGEST_PROBE = 20_000;
/** A model is used if products by its plans take at most this much of the time by the fixed ones, as a geometric mean ... */
const WORTHWHILE = 0.97;
/** ... and none takes more than this. */
const TOLERABLE = 1.05;

/** As many tiles, in a product about as high as it is wide. */
function sizeOf(tile: number, count: number, k = MANY_TERMS): ProductSize {
  const { rows, columns } = TILES[tile]!;
  let high = 1;
  while (count % (2 * high) === 0 && 4 * high * high <= count) high *= 2;
  return { m: high * rows, n: (count / high) * columns, k, batch: 1 };
}

const timeTiles = (watch: Stopwatch, tile: number, count: number, k?: number) =>
  watch.product(sizeOf(tile, count, k), { tile, slices: 1 });

const mostTiles = (tile: number) => Math.floor(MOST_FLOATS / (TILES[tile]!.rows * TILES[tile]!.columns));

/** How many tiles a device works on at once: where twice as many take longer, and then between the two. */
async function countAtOnce(watch: Stopwatch, tile: number): Promise<number> {
  let [few, many] = [1, 2];
  let [time, longer] = [await timeTiles(watch, tile, few), await timeTiles(watch, tile, many)];
  while (longer < JUMP * time) {
    few = many;
    many *= 2;
    if (many > mostTiles(tile)) return few;
    [time, longer] = [longer, await timeTiles(watch, tile, many)];
  }
  const limit = Math.sqrt(time * longer);
  while (many - few > 1) {
    const middle = (few + many) >> 1;
    if ((await timeTiles(watch, tile, middle)) < limit) few = middle;
    else many = middle;
  }
  return few;
}

async function timeTile(watch: Stopwatch, tile: number, atOnce: number): Promise<TileTimings> {
  const countOf = (steps: number) => Math.ceil((steps * atOnce) / 2);
  const few = await timeTiles(watch, tile, countOf(1), FEW_TERMS);
  const many: number[] = [];
  for (let steps = 1; steps <= STEPS; steps++) {
    if (steps > 2 && countOf(steps) > mostTiles(tile)) break;
    const time = await timeTiles(watch, tile, countOf(steps));
    many.push(time);
    if (time > LONG_ENOUGH && steps % 2 === 0) break;
  }
  return { few, many };
}

/** Measures what a model of the device is made from. */
export async function timeDevice(watch: Stopwatch): Promise<DeviceTimings> {
  const atOnce = Math.min(await countAtOnce(watch, 0), await countAtOnce(watch, 1));
  const tiles: TileTimings[] = [];
  for (const tile of TILES.keys()) tiles.push(await timeTile(watch, tile, atOnce));
  const dispatch = await watch.sum(4);
  // Two slices are read, and their sum is written.
  const sum = { floats: 3 * SUM_FLOATS, time: await watch.sum(SUM_FLOATS) };
  return { atOnce, dispatch, sum, tiles };
}

/** What products by the plans of `model` take of the time that they take by the fixed ones, of those that are planned differently. */
export async function compareWithFixed(watch: Stopwatch, model: DeviceModel, probes = PROBES): Promise<number[]> {
  const plans = new Plans(model, FIXED_PLANS);
  const ratios: number[] = [];
  for (const [m, n, k] of probes) {
    const [fixed, fitted] = [FIXED_PLANS.choose(m, n, k), plans.choose(m, n, k)];
    if (fixed.tile === fitted.tile && fixed.slices === fitted.slices) continue;
    const size = { m, n, k, batch: 1 };
    if (productTime(model, fitted.tile, fitted.slices, size) > LONGEST_PROBE) continue;
    const time = await watch.product(size, fixed);
    ratios.push((await watch.product(size, fitted)) / time);
  }
  return ratios;
}

/** Whether products gain by a model, given what they take of the time by the fixed plans. */
export function isWorthwhile(ratios: readonly number[]): boolean {
  if (ratios.length === 0) return false;
  const logarithms = ratios.map(Math.log);
  const mean = logarithms.reduce((sum, logarithm) => sum + logarithm, 0) / ratios.length;
  return Math.exp(mean) <= WORTHWHILE && Math.max(...ratios) <= TOLERABLE;
}

/** Products, planned by a model of the device where that is faster, and by the fixed plans where it is not. */
export const matmulFit: DeviceFit<DeviceModel> = {
  // Anew whenever what is measured changes.
  name: `matmul 1 ${TILES.map(({ rows, columns, depth }) => `${rows}x${columns}x${depth}`).join(' ')}`,
  accepts: isDeviceModel,
  use: planBy,
  async measure(backend) {
    const watch = new DeviceStopwatch(Gpu.of(backend));
    const model = modelOf(await timeDevice(watch));
    return isDeviceModel(model) && isWorthwhile(await compareWithFixed(watch, model)) ? model : undefined;
  },
};
