import { type DeviceModel, MANY_TERMS, type TileCost } from './device_model.js';

/** What tiles took, in microseconds from the beginning of their dispatch to the end of the last one. */
export interface TileTimings {
  /** In steps of half as many as the device works on at once, with MANY_TERMS terms. */
  readonly many: readonly number[];
  /** As many as in the first step, with FEW_TERMS terms. */
  readonly few: number;
}

export const FEW_TERMS = 96;

/** What is measured of a device to make a model of it. Times are in microseconds. */
export interface DeviceTimings {
  readonly atOnce: number;
  /** Of a dispatch with next to nothing to do. */
  readonly dispatch: number;
  /** Of a sum of slices that moves as many floats. */
  readonly sum: { readonly floats: number; readonly time: number };
  /** Of each of TILES. */
  readonly tiles: readonly TileTimings[];
}

function costOf({ few, many }: TileTimings, dispatch: number): TileCost {
  // What takes hardly longer than its dispatch can't be told from it.
  const computing = (time: number) => Math.max(time - dispatch, time / 50);
  const ratio = Math.min(computing(few) / computing(many[0]!), 0.9);
  const begin = Math.max(0, (ratio - FEW_TERMS / MANY_TERMS) / (1 - ratio));
  return { times: many.map((time) => computing(time) / (1 + begin)), begin };
}

export function modelOf({ atOnce, dispatch, sum, tiles }: DeviceTimings): DeviceModel {
  return {
    atOnce,
    dispatch,
    sumFloat: Math.max(sum.time - dispatch, 0) / sum.floats,
    tiles: tiles.map((timings) => costOf(timings, dispatch)),
  };
}
