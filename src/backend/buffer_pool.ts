import { Arena, FreeBuffers, type PooledBuffer, type SizedBinding, sizeClass } from './free_buffers.js';

/** What a pool needs of whoever records commands. */
export interface CommandOrder {
  /** The number of the batch that commands are recorded in now. */
  readonly batchNumber: number;
  /** Submits what was recorded, so that its buffers may be destroyed. */
  submit(): void;
  /** Tells of an allocation that the device could not make. */
  onOutOfMemory(error: Error): void;
}

/** From here on, in bytes, it is likely that the device may not have the memory. */
const LARGE = 64 * 2 ** 20;
/** How many times larger a buffer may be than what it is for. */
const WASTE = 1.25;
/** Unused buffers are kept while all together are at most this many times what tensors lately held at most. */
const SLACK = 1.5;
/** What is kept in any case, in bytes. */
const KEPT = 64 * 2 ** 20;
/** "Lately" is one to two times so many tensors ago. */
const WINDOW = 16384;

/**
 * Buffers that are used again. They come in sixteen sizes for each power of two, so that tensors of different shapes share them
 * and at most a sixteenth is wasted. What has not been used for longest is destroyed where the pool would otherwise become
 * much larger than what the program holds at a time, or than `memoryLimit`.
 *
 * It stands in for tfjs's BufferManager, whose methods of the same names it has.
 */
export class BufferPool {
  numBytesUsed = 0;
  numBytesAllocated = 0;
  numUsedBuffers = 0;
  numFreeBuffers = 0;
  /** The most bytes that buffers took, and that tensors held, since `resetPeak`. */
  peakAllocated = 0;
  peakUsed = 0;
  private readonly main = new FreeBuffers(WASTE);
  private readonly pooledOf = new WeakMap<GPUBuffer, PooledBuffer>();
  /** All that were not destroyed. */
  private readonly all = new Set<PooledBuffer>();
  private nextId = 0;
  private nextNumber = 0;
  private events = 0;
  /** The most bytes used in this window and in the one before. */
  private recent = { now: 0, before: 0, left: WINDOW };
  /** Of recorded steps. */
  private readonly arenas = new Set<Arena>();
  /** What a recorded step's buffers come from, while one is recorded. */
  arena: Arena | null = null;
  /** Notes a buffer that is given back while a step is recorded, though the step did not make it. */
  onForeignRelease: ((pooled: PooledBuffer) => void) | null = null;

  constructor(
    private readonly device: GPUDevice,
    private readonly order: CommandOrder,
    private readonly mostBytes: number,
    /** Bytes that buffers may take together. */
    public memoryLimit: number,
  ) {}

  /** A buffer of at least `bytes`; where `isIdle`, one that no command uses which waits to be submitted. */
  acquire(bytes: number, usage: number, isIdle = false): PooledBuffer {
    const size = sizeClass(bytes, this.mostBytes);
    const busy = isIdle ? this.order.batchNumber : undefined;
    const { arena } = this;
    let pooled = arena?.take(size, usage, busy);
    if (pooled) this.numFreeBuffers--;
    else pooled = this.take(size, usage, busy, arena ?? this.main);
    arena?.give(pooled);
    return this.use(pooled);
  }

  /** The same, of a buffer that no recorded step uses. */
  acquireExclusive(bytes: number, usage: number, isIdle = false): PooledBuffer {
    const busy = isIdle ? this.order.batchNumber : undefined;
    return this.use(this.take(sizeClass(bytes, this.mostBytes), usage, busy, this.main));
  }

  /** A buffer of exactly so many bytes, which the user sees. */
  acquireExact(bytes: number, usage: number): PooledBuffer {
    return this.use(this.make(Math.ceil(bytes / 4) * 4, usage, this.main));
  }

  private take(size: number, usage: number, busy: number | undefined, home: FreeBuffers): PooledBuffer {
    const pooled = this.main.take(size, usage, busy);
    if (!pooled) return this.make(size, usage, home);
    this.numFreeBuffers--;
    pooled.home = home;
    return pooled;
  }

  private use(pooled: PooledBuffer): PooledBuffer {
    pooled.isFree = false;
    this.numUsedBuffers++;
    this.numBytesUsed += pooled.size;
    const { recent } = this;
    if (this.numBytesUsed > recent.now) recent.now = this.numBytesUsed;
    if (this.numBytesUsed > this.peakUsed) this.peakUsed = this.numBytesUsed;
    if (--recent.left === 0) {
      this.recent = { now: this.numBytesUsed, before: recent.now, left: WINDOW };
      this.shrink(this.wanted());
    }
    return pooled;
  }

  /** Gives a buffer back that no command will use but those recorded so far. */
  release(pooled: PooledBuffer): void {
    if (pooled.isFree) return;
    pooled.isFree = true;
    this.numUsedBuffers--;
    if (!pooled.isBroken) this.numBytesUsed -= pooled.size;
    if (pooled.home instanceof Arena) pooled.home.used -= pooled.size;
    if (this.onForeignRelease && pooled.home !== this.arena) this.onForeignRelease(pooled);
    if (pooled.pins === 0) this.putBack(pooled);
  }

  /** Keeps a buffer from being used for anything else, though it may be released. */
  pin(pooled: PooledBuffer): void {
    pooled.pins++;
  }

  unpin(pooled: PooledBuffer): void {
    if (--pooled.pins === 0 && pooled.isFree) this.putBack(pooled);
  }

  /** Has a tensor hold a pinned buffer again that was released. */
  reclaim(pooled: PooledBuffer): void {
    if (!pooled.isFree) return;
    pooled.isFree = false;
    this.numUsedBuffers++;
    this.numBytesUsed += pooled.size;
  }

  private putBack(pooled: PooledBuffer): void {
    pooled.batch = this.order.batchNumber;
    if (pooled.isBroken) {
      this.destroy(pooled);
      return;
    }
    pooled.freedAt = this.events++;
    this.numFreeBuffers++;
    pooled.home.add(pooled);
  }

  /** Has a buffer of an arena belong to all once it is free. */
  leaveArena(pooled: PooledBuffer): void {
    if (pooled.home instanceof Arena) pooled.home.used -= pooled.size;
    pooled.home = this.main;
  }

  /** The bytes of an arena's buffers. */
  bytesOf(arena: Arena): number {
    let bytes = 0;
    for (const { home, size } of this.all) if (home === arena) bytes += size;
    return bytes;
  }

  /** Leaves an arena the buffers that were given out since its `begin`. */
  prune(arena: Arena): void {
    for (const pooled of arena.takeAll()) {
      if (!arena.given.has(pooled)) pooled.home = this.main;
      pooled.home.add(pooled);
    }
    this.shrink(this.wanted());
  }

  /** Makes an arena. */
  newArena(giveUp: () => void): Arena {
    const arena = new Arena(giveUp);
    this.arenas.add(arena);
    return arena;
  }

  /** Gives the free buffers of an arena back to all: its steps are recorded anew. */
  empty(arena: Arena): void {
    arena.giveUp();
    for (const pooled of arena.takeAll()) {
      pooled.home = this.main;
      this.main.add(pooled);
    }
  }

  /** Ends an arena. */
  dissolve(arena: Arena): void {
    this.empty(arena);
    for (const pooled of this.all) if (pooled.home === arena) pooled.home = this.main;
    this.arenas.delete(arena);
    this.shrink(this.wanted());
  }

  /** The pooled buffer that is this one. */
  of(buffer: GPUBuffer): PooledBuffer | undefined {
    return this.pooledOf.get(buffer);
  }

  /** The first `bytes` of a buffer, to be bound. */
  bindingOf(pooled: PooledBuffer, bytes: number): SizedBinding {
    if (pooled.binding?.size === bytes) return pooled.binding;
    let binding = pooled.others?.get(bytes);
    if (!binding) {
      binding = { buffer: pooled.buffer, size: bytes, id: this.nextId++ };
      if (pooled.binding) {
        pooled.others ??= new Map();
        if (pooled.others.size >= 64) pooled.others.clear();
        pooled.others.set(pooled.binding.size, pooled.binding);
        pooled.others.set(bytes, binding);
      }
    }
    pooled.binding = binding;
    return binding;
  }

  /** A number for a binding of a buffer that is not the pool's. */
  newBindingId(): number {
    return this.nextId++;
  }

  private make(size: number, usage: number, home: FreeBuffers): PooledBuffer {
    this.makeRoom(size);
    const { device } = this;
    // Commands that wait would be lost with those that use a buffer which the device has no memory for.
    if (size >= LARGE) this.order.submit();
    device.pushErrorScope('out-of-memory');
    const buffer = device.createBuffer({ size, usage });
    const before = this.numBytesAllocated;
    device.popErrorScope().then(
      (error) => {
        if (error) this.failed(pooled, before);
      },
      () => {}, // The device was lost, which is told elsewhere.
    );
    const pooled: PooledBuffer = {
      buffer,
      number: this.nextNumber++,
      size,
      usage,
      home,
      batch: -1,
      pins: 0,
      isBroken: false,
      isFree: true,
      freedAt: 0,
      binding: null,
      others: null,
    };
    this.pooledOf.set(buffer, pooled);
    this.all.add(pooled);
    this.numBytesAllocated += size;
    if (this.numBytesAllocated > this.peakAllocated) this.peakAllocated = this.numBytesAllocated;
    return pooled;
  }

  /** What buffers should take together at most, by what was used lately. */
  private wanted(): number {
    return Math.max(KEPT, SLACK * Math.max(this.recent.now, this.recent.before));
  }

  private makeRoom(size: number): void {
    const allocated = this.numBytesAllocated + size;
    const { memoryLimit } = this;
    const wanted = Math.min(memoryLimit, Math.max(this.wanted(), SLACK * (this.numBytesUsed + size)));
    if (allocated <= wanted) return;
    this.shrink(Math.max(0, wanted - size));
    if (this.numBytesAllocated + size > memoryLimit) {
      for (const arena of this.arenas) if (arena !== this.arena) this.empty(arena);
      this.shrink(Math.max(0, wanted - size));
    }
    if (this.numBytesAllocated + size > memoryLimit) {
      throw new Error(
        `Out of memory: a buffer of ${size} bytes was asked for where ${this.describe()}, of at most ${memoryLimit}.`,
      );
    }
  }

  private describe(): string {
    const { numBytesUsed, numBytesAllocated, numUsedBuffers } = this;
    return `tensors hold ${numBytesUsed} bytes in ${numUsedBuffers} buffers and ${numBytesAllocated - numBytesUsed} bytes are kept for reuse`;
  }

  /** Gives buffers back to the device, those first that were free for longest, until all take at most `bytes`. */
  shrink(bytes: number): void {
    while (this.numBytesAllocated > bytes) {
      const pooled = this.main.takeOldest();
      if (!pooled) return;
      this.numFreeBuffers--;
      this.destroy(pooled);
    }
  }

  private destroy(pooled: PooledBuffer): void {
    if (pooled.batch === this.order.batchNumber) this.order.submit();
    pooled.buffer.destroy();
    this.all.delete(pooled);
    if (!pooled.isBroken) this.numBytesAllocated -= pooled.size;
  }

  /**
   * The device had no memory for a buffer where it had made `before` bytes. Whoever asks next does not ask for much more than there
   * was, or than this much, where the buffer alone was the larger part.
   */
  private failed(pooled: PooledBuffer, before: number): void {
    const { size } = pooled;
    pooled.isBroken = true;
    if (this.all.has(pooled)) {
      this.numBytesAllocated -= size;
      if (!pooled.isFree) this.numBytesUsed -= size;
    }
    const held = this.describe();
    const left = size < before ? Math.min(size - 1, LARGE) : size - 1;
    this.memoryLimit = Math.min(this.memoryLimit, before + left);
    if (pooled.isFree && this.all.has(pooled) && pooled.pins === 0) {
      pooled.home.remove(pooled);
      this.numFreeBuffers--;
      this.destroy(pooled);
    }
    this.shrink(0);
    this.order.onOutOfMemory(
      new Error(
        `Out of memory: the device has none for a buffer of ${size} bytes where ${held}. What was computed with it is lost; ` +
          'other tensors are as they were.',
      ),
    );
  }

  /** Counts the most bytes from now on. */
  resetPeak(): void {
    this.peakAllocated = this.numBytesAllocated;
    this.peakUsed = this.numBytesUsed;
  }

  /** For tfjs's own code. */
  acquireBuffer(size: number, usage: number, mappedAtCreation = false, reuse = true): GPUBuffer {
    if (!mappedAtCreation && reuse) return this.acquire(size, usage).buffer;
    this.makeRoom(size);
    return this.device.createBuffer({ size, usage, mappedAtCreation });
  }

  /** For tfjs's own code. A buffer that is not the pool's is destroyed. */
  releaseBuffer(buffer: GPUBuffer): void {
    const pooled = this.pooledOf.get(buffer);
    if (pooled) this.release(pooled);
    else buffer.destroy();
  }

  dispose(): void {
    for (const { buffer } of this.all) buffer.destroy();
    this.all.clear();
    this.main.takeAll();
    this.numBytesUsed = this.numBytesAllocated = this.numUsedBuffers = this.numFreeBuffers = 0;
  }
}
