import type { Binding } from './device_backend.js';
import { NumbersMap } from './numbers_map.js';

export type UniformType = 'f32' | 'u32' | 'i32';

/** How many sets of values are remembered. */
const CAPACITY = 16384;
/** Sets of values that share a buffer, since making one takes a driver far longer than writing into it. */
const PAGE_BYTES = 64 * 1024;
/** How many buffers take turns for values that change on every call. */
const RING_SIZE = 8;
/** The most bytes of uniforms that a program has. */
const MOST_BYTES = 4096;

/** A uniform buffer whose values change. */
export interface UniformSlot extends Binding {
  /** The batch of commands that read it last. */
  usedBy: object | null;
}

/**
 * Uniforms by their content. Values that were seen before cost no write and find their bind group again. A place is never
 * written twice, so commands that wait to be submitted keep the values they were recorded with. Bind groups may hold a buffer
 * whose values were forgotten, so it is left to the garbage collector.
 */
export class Uniforms {
  private readonly known = new NumbersMap<Binding>(CAPACITY);
  private readonly rings = new Map<number, { next: number; slots: UniformSlot[] }>();
  private readonly bytes = new ArrayBuffer(MOST_BYTES);
  /** What is to be looked up or written, word by word. */
  private readonly words = new Int32Array(this.bytes);
  private readonly floats = new Float32Array(this.bytes);
  private page: { buffer: GPUBuffer; used: number } | null = null;
  private nextId = 0;
  private readonly alignment: number;

  constructor(private readonly device: GPUDevice) {
    this.alignment = device.limits.minUniformBufferOffsetAlignment;
  }

  /** Where the device finds `values`, each of four bytes. */
  get(types: readonly UniformType[], values: readonly number[]): Binding {
    this.pack(types, values);
    return this.find(values.length);
  }

  /** The same, of words that `write` fills in; it returns how many. */
  getWords(write: (words: Int32Array, floats: Float32Array) => number): Binding {
    return this.find(write(this.words, this.floats));
  }

  private find(count: number): Binding {
    const known = this.known.get(this.words, count);
    if (known) return known;
    const size = byteLength(count);
    const { buffer, offset } = this.place(size);
    this.words.fill(0, count, size / 4);
    this.device.queue.writeBuffer(buffer, offset, this.bytes, 0, size);
    const made = { buffer, offset, size, id: this.nextId++ };
    this.known.add(this.words, made, count);
    return made;
  }

  private place(size: number): { buffer: GPUBuffer; offset: number } {
    let { page } = this;
    if (!page || page.used + size > PAGE_BYTES) {
      const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
      page = { buffer: this.device.createBuffer({ size: PAGE_BYTES, usage }), used: 0 };
      this.page = page;
    }
    const offset = page.used;
    page.used += Math.ceil(size / this.alignment) * this.alignment;
    return { buffer: page.buffer, offset };
  }

  /**
   * A buffer for `count` values that are new on every call, such as a learning rate: it is written, not made. Whoever takes it
   * says in `usedBy` which batch reads it, and writes no new values before that is submitted.
   */
  nextSlot(count: number): UniformSlot {
    const size = byteLength(count);
    let ring = this.rings.get(size);
    if (!ring) {
      ring = { next: 0, slots: [] };
      this.rings.set(size, ring);
    }
    const index = ring.next;
    ring.next = (index + 1) % RING_SIZE;
    ring.slots[index] ??= this.newSlot(count);
    return ring.slots[index];
  }

  /** The same, for one command alone. */
  newSlot(count: number): UniformSlot {
    const size = byteLength(count);
    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
    return { buffer: this.device.createBuffer({ size, usage }), size, id: this.nextId++, usedBy: null };
  }

  write({ buffer }: UniformSlot, types: readonly UniformType[], values: readonly number[]): void {
    this.pack(types, values);
    this.device.queue.writeBuffer(buffer, 0, this.bytes, 0, values.length * 4);
  }

  private pack(types: readonly UniformType[], values: readonly number[]): void {
    const { words, floats } = this;
    for (let i = 0; i < values.length; i++) {
      if (types[i] === 'f32') floats[i] = values[i]!;
      else words[i] = values[i]!;
    }
  }
}

const byteLength = (count: number) => Math.ceil(count / 4) * 16;
