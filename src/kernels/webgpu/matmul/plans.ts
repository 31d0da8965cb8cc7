import { NumbersMap } from '../../../backend/numbers_map.js';
import type { Gpu } from '../runtime/gpu.js';
import { type DeviceModel, H200, type ProductSize, productTime, tileTime } from './device_model.js';
import { TILES, type Tile } from './tile.js';

const SLICES = [1, 2, 3, 4, 6, 8, 12, 16];
/** Splitting costs memory for the parts: floats that they may take unless a call says otherwise. */
const MOST_PARTS = 24e6;

export interface Plan {
  /** The tile's number in TILES. */
  readonly tile: number;
  /** Parts that the sum is split into; each is computed by its own workgroups, and they are added in order. */
  readonly slices: number;
}

/** A model errs by so much: what another plan would have to save, at the least, of the time by the usual one. */
const CLEARLY_LESS = 0.95;

/** Chooses how products are computed: by the least time that a model of the device expects. */
export class Plans {
  private readonly known = new NumbersMap<Plan>(4096);

  /** @param usual Plans that are kept to where the model expects no others to be clearly faster. */
  constructor(
    readonly model: DeviceModel,
    private readonly usual?: Plans,
  ) {}

  /** The tile and the split of the sum for a shape. The sums of several products are whole. */
  choose(m: number, n: number, k: number, mostParts = MOST_PARTS, batch = 1): Plan {
    const key = [m, n, k, mostParts, batch];
    const known = this.known.get(key);
    if (known) return known;
    const size = { m, n, k, batch };
    const usual = this.usual?.choose(m, n, k, mostParts, batch);
    let best: Plan = usual ?? { tile: 0, slices: 1 };
    let bestTime = usual ? CLEARLY_LESS * this.timeOf(usual, size) : Infinity;
    for (const [tile, { depth }] of TILES.entries()) {
      for (const slices of SLICES) {
        if (slices > 1 && (batch > 1 || slices * m * n > mostParts || k / slices < 8 * depth)) break;
        const time = this.timeOf({ tile, slices }, size);
        if (time >= bestTime) continue;
        bestTime = time;
        best = { tile, slices };
      }
    }
    this.known.add(key, best);
    return best;
  }

  /** Of plans that take about as long, the one with the fewest parts needs the least memory. */
  private timeOf({ tile, slices }: Plan, size: ProductSize): number {
    return productTime(this.model, tile, slices, size) * (1 + 0.0024 * slices);
  }

  /**
   * The number of the tile for a product whose sum can't be split, of those for which `suits` holds.
   *
   * @param groups How many parts of C's rows have tiles of their own, of sizes that are not known. Default 1: all of them.
   */
  chooseTile(m: number, n: number, k: number, suits: (tile: Tile) => boolean, groups = 1): number {
    const { atOnce, tiles } = this.model;
    const timeWith = (number: number) => {
      const tile = TILES[number]!;
      const rowTiles = groups === 1 ? Math.ceil(m / tile.rows) : m / tile.rows + groups / 2;
      const count = Math.ceil(rowTiles) * Math.ceil(n / tile.columns);
      return tileTime(tiles[number]!, atOnce, count, k);
    };
    const usual = this.usual?.chooseTile(m, n, k, suits, groups);
    let best = usual ?? 0;
    let bestTime = usual === undefined ? Infinity : CLEARLY_LESS * timeWith(usual);
    for (const [number, tile] of TILES.entries()) {
      if (!suits(tile)) continue;
      const time = timeWith(number);
      if (time >= bestTime) continue;
      best = number;
      bestTime = time;
    }
    return best;
  }
}

/** Those for an H200, which other devices have, too, until a model of theirs is there. */
export const FIXED_PLANS = new Plans(H200);

const fittedPlans = new WeakMap<GPUDevice, Plans>();

/** The plans for a device. */
export const plansOf = ({ device }: Pick<Gpu, 'device'>): Plans => fittedPlans.get(device) ?? FIXED_PLANS;

/** Has products on a device planned by a model of it from now on, or without one as on an H200. */
export function planBy(device: GPUDevice, model?: DeviceModel): void {
  if (model) fittedPlans.set(device, new Plans(model, FIXED_PLANS));
  else fittedPlans.delete(device);
}
