import { NumbersMap } from './numbers_map.js';
import type { Binding, UniformType } from './program.js';

/** How many sets of values a program's uniforms are remembered by. */
const CAPACITY = 1024;
/** How many buffers take turns for values that change on every call. */
const RING_SIZE = 8;

/** The types of a program's uniforms, and the buffers of the values that they had. */
export class UniformLayout {
  readonly known = new NumbersMap<Binding>(CAPACITY);

  constructor(readonly types: readonly UniformType[]) {}
}

/** A uniform buffer whose values change. */
export interface UniformSlot extends Binding {
  /** The batch of commands that read it last. */
  usedBy: object | null;
}

/**
 * Uniform buffers by their content. Values that were seen before cost no buffer write and find their bind group again;
 * the buffers are never written twice, so commands that wait to be submitted keep the values they were recorded with. Bind
 * groups may hold a buffer that was forgotten, so it is left to the garbage collector.
 */
export class UniformBuffers {
  private readonly rings = new Map<number, { next: number; slots: UniformSlot[] }>();
  private nextId = 0;

  constructor(private readonly device: GPUDevice) {}

  get({ types, known }: UniformLayout, values: readonly number[]): Binding {
    const binding = known.get(values);
    if (binding) return binding;
    const buffer = this.device.createBuffer({
      size: byteLength(values.length),
      usage: GPUBufferUsage.UNIFORM,
      mappedAtCreation: true,
    });
    pack(buffer.getMappedRange(), types, values);
    buffer.unmap();
    const made = { buffer, id: this.nextId++ };
    known.add(values, made);
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
