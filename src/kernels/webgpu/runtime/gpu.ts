import { env, type TensorInfo, util } from '@tensorflow/tfjs-core';
import type { TensorData, WebGPUBackendAccess } from './backend_access.js';
import { Bindings } from './bindings.js';
import { type CompiledProgram, CompiledPrograms } from './compiled_programs.js';
import type { DeviceTraits, Limits, ProgramFamily } from './program.js';
import { UniformBuffers, type UniformSlot } from './uniforms.js';

/** Bytes of new tensors after which commands are submitted: tfjs's own device uses those that were given back again only then. */
const SUBMIT_BYTES = 2 * 2 ** 30;

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
 * Runs WGSL programs on the device, command encoder and buffers of tfjs's own WebGPU backend, so that they queue with its
 * kernels in one order. Unlike `backend.runWebGPUProgram` it writes any number of outputs, and remembers pipelines by
 * specialisation, uniform buffers by content and bind groups by buffers.
 */
export class Gpu implements DeviceTraits {
  readonly device: GPUDevice;
  readonly hasSubgroups: boolean;
  /** The device's limits. Plain numbers, since asking the device takes microseconds. */
  readonly limits: Limits;
  private readonly uniforms: UniformBuffers;
  private readonly programs: CompiledPrograms;
  private readonly bindings: Bindings;
  private readonly forgetful = new WeakSet<TensorData>();
  private lost: GPUDeviceLostInfo | null = null;
  private unsubmittedBytes = 0;
  /** What the kernel that runs now has made. */
  private made: TensorInfo[] = [];
  private encoder: GPUCommandEncoder | null = null;
  /** The last dispatch, and how many its pass had then. */
  private last: { pass?: GPUComputePassEncoder; pipeline?: GPUComputePipeline; count?: number } = {};

  private constructor(private readonly backend: WebGPUBackendAccess) {
    this.device = backend.device;
    this.hasSubgroups = this.device.features.has('subgroups' as GPUFeatureName);
    this.limits = limitsOf(this.device);
    this.uniforms = new UniformBuffers(this.device);
    this.programs = new CompiledPrograms(this.device, this);
    this.bindings = new Bindings(backend, this.limits);
    this.device.lost.then((info) => {
      this.lost = info;
    });
  }

  private static readonly instances = new WeakMap<object, Gpu>();

  /** The one runtime of a backend. */
  static of(backend: unknown): Gpu {
    const key = backend as object;
    let gpu = Gpu.instances.get(key);
    if (!gpu) {
      gpu = new Gpu(backend as WebGPUBackendAccess);
      Gpu.instances.set(key, gpu);
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
    const info = this.backend.makeTensorInfo(shape, dtype);
    this.made.push(info);
    this.unsubmittedBytes += bytes;
    if (bytes === 0) this.backend.tensorMap.get(info.dataId).values = util.getTypedArrayFromDType(dtype, 0);
    return info;
  }

  /** Gives back a tensor that `output` made and no one will read after the commands recorded so far. */
  release(...scratch: Array<TensorInfo | undefined>): void {
    for (const info of scratch) if (info) this.backend.disposeData(info.dataId);
  }

  /**
   * A tensor that a program may update in place: `info` itself where no one else holds its data, and a copy of it otherwise.
   * It is bound among the program's `writes` alone. The kernel returns it as it is, since the engine makes no new tensor of
   * an input that comes back.
   */
  writable(info: TensorInfo): TensorInfo {
    const { backend } = this;
    const data = backend.tensorMap.get(info.dataId);
    if (!data.resource) {
      if (util.sizeFromShape(info.shape) === 0) return info;
      backend.uploadToGPU(info.dataId);
    }
    if (data.refCount > 1 || data.external) return this.copy(info, data.resource as GPUBuffer);
    this.forgetValues(data);
    return info;
  }

  private copy(info: TensorInfo, source: GPUBuffer): TensorInfo {
    const { backend } = this;
    const copied = this.output(info.shape, info.dtype as 'float32' | 'int32');
    backend.uploadToGPU(copied.dataId);
    backend.ensureCommandEncoderReady();
    backend.endComputePassEncoder();
    const target = backend.tensorMap.get(copied.dataId).resource as GPUBuffer;
    backend.commandEncoder!.copyBufferToBuffer(source, 0, target, 0, target.size);
    backend.commandQueueOwnedIds.add(info.dataId);
    backend.commandQueueOwnedIds.add(copied.dataId);
    return copied;
  }

  /**
   * tfjs remembers the values of a tensor that was read, and would give them again after the tensor has changed. A read may
   * also still be under way now and end later, so the values of a tensor that changes in place are never remembered.
   */
  private forgetValues(data: TensorData): void {
    if (this.forgetful.has(data)) return;
    Object.defineProperty(data, 'values', { get: () => null, set: () => {} });
    this.forgetful.add(data);
  }

  /**
   * Records one dispatch.
   *
   * @param family The program.
   * @param spec Its specialisation: what is fixed in training. Each distinct value compiles once.
   * @param tensors What its buffers are bound to, by name. One that `build` declared must be here.
   * @param uniforms What may change from call to call.
   * @param workgroups The number of workgroups, of any size. With 0 nothing runs.
   */
  run<Spec>(
    family: ProgramFamily<Spec>,
    spec: Spec,
    tensors: Readonly<Record<string, TensorInfo | undefined>>,
    uniforms: Readonly<Record<string, number>>,
    workgroups: number,
    options: DispatchOptions = {},
  ): void {
    this.checkAlive();
    if (workgroups === 0) return;
    const program = this.programs.get(family, spec);
    const bound: Array<TensorInfo | undefined> = [];
    for (const name of program.reads) bound.push(tensors[name]);
    for (const name of program.writes) bound.push(tensors[name]);
    const values = [workgroups];
    for (const name of program.uniformNames) values.push(uniforms[name]!);
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
    if (slot.usedBy && slot.usedBy === this.backend.commandEncoder) this.submit();
    this.uniforms.write(slot, uniformLayout, values);
    this.backend.ensureCommandEncoderReady();
    slot.usedBy = this.backend.commandEncoder;
    return slot;
  }

  private submit(): void {
    this.backend.endComputePassEncoder();
    this.backend.submitQueue();
  }

  private record({ name, pipeline }: CompiledProgram, bindGroup: GPUBindGroup, workgroups: number): void {
    const { backend } = this;
    const timing = backend.activeTimers != null;
    backend.ensureCommandEncoderReady();
    if (backend.commandEncoder !== this.encoder) {
      this.encoder = backend.commandEncoder;
      this.unsubmittedBytes = 0;
    }
    if (timing && backend.supportTimestampQuery) {
      backend.endComputePassEncoder();
      backend.querySet ??= this.device.createQuerySet({ type: 'timestamp', count: backend.querySetCount });
      backend.computePassEncoder = backend.commandEncoder!.beginComputePass({
        timestampWrites: { querySet: backend.querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
      });
    } else if (!backend.computePassEncoder) {
      backend.computePassEncoder = backend.commandEncoder!.beginComputePass();
    }
    const pass = backend.computePassEncoder!;
    // A dispatch of tfjs's own in between would have set its pipeline, and counted.
    const { last } = this;
    if (last.pass !== pass || last.pipeline !== pipeline || last.count !== backend.dispatchCountInPass) {
      pass.setPipeline(pipeline);
    }
    pass.setBindGroup(0, bindGroup);
    const perRow = this.limits.maxComputeWorkgroupsPerDimension;
    const rows = Math.ceil(workgroups / perRow);
    pass.dispatchWorkgroups(Math.ceil(workgroups / rows), rows);
    backend.dispatchCountInPass++;
    this.last = { pass, pipeline, count: backend.dispatchCountInPass };
    if (timing) {
      backend.endComputePassEncoder();
      backend.activeTimers!.push({ name, query: backend.getQueryTime() });
    } else if (
      backend.dispatchCountInPass >= env().getNumber('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE') ||
      this.unsubmittedBytes > SUBMIT_BYTES
    ) {
      this.submit();
    }
  }

  private checkAlive(): void {
    if (!this.lost) return;
    throw new Error(
      `The WebGPU device was lost (${this.lost.reason}: ${this.lost.message}). Its tensors are gone: call ` +
        'registerWebGPUBackend() and go on from saved weights.',
    );
  }
}
