/** How long products take on a device, by a model of it. Times are in microseconds. */
import { TILES } from './tile.js';

export interface DeviceModel {
  /** How many large tiles it works on at once; WebGPU doesn't tell. */
  readonly atOnce: number;
  /** For a dispatch: of the product, and of the sum of its slices. */
  readonly dispatch: number;
  /** For a float that the sum of the slices moves. */
  readonly sumFloat: number;
  /** Of each of TILES. */
  readonly tiles: readonly TileCost[];
}

export interface TileCost {
  /** For tiles with MANY_TERMS terms, half as many as the device works on at once, and in steps of as many, up to STEPS. */
  readonly times: readonly number[];
  /** For each, how much more it would take without terms: to begin and to end. */
  readonly begin: number;
}

/** Times are as a staircase, of which so many steps are measured. */
export const STEPS = 16;
export const MANY_TERMS = 768;

/** Measured on an H200, which has 132 multiprocessors. */
export const H200: DeviceModel = {
  atOnce: 132,
  dispatch: 1.9,
  sumFloat: 9.5e-7,
  tiles: [
    {
      begin: 0.015,
      times: [
        147.1, 149.6, 153.6, 147.6, 288.9, 290.8, 288.9, 294.3, 433.4, 435.7, 433.4, 441.2, 579.6, 579.6, 579.6, 590.4,
      ],
    },
    {
      begin: 0.029,
      times: [44.5, 44.7, 78.4, 78.4, 113.3, 113, 189.1, 189.1, 189.1, 189.1, 225.4, 224.1, 290.7, 297.3, 297.3, 303.4],
    },
    {
      begin: 0.032,
      times: [42.3, 43, 45.1, 45.1, 76.8, 75.4, 83.7, 83.7, 113.2, 112.7, 125.2, 125.2, 162.9, 168.8, 180.7, 188.5],
    },
    {
      begin: 0.039,
      times: [17.9, 18.2, 21.3, 20.5, 28.2, 28.2, 33.8, 33.7, 42.7, 42.1, 48.9, 49, 56.5, 55.6, 61.2, 61.1],
    },
  ],
};

/**
 * The time of as many steps. Beyond those that were measured, of which a slow device has few, the last of them repeat, and take as
 * long as all did on average.
 */
function timeOfSteps(times: readonly number[], steps: number): number {
  const known = times.length;
  if (steps <= known) return times[steps - 1]!;
  const period = Math.min(known, Math.max(2, 2 ** Math.floor(Math.log2(known / 2))));
  const repeated = Math.ceil((steps - known) / period) * period;
  return times[steps - repeated - 1]! + (repeated * times[known - 1]!) / known;
}

/** For as many tiles, of sums of `k` terms, without the dispatch. */
export function tileTime({ times, begin }: TileCost, atOnce: number, tiles: number, k: number): number {
  return timeOfSteps(times, Math.ceil((2 * tiles) / atOnce)) * (k / MANY_TERMS + begin);
}

/** One product, or several of one shape. */
export interface ProductSize {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly batch: number;
}

/** For a product in tiles of a number in TILES, with its sum split into `slices`. */
export function productTime(
  model: DeviceModel,
  number: number,
  slices: number,
  { m, n, k, batch }: ProductSize,
): number {
  const { rows, columns } = TILES[number]!;
  const tiles = Math.ceil(m / rows) * Math.ceil(n / columns) * slices * batch;
  const sum = slices > 1 ? m * n * (slices + 1) * model.sumFloat + model.dispatch : 0;
  return model.dispatch + tileTime(model.tiles[number]!, model.atOnce, tiles, k / slices) + sum;
}

const isPositive = (value: unknown) => Number.isFinite(value) && (value as number) > 0;

/** Whether something that was remembered, or measured, is a model. */
export function isDeviceModel(value: unknown): value is DeviceModel {
  const { atOnce, dispatch, sumFloat, tiles } = (value ?? {}) as Partial<DeviceModel>;
  return (
    [atOnce, dispatch, sumFloat].every(isPositive) &&
    Array.isArray(tiles) &&
    tiles.length === TILES.length &&
    tiles.every(({ times, begin }: Partial<TileCost>) => times?.length && [...times, 1 + begin!].every(isPositive))
  );
}
