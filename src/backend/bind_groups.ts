import type { Binding } from './device_backend.js';
import { NumbersMap } from './numbers_map.js';

/** How many bind groups are remembered. */
const CAPACITY = 16384;

/** Bind groups by what they bind: steps that repeat find those of the step before. */
export class BindGroups {
  private readonly known = new NumbersMap<GPUBindGroup>(CAPACITY);
  private key = new Float64Array(32);

  constructor(private readonly device: GPUDevice) {}

  /** The group of a program's bindings, in the order of their numbers. */
  get(
    program: { readonly id: number; readonly layout: GPUBindGroupLayout },
    bindings: readonly Binding[],
  ): GPUBindGroup {
    const length = bindings.length + 1;
    if (this.key.length < length) this.key = new Float64Array(2 * length);
    const { key } = this;
    key[0] = program.id;
    for (let i = 0; i < bindings.length; i++) key[i + 1] = bindings[i]!.id;
    const known = this.known.get(key, length);
    if (known) return known;
    const entries = bindings.map(({ buffer, offset, size }, binding) => ({
      binding,
      resource: { buffer, ...(offset !== undefined && { offset }), ...(size !== undefined && { size }) },
    }));
    const made = this.device.createBindGroup({ layout: program.layout, entries });
    this.known.add(key, made, length);
    return made;
  }
}
