import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import type { Binding, DeviceBackend, TensorData } from '../../../backend/device_backend.js';
import { NumbersMap } from '../../../backend/numbers_map.js';
import type { CompiledProgram } from './compiled_programs.js';

/** The longest tensor in JavaScript's memory that is remembered by its content, and how many are. */
const MOST_CONSTANTS = 4;
const CONSTANTS_CAPACITY = 256;

/** Binding numbers of this file's own are negative: those of a backend's tensors are not. */
let lastId = -1;

/** What tensors are bound by. */
export class Tensors {
  private readonly constants = new NumbersMap<Binding>(CONSTANTS_CAPACITY);

  constructor(
    private readonly backend: DeviceBackend,
    private readonly limits: { readonly maxStorageBufferBindingSize: number },
  ) {}

  /** The tensor that a program reads by `name`. */
  read(program: CompiledProgram, name: string, info: TensorInfo | undefined): Binding {
    const [given, data] = this.find(program, name, info);
    return this.constantOf(given, data) ?? this.bind(program, name, given);
  }

  /** The tensor that a program writes by `name`. */
  write(program: CompiledProgram, name: string, info: TensorInfo | undefined): Binding {
    return this.bind(program, name, this.find(program, name, info)[0]);
  }

  private find(program: CompiledProgram, name: string, info: TensorInfo | undefined): [TensorInfo, TensorData] {
    if (!info) throw new Error(`${program.name}: nothing is bound to '${name}'`);
    return [info, this.backend.dataOf(info)];
  }

  private bind(program: CompiledProgram, name: string, info: TensorInfo): Binding {
    const { backend } = this;
    const bytes = util.sizeFromShape(info.shape) * 4;
    // A binding can't be empty. What stands in for an empty tensor is never read or written, but must not be shared.
    if (bytes === 0) return newBinding(backend.device.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE }));
    if (bytes > this.limits.maxStorageBufferBindingSize) {
      throw new Error(
        `${program.name}: ${name} of shape [${info.shape}] needs ${bytes} bytes; ` +
          `this WebGPU device binds at most ${this.limits.maxStorageBufferBindingSize}.`,
      );
    }
    return backend.storageOf(info, bytes);
  }

  /**
   * The buffer of a few values that are still in JavaScript's memory, such as the 1 that a backward pass begins with: one for
   * each content. An upload would take a buffer, and a write, on every step.
   */
  private constantOf({ shape }: TensorInfo, { dtype, resource, values }: TensorData): Binding | undefined {
    if (resource || !values || shape.length > 1 || dtype === 'bool') return undefined;
    // A variable may have others when a captured step runs again.
    if (this.backend.recording) return undefined;
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
    const constant = newBinding(buffer);
    this.constants.add(key, constant);
    return constant;
  }
}

const newBinding = (buffer: GPUBuffer): Binding => ({ buffer, id: lastId-- });
