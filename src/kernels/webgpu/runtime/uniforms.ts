import type { UniformType } from './program.js';

/** How many sets of values are remembered before the older half is forgotten. */
const CAPACITY = 4096;
/** How many sets of values a program finds without making a key of them. */
const RECENT = 64;
/** How many buffers take turns for values that change on every call. */
const RING_SIZE = 8;

export interface UniformBuffer {
  readonly buffer: GPUBuffer;
  readonly id: number;
}

/** The types of a program's uniforms, and the sets of values that it had last. */
export class UniformLayout {
  readonly key: string;
  private readonly recent: Array<{ values: readonly number[]; buffer: UniformBuffer }> = [];

  constructor(readonly types: readonly UniformType[]) {
    this.key = types.join();
  }

  /** Numbers compare much faster than they turn into text. */
  find(values: readonly number[]): UniformBuffer | undefined {
    for (const known of this.recent) {
      let i = 0;
      while (i < values.length && Object.is(known.values[i], values[i])) i++;
      if (i === values.length) return known.buffer;
    }
    return undefined;
  }

  remember(values: readonly number[], buffer: UniformBuffer): void {
    if (this.recent.length >= RECENT) this.recent.shift();
    this.recent.push({ values, buffer });
  }
}

/**
 * Uniform buffers by their content. Values that were seen before cost no buffer write and find their bind group again;
 * the buffers are never written twice, so commands that wait to be submitted keep the values they were recorded with.
 */
export class UniformBuffers {
  private readonly buffers = new Map<string, UniformBuffer>();
  private readonly rings = new Map<number, { next: number; slots: UniformSlot[] }>();
  private nextId = 0;

  constructor(private readonly device: GPUDevice) {}

  get(layout: UniformLayout, values: readonly number[]): UniformBuffer {
    const recent = layout.find(values);
    if (recent) return recent;
    const buffer = this.getByKey(layout, values);
    layout.remember(values, buffer);
    return buffer;
  }

  private getByKey({ types, key: layoutKey }: UniformLayout, values: readonly number[]): UniformBuffer {
    const key = `${layoutKey}:${values.join()}`;
    const known = this.buffers.get(key);
    if (known) return known;
    const buffer = this.device.createBuffer({
      size: byteLength(values.length),
      usage: GPUBufferUsage.UNIFORM,
      mappedAtCreation: true,
    });
    pack(buffer.getMappedRange(), types, values);
    buffer.unmap();
    const made = { buffer, id: this.nextId++ };
    this.buffers.set(key, made);
    if (this.buffers.size > CAPACITY) this.forgetOlderHalf();
    return made;
  }

  /**
   * A buffer for `count` values that are new on every call, such as a learning rate: it is written, not made. Whoever takes it
   * says in `usedBy` which encoder's commands read it, and writes no new values before those are submitted.
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
    let slot = ring.slots[index];
    if (!slot) {
      const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
      slot = { buffer: this.device.createBuffer({ size, usage }), id: this.nextId++, usedBy: null };
      ring.slots[index] = slot;
    }
    return slot;
  }

  write({ buffer }: UniformSlot, { types }: UniformLayout, values: readonly number[]): void {
    const bytes = new ArrayBuffer(byteLength(values.length));
    pack(bytes, types, values);
    this.device.queue.writeBuffer(buffer, 0, bytes);
  }

  /** Bind groups may still hold these buffers, so they are left to the garbage collector. */
  private forgetOlderHalf(): void {
    let surplus = this.buffers.size - CAPACITY / 2;
    for (const key of this.buffers.keys()) {
      if (surplus-- <= 0) break;
      this.buffers.delete(key);
    }
  }
}

/** A uniform buffer whose values change. */
export interface UniformSlot extends UniformBuffer {
  usedBy: GPUCommandEncoder | null;
}

const byteLength = (count: number) => Math.ceil(count / 4) * 16;

function pack(target: ArrayBuffer, types: readonly UniformType[], values: readonly number[]): void {
  const view = new DataView(target);
  values.forEach((value, index) => {
    if (types[index] === 'f32') view.setFloat32(index * 4, value, true);
    else if (types[index] === 'i32') view.setInt32(index * 4, value, true);
    else view.setUint32(index * 4, value, true);
  });
}
