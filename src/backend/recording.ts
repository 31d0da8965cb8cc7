import type { Variable } from '@tensorflow/tfjs-core';
import type { Binding, Dispatch, TensorData } from './device_backend.js';
import { type Arena, type PooledBuffer, sizeClass } from './free_buffers.js';

/** How many times larger than it has to be a buffer may be that outlives the step. */
const MOST_WASTE = 2;

/** A copy of one buffer's content into another. */
export interface Copy {
  readonly source: Binding;
  readonly target: Binding;
}

/** What a recording needs of the backend that it records. */
interface Recorded {
  readonly pool: {
    arena: Arena | null;
    onForeignRelease: ((pooled: PooledBuffer) => void) | null;
    of(buffer: GPUBuffer): PooledBuffer | undefined;
    pin(pooled: PooledBuffer): void;
    unpin(pooled: PooledBuffer): void;
    release(pooled: PooledBuffer): void;
    reclaim(pooled: PooledBuffer): void;
    acquireExclusive(bytes: number, usage: number): PooledBuffer;
    leaveArena(pooled: PooledBuffer): void;
    bindingOf(pooled: PooledBuffer, bytes: number): Binding;
  };
  recording: Recording | null;
  dataOf(tensor: { dataId: object }): TensorData;
  makeResident(data: TensorData): void;
  forgetValues(tensor: { dataId: object }): void;
  copyBinding(source: Binding, target: Binding): void;
  encode(command: Dispatch): void;
  encodeCopy(source: Binding, target: Binding): void;
  submit(): void;
  throwFailure(): void;
}

/** A tensor, or a variable, of tfjs's. */
interface Held {
  readonly dataId: object;
  readonly size: number;
  readonly isDisposed: boolean;
}

/**
 * The commands of a step, to be run again on the same buffers.
 *
 * While it records, new tensors come from an arena that recordings share: what a step computes on the way need not outlive it. What
 * must (uploaded constants, outputs) gets buffers of its own, which are pinned until the recording is disposed.
 */
export class Recording {
  /** The data that the step has made so far. */
  readonly made = new Set<TensorData>();
  /** Of it, what was uploaded, once: the values were JavaScript's. */
  private readonly uploaded = new Set<TensorData>();
  /** The most bytes of the arena that it has in use. */
  peak = 0;
  /** How often it was run again. */
  replays = 0;
  /** Why it can't be run again; null where it can. */
  problem: string | null = null;
  /** The data that was there before, and the buffers that it was found in. */
  private readonly used = new Map<TensorData, GPUBuffer>();
  private readonly written = new Set<TensorData>();
  /** The variables that it reads or writes, with their data. */
  private readonly variables = new Map<Variable, TensorData>();
  private readonly commands: Array<Dispatch | Copy> = [];
  private readonly writes: Array<() => void> = [];
  /** What several variables had. */
  private readonly sharedBefore = new Set<TensorData>();
  /** Whether variables lie elsewhere after the step than where it read them. */
  private hasMoved = false;
  private readonly pinned = new Set<PooledBuffer>();

  constructor(
    private readonly backend: Recorded,
    private readonly arena: Arena,
    /** The recordings that may be run again, which write into the arena's buffers. */
    private readonly live: Set<Recording>,
  ) {}

  /** Records what `body` does. */
  record<R>(body: () => R): R {
    const { backend } = this;
    const { pool } = backend;
    backend.recording = this;
    this.arena.begin();
    pool.arena = this.arena;
    pool.onForeignRelease = (pooled) => this.pin(pooled);
    try {
      return body();
    } finally {
      backend.recording = null;
      pool.arena = null;
      pool.onForeignRelease = null;
    }
  }

  add(command: Dispatch | Copy): void {
    this.commands.push(command);
  }

  /** Has `write` run before each replay, after those that were given before. */
  beforeReplay(write: () => void): void {
    this.writes.push(write);
  }

  /** Notes that data came into a buffer of its own, where replays find it. */
  uploads(data: TensorData, pooled: PooledBuffer): void {
    this.uploaded.add(data);
    this.pin(pooled);
  }

  computes(data: TensorData): boolean {
    return this.made.has(data) && !this.uploaded.has(data);
  }

  /** Notes that a command uses data that was there before. */
  uses(data: TensorData): void {
    this.used.set(data, data.resource as GPUBuffer);
  }

  /** Notes that a command changes data in place. */
  changes(data: TensorData): void {
    this.written.add(data);
  }

  /** The variables that replays change in place, and whose data others hold, too. */
  get sharedVariables(): Array<[Variable, TensorData]> {
    return [...this.variables].filter(([, data]) => data.refCount > 1 && this.written.has(data));
  }

  pin(pooled: PooledBuffer): void {
    if (this.pinned.has(pooled)) return;
    this.pinned.add(pooled);
    this.backend.pool.pin(pooled);
  }

  refuse(reason: string): never {
    this.problem = reason;
    throw new Error(`capture: ${reason}`);
  }

  /**
   * Ends the recording, within `record`: variables that were assigned new values get them in the buffers that they were read
   * from, outputs get buffers of their own, and so does all else that the step leaves behind.
   *
   * @param before Variables, with the data that they had.
   * @param outputs What the step returns.
   * @returns How many tensors the step leaves behind besides. Where there are any, it can't be run again.
   */
  finish(before: ReadonlyMap<Variable, TensorData>, outputs: readonly Held[]): number {
    const { backend } = this;
    const settled = new Set<TensorData>();
    const seen = new Set<TensorData>();
    for (const old of before.values()) {
      if (seen.has(old)) this.sharedBefore.add(old);
      seen.add(old);
    }
    for (const [variable, old] of before) {
      if (variable.isDisposed) continue;
      const data = backend.dataOf(variable);
      if (data !== old && this.made.has(data)) {
        this.writeBack(variable, data, old);
        settled.add(data);
      }
      if (this.used.has(data) || this.written.has(data)) this.variables.set(variable, data);
    }
    for (const output of outputs) {
      const data = backend.dataOf(output);
      if (settled.has(data) || !this.made.has(data)) continue;
      settled.add(data);
      if (data.resource) {
        this.separate(data, output.size * 4, true);
        backend.forgetValues(output);
      }
    }
    let left = 0;
    for (const data of this.made) {
      if (settled.has(data) || data.refCount <= 0 || !data.resource) continue;
      left++;
      this.separate(data, data.shape.reduce((size, length) => size * length, 1) * 4, false);
    }
    this.made.clear();
    this.uploaded.clear();
    this.peak = this.arena.peak;
    if (left === 0 && !this.problem) this.live.add(this);
    return left;
  }

  /** Has a variable's new value copied into the buffer that its old one was read from, which it takes over. */
  private writeBack(variable: Held, data: TensorData, old: TensorData): void {
    const { backend } = this;
    const { pool } = backend;
    if (!data.resource) backend.makeResident(data);
    const bytes = variable.size * 4;
    const buffer = this.used.get(old);
    const target = buffer && pool.of(buffer);
    if (target?.isFree && !this.sharedBefore.has(old)) {
      const source = pool.of(data.resource as GPUBuffer)!;
      backend.copyBinding(pool.bindingOf(source, bytes), pool.bindingOf(target, bytes));
      pool.reclaim(target);
      pool.release(source);
      data.resource = target.buffer;
      this.used.delete(old);
      this.used.set(data, target.buffer);
    } else {
      // Nothing reads the old value: the new one is written where it is. Or something else holds it still, or held it.
      if (target) this.hasMoved = true;
      this.separate(data, bytes, true);
    }
    backend.forgetValues(variable);
    this.written.add(data);
  }

  /** Gives data a buffer that no recording writes: but this one, if it `isWritten` on. */
  private separate(data: TensorData, bytes: number, isWritten: boolean): void {
    const { backend } = this;
    const { pool } = backend;
    const source = pool.of(data.resource as GPUBuffer);
    if (!source || bytes === 0) return;
    // An arena's buffers may be many times larger than what they are for, which is for a while.
    if (this.live.size === 0 && source.size <= MOST_WASTE * sizeClass(bytes, Number.POSITIVE_INFINITY)) {
      pool.leaveArena(source);
      if (isWritten) this.pin(source);
      return;
    }
    const target = pool.acquireExclusive(bytes, source.usage);
    backend.copyBinding(pool.bindingOf(source, bytes), pool.bindingOf(target, bytes));
    pool.release(source);
    data.resource = target.buffer;
    if (isWritten) this.pin(target);
  }

  /** Whether all that it reads and writes is where it was. */
  get isCurrent(): boolean {
    if (this.hasMoved || !this.live.has(this)) return false;
    for (const [variable, data] of this.variables) {
      if (variable.isDisposed || this.backend.dataOf(variable) !== data) return false;
    }
    for (const [data, buffer] of this.used) if (data.resource !== buffer) return false;
    return true;
  }

  /** Says that a variable's data was replaced by other data in the same buffer. */
  replace(variable: Variable, old: TensorData, data: TensorData): void {
    this.variables.set(variable, data);
    const buffer = this.used.get(old);
    if (buffer) this.used.set(data, buffer);
    this.used.delete(old);
    if (this.written.delete(old)) this.written.add(data);
  }

  /** Runs the commands again. */
  replay(): void {
    const { backend } = this;
    backend.throwFailure();
    this.replays++;
    // Commands that wait read what is written anew.
    if (this.writes.length > 0) backend.submit();
    for (const write of this.writes) write();
    for (const command of this.commands) {
      if ('pipeline' in command) backend.encode(command);
      else backend.encodeCopy(command.source, command.target);
    }
    backend.submit();
  }

  dispose(): void {
    this.live.delete(this);
    for (const pooled of this.pinned) this.backend.pool.unpin(pooled);
    this.pinned.clear();
    this.used.clear();
    this.variables.clear();
    this.commands.length = 0;
    this.writes.length = 0;
  }
}
