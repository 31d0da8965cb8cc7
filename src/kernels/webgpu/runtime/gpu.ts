import { env, type TensorInfo, util } from '@tensorflow/tfjs-core';
import type { DeviceBackend } from '../../../backend/device_backend.js';
import { TfjsWebGPUBackend } from '../../../backend/tfjs_webgpu_backend.js';
import { Bindings } from './bindings.js';
import { type CompiledProgram, CompiledPrograms } from './compiled_programs.js';
import { type DeviceTraits, type Limits, type ProgramFamily, SMALLEST_SUBGROUP } from './program.js';
import { UniformBuffers, type UniformSlot } from './uniforms.js';

function limitsOf({ limits }: GPUDevice): Limits {
  const numbers: Record<string, number> = {};
  for (const name in limits) numbers[name] = limits[name as keyof Limits] as number;
  return numbers as Limits;
}

export interface DispatchOptions {
  /** The uniforms are new on every call (a learning rate), so they are not worth remembering. */
  readonly volatile?: boolean;
}

/**
 * Runs WGSL programs on a backend's device, in one order with the backend's own kernels. It remembers pipelines by
 * specialisation, uniform buffers by content and bind groups by buffers.
 */
export class Gpu implements DeviceTraits {
  readonly hasSubgroups: boolean;
  readonly subgroupMinSize: number;
  /** The device's limits. Plain numbers, since asking the device takes microseconds. */
  readonly limits: Limits;
  private readonly uniforms: UniformBuffers;
  private readonly programs: CompiledPrograms;
  private readonly bindings: Bindings;
  private lost: GPUDeviceLostInfo | null = null;
  /** What the kernel that runs now has made. */
  private made: TensorInfo[] = [];

  constructor(private readonly backend: DeviceBackend) {
    const { device } = backend;
    this.hasSubgroups = device.features.has('subgroups' as GPUFeatureName);
    this.subgroupMinSize = device.adapterInfo?.subgroupMinSize ?? SMALLEST_SUBGROUP;
    this.limits = limitsOf(device);
    this.uniforms = new UniformBuffers(device);
    this.programs = new CompiledPrograms(device, this);
    this.bindings = new Bindings(backend, this.limits);
    device.lost.then((info) => {
      this.lost = info;
    });
  }

  private static readonly instances = new WeakMap<object, Gpu>();

  /** The one runtime of a backend of tfjs. */
  static of(backend: object): Gpu {
    let gpu = Gpu.instances.get(backend);
    if (!gpu) {
      gpu = new Gpu(TfjsWebGPUBackend.of(backend));
      Gpu.instances.set(backend, gpu);
    }
    return gpu;
  }

  /** Runs the body of a kernel. If it throws, for example on a tensor that can't be bound, what it had made is given back. */
  kernel<T>(body: () => T): T {
    const outer = this.made;
    this.made = [];
    try {
      return body();
    } catch (error) {
      this.release(...this.made);
      throw error;
    } finally {
      this.made = outer;
    }
  }

  /** A tensor on the device for a program to write. Its content is undefined until then. */
  output(shape: number[], dtype: 'float32' | 'int32' = 'float32'): TensorInfo {
    this.checkAlive();
    const bytes = util.sizeFromShape(shape) * 4;
    if (bytes > this.limits.maxBufferSize) {
      throw new Error(
        `A tensor of shape [${shape}] needs ${bytes} bytes; this WebGPU device has buffers of at most ${this.limits.maxBufferSize}.`,
      );
    }
    const info = this.backend.allocate(shape, dtype);
    this.made.push(info);
    return info;
  }

  /** Gives back a tensor that `output` made and no one will read after the commands recorded so far. */
  release(...scratch: Array<TensorInfo | undefined>): void {
    for (const info of scratch) if (info) this.backend.free(info);
  }

  /**
   * A tensor that a program may update in place: `info` itself where no one else holds its data, and a copy of it otherwise.
   * It is bound among the program's `writes` alone. The kernel returns it as it is, since the engine makes no new tensor of
   * an input that comes back.
   */
  writable(info: TensorInfo): TensorInfo {
    if (util.sizeFromShape(info.shape) === 0) return info;
    const { refCount, external } = this.backend.dataOf(info);
    if (refCount > 1 || external) {
      const copy = this.output(info.shape, info.dtype as 'float32' | 'int32');
      this.backend.copy(info, copy);
      return copy;
    }
    this.backend.bufferOf(info);
    this.backend.forgetValues(info);
    return info;
  }

  /**
   * Records one dispatch.
   *
   * @param family The program.
   * @param spec Its specialisation: what is fixed in training. Each distinct value compiles once.
   * @param tensors What its buffers are bound to, by name. One that `build` declared must be here.
   * @param uniforms What may change from call to call.
   * @param extent The number of workgroups, of any size, or of the rows that they handle, which is the uniform `rows`, too. With 0
   *     nothing runs.
   */
  run<Spec>(
    family: ProgramFamily<Spec>,
    spec: Spec,
    tensors: Readonly<Record<string, TensorInfo | undefined>>,
    uniforms: Readonly<Record<string, number>>,
    extent: number | { readonly rows: number },
    options: DispatchOptions = {},
  ): void {
    this.checkAlive();
    const rows = typeof extent === 'number' ? undefined : extent.rows;
    if (extent === 0 || rows === 0) return;
    const program = this.programs.get(family, spec);
    const workgroups = typeof extent === 'number' ? extent : Math.ceil(extent.rows / program.rowsPerWorkgroup);
    const bound: Array<TensorInfo | undefined> = [];
    for (const name of program.reads) bound.push(tensors[name]);
    for (const name of program.writes) bound.push(tensors[name]);
    const values = [workgroups];
    for (const name of program.uniformNames) {
      const value = uniforms[name] ?? (name === 'rows' ? rows : undefined);
      if (value === undefined) throw new Error(`${program.name}: there is no value for the uniform '${name}'`);
      values.push(value);
    }
    this.dispatch(program, bound, values, options);
  }

  /**
   * As `run`, with tensors and uniforms in the order in which the program declares them: for a kernel that records many
   * dispatches of many tensors each, whose names take longer to look up than the dispatches to record.
   */
  runInOrder<Spec>(
    family: ProgramFamily<Spec>,
    spec: Spec,
    tensors: readonly TensorInfo[],
    uniforms: readonly number[],
    workgroups: number,
  ): void {
    this.checkAlive();
    if (workgroups > 0) this.dispatch(this.programs.get(family, spec), tensors, [workgroups, ...uniforms], {});
  }

  private dispatch(
    program: CompiledProgram,
    tensors: ReadonlyArray<TensorInfo | undefined>,
    values: readonly number[],
    { volatile }: DispatchOptions,
  ): void {
    if (env().getBool('WEBGPU_ENGINE_COMPILE_ONLY')) return;
    const { reads, writes } = program;
    const bound = reads.map((name, i) => this.bindings.read(program, name, tensors[i]));
    for (let i = 0; i < writes.length; i++) {
      bound.push(this.bindings.write(program, writes[i]!, tensors[reads.length + i]));
    }
    bound.push(volatile ? this.volatileUniforms(program, values) : this.uniforms.get(program.uniformLayout, values));
    this.record(program, this.bindings.group(program, bound), values[0]!);
  }

  private volatileUniforms({ uniformLayout }: CompiledProgram, values: readonly number[]): UniformSlot {
    const slot = this.uniforms.nextSlot(values.length);
    // The write would overtake commands that still wait to read what the slot holds.
    if (slot.usedBy && slot.usedBy === this.backend.batch) this.backend.submit();
    this.uniforms.write(slot, uniformLayout, values);
    slot.usedBy = this.backend.openBatch();
    return slot;
  }

  private record({ name, pipeline }: CompiledProgram, bindGroup: GPUBindGroup, workgroups: number): void {
    const perRow = this.limits.maxComputeWorkgroupsPerDimension;
    const y = Math.ceil(workgroups / perRow);
    this.backend.dispatch({ name, pipeline, bindGroup, x: Math.ceil(workgroups / y), y });
  }

  private checkAlive(): void {
    if (!this.lost) return;
    throw new Error(
      `The WebGPU device was lost (${this.lost.reason}: ${this.lost.message}). Its tensors are gone: call ` +
        'registerWebGPUBackend() and go on from saved weights.',
    );
  }
}
