import type { Binding } from './device_backend.js';

/** How buffers that are no pool's are bound: the same part of one is the same binding. */
export class BufferBindings {
  private readonly known = new WeakMap<GPUBuffer, Binding>();

  /** @param newId Gives each binding its number. */
  constructor(private readonly newId: () => number) {}

  /** The first `bytes` of a buffer. */
  of(buffer: GPUBuffer, bytes: number): Binding {
    let binding = this.known.get(buffer);
    if (binding?.size !== bytes) {
      binding = { buffer, size: bytes, id: this.newId() };
      this.known.set(buffer, binding);
    }
    return binding;
  }
}
