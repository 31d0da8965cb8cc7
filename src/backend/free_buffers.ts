import type { Binding } from './device_backend.js';

export type SizedBinding = Binding & { readonly size: number };

/** A buffer of the pool. */
export interface PooledBuffer {
  readonly buffer: GPUBuffer;
  /** In the order in which buffers were made. */
  readonly number: number;
  readonly size: number;
  readonly usage: number;
  /** Where it goes once it is free. */
  home: FreeBuffers;
  /** The batch of commands that was recorded when it became free: the last that may use it. */
  batch: number;
  /** How many recordings rely on its content: it is not used for anything else meanwhile. */
  pins: number;
  /** Whether the device had no memory for it. */
  isBroken: boolean;
  /** Whether no tensor holds it. */
  isFree: boolean;
  /** When it became free, in the pool's count of such events. */
  freedAt: number;
  /** Its parts, by their bytes, as they are bound. */
  binding: SizedBinding | null;
  others: Map<number, SizedBinding> | null;
}

/**
 * Free buffers of a pool, by usage and size, in the order in which they were made. The first is taken: steps that repeat then get the
 * same buffers in the same order, and find their bind groups again.
 */
export class FreeBuffers {
  private readonly lists = new Map<number, PooledBuffer[]>();

  /** @param mostWaste How many times larger a buffer may be than what it is for. */
  constructor(private readonly mostWaste: number) {}

  add(pooled: PooledBuffer): void {
    const key = keyOf(pooled.size, pooled.usage);
    const list = this.lists.get(key);
    if (list) list.splice(placeOf(list, pooled.number), 0, pooled);
    else this.lists.set(key, [pooled]);
  }

  /** The smallest buffer that wastes little, and that no command of batch `busy` may use. */
  take(size: number, usage: number, busy?: number): PooledBuffer | undefined {
    const most = size * (size < SMALL ? Math.max(2, this.mostWaste) : this.mostWaste);
    for (let candidate = size; candidate <= most; candidate += stepOf(candidate)) {
      const list = this.lists.get(keyOf(candidate, usage));
      if (!list || list.length === 0) continue;
      if (busy === undefined) return list.shift();
      const place = list.findIndex(({ batch }) => batch !== busy);
      if (place >= 0) return list.splice(place, 1)[0];
    }
    return undefined;
  }

  remove(pooled: PooledBuffer): void {
    const list = this.lists.get(keyOf(pooled.size, pooled.usage)) ?? [];
    const place = list.indexOf(pooled);
    if (place >= 0) list.splice(place, 1);
  }

  /** Takes out the buffer that has been free for longest. */
  takeOldest(): PooledBuffer | undefined {
    let oldest: PooledBuffer | undefined;
    for (const list of this.lists.values()) {
      for (const pooled of list) if (!oldest || pooled.freedAt < oldest.freedAt) oldest = pooled;
    }
    if (oldest) this.remove(oldest);
    return oldest;
  }

  /** Takes out all. */
  takeAll(): PooledBuffer[] {
    const all = [...this.lists.values()].flat();
    this.lists.clear();
    return all;
  }
}

/**
 * The buffers of recorded steps, which have one turn after the other. A step of smaller shapes finds what it needs among those of a
 * larger one.
 */
export class Arena extends FreeBuffers {
  /** The bytes that are in use, and the most since `begin`. */
  used = 0;
  peak = 0;
  /** What was given out since `begin`. */
  given = new Set<PooledBuffer>();

  /** @param giveUp Has no recorded step run again that uses its buffers. */
  constructor(readonly giveUp: () => void) {
    super(ARENA_WASTE);
  }

  begin(): void {
    this.peak = this.used;
    this.given = new Set();
  }

  /** Notes that a buffer was given out. */
  give(pooled: PooledBuffer): void {
    this.given.add(pooled);
    this.used += pooled.size;
    if (this.used > this.peak) this.peak = this.used;
  }
}

/** Below this, in bytes, a buffer may be twice as large as what it is for: making another takes longer than it is worth. */
const SMALL = 16 * 2 ** 20;
/** The smallest buffer, in bytes. */
const SMALLEST = 256;
/** How many times larger a recorded step's buffer may be than what it is for. */
const ARENA_WASTE = 64;

/** The distance from one size of buffers to the next: sixteen sizes between a power of two and the next. */
const stepOf = (size: number) => Math.max(SMALLEST, 2 ** (Math.floor(Math.log2(size)) - 4));

/** Where a number belongs in a list that is in their order. */
function placeOf(list: readonly PooledBuffer[], number: number): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle]!.number < number) low = middle + 1;
    else high = middle;
  }
  return low;
}

const keyOf = (size: number, usage: number) => size * 1024 + usage;

/** The bytes of the buffer for so many bytes. */
export function sizeClass(bytes: number, most: number): number {
  const step = stepOf(Math.max(bytes, SMALLEST));
  const size = Math.max(SMALLEST, Math.ceil(bytes / step) * step);
  return size <= most ? size : Math.ceil(bytes / 4) * 4;
}
