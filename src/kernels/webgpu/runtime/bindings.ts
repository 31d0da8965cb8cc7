import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import type { DeviceBackend, TensorData } from '../../../backend/device_backend.js';
import type { CompiledProgram } from './compiled_programs.js';
import { NumbersMap } from './numbers_map.js';
import type { Binding } from './program.js';

/** The longest tensor in JavaScript's memory that is remembered by its content, and how many are. */
const MOST_CONSTANTS = 4;
const CONSTANTS_CAPACITY = 256;
/** How many bind groups are remembered. */
const GROUP_CAPACITY = 16384;

/** The buffers that tensors are bound by, and the bind groups of them that were used before. */
export class Bindings {
  private readonly known = new WeakMap<GPUBuffer, Binding>();
  private nextId = 0;
  private readonly groups = new NumbersMap<GPUBindGroup>(GROUP_CAPACITY);
  private readonly constants = new NumbersMap<Binding>(CONSTANTS_CAPACITY);

  constructor(
    private readonly backend: DeviceBackend,
    private readonly limits: { readonly maxStorageBufferBindingSize: number },
  ) {}

  /** The tensor that a program reads by `name`. */
  read(program: CompiledProgram, name: string, info: TensorInfo | undefined): Binding {
    const [given, data] = this.find(program, name, info);
    return this.constantOf(given, data) ?? this.bind(program, name, given, data);
  }

  /** The tensor that a program writes by `name`. */
  write(program: CompiledProgram, name: string, info: TensorInfo | undefined): Binding {
    return this.bind(program, name, ...this.find(program, name, info));
  }

  private find(program: CompiledProgram, name: string, info: TensorInfo | undefined): [TensorInfo, TensorData] {
    if (!info) throw new Error(`${program.name}: nothing is bound to '${name}'`);
    return [info, this.backend.dataOf(info)];
  }

  private bind(program: CompiledProgram, name: string, info: TensorInfo, data: TensorData): Binding {
    const { backend } = this;
    const known = data.resource && this.known.get(data.resource as GPUBuffer);
    if (known) {
      backend.use(info);
      return known;
    }
    const bytes = util.sizeFromShape(info.shape) * 4;
    // A binding can't be empty. What stands in for an empty tensor is never read or written, but must not be shared.
    if (bytes === 0) return this.bindingOf(backend.device.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE }));
    if (bytes > this.limits.maxStorageBufferBindingSize) {
      throw new Error(
        `${program.name}: ${name} of shape [${info.shape}] needs ${bytes} bytes; ` +
          `this WebGPU device binds at most ${this.limits.maxStorageBufferBindingSize}.`,
      );
    }
    return this.bindingOf(backend.bufferOf(info));
  }

  /** The bind group of a program's bindings, in the order in which it declares them. */
  group({ id, layout }: CompiledProgram, bindings: readonly Binding[]): GPUBindGroup {
    const key = [id];
    for (const binding of bindings) key.push(binding.id);
    const known = this.groups.get(key);
    if (known) return known;
    const entries = bindings.map(({ buffer }, binding) => ({ binding, resource: { buffer } }));
    const made = this.backend.device.createBindGroup({ layout, entries });
    this.groups.add(key, made);
    return made;
  }

  private bindingOf(buffer: GPUBuffer): Binding {
    let binding = this.known.get(buffer);
    if (!binding) {
      binding = { buffer, id: this.nextId++ };
      this.known.set(buffer, binding);
    }
    return binding;
  }

  /**
   * The buffer of a few values that are still in JavaScript's memory, such as the 1 that a backward pass begins with: one for
   * each content. An upload would make a staging buffer, and end the pass, on every step.
   */
  private constantOf({ shape }: TensorInfo, { dtype, resource, values }: TensorData): Binding | undefined {
    if (resource || !values || shape.length > 1 || dtype === 'bool') return undefined;
    if (values.length === 0 || values.length > MOST_CONSTANTS) return undefined;
    const isInteger = dtype === 'int32';
    const key = [Number(isInteger), ...Array.from(values)];
    const known = this.constants.get(key);
    if (known) return known;
    const size = values.length * 4;
    const buffer = this.backend.device.createBuffer({ size, usage: GPUBufferUsage.STORAGE, mappedAtCreation: true });
    const array = isInteger ? Int32Array : Float32Array;
    new array(buffer.getMappedRange()).set(values);
    buffer.unmap();
    const constant = this.bindingOf(buffer);
    this.constants.add(key, constant);
    return constant;
  }
}
