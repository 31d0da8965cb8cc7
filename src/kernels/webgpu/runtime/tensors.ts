import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import { Constants, newBinding } from '../../../backend/constants.js';
import type { Binding, DeviceBackend, TensorData } from '../../../backend/device_backend.js';
import type { CompiledProgram } from './compiled_programs.js';

/** What tensors are bound by. */
export class Tensors {
  private readonly constants: Constants;

  constructor(
    private readonly backend: DeviceBackend,
    private readonly limits: { readonly maxStorageBufferBindingSize: number },
  ) {
    this.constants = new Constants(backend.device);
  }

  /** The tensor that a program reads by `name`. */
  read(program: CompiledProgram, name: string, info: TensorInfo | undefined): Binding {
    const [given, data] = this.find(program, name, info);
    // A variable may have others when a captured step runs again.
    const constant = this.backend.recording ? undefined : this.constants.of(data);
    return constant ?? this.bind(program, name, given);
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
}
