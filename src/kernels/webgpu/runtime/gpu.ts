import { env, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { BindGroups } from '../../../backend/bind_groups.js';
import type { Binding, DeviceBackend } from '../../../backend/device_backend.js';
import { lostError } from '../../../backend/lost_error.js';
import { deviceBackendOf } from '../../../backend/tfjs_webgpu_backend.js';
import { Uniforms } from '../../../backend/uniforms.js';
import { type CompiledProgram, CompiledPrograms } from './compiled_programs.js';
import { type DeviceTraits, defineProgram, type Limits, type ProgramFamily, SMALLEST_SUBGROUP } from './program.js';
import { Tensors } from './tensors.js';

function limitsOf({ limits }: GPUDevice): Limits {
  const numbers: Record<string, number> = {};
  for (const name in limits) numbers[name] = limits[name as keyof Limits] as number;
  return numbers as Limits;
}

/**
 * A uniform's value. A function's is read at every dispatch, also where a captured step runs again, and is not worth
 * remembering: a learning rate.
 */
export type UniformValue = number | (() => number);

/** Threads of a workgroup that converts numbers, one each. */
const CONVERTED = 256;

const toFloatsProgram = defineProgram('toFloats', (_: object) => ({
  workgroupSize: CONVERTED,
  reads: { x: 'i32' },
  writes: { y: 'f32' },
  uniforms: { size: 'u32' },
  body: `
  let at = workgroup * ${CONVERTED}u + thread;
  if (at < u.size) { y[at] = f32(x[at]); }`,
}));

/**
 * Runs WGSL programs on a backend's device, in one order with the backend's own kernels. It remembers pipelines by
 * specialisation, uniform buffers by content and bind groups by buffers.
 */
export class Gpu implements DeviceTraits {
  readonly hasSubgroups: boolean;
  readonly subgroupMinSize: number;
  /** The device's limits. Plain numbers, since asking the device takes microseconds. */
  readonly limits: Limits;
  readonly device: GPUDevice;
  private readonly uniforms: Uniforms;
  private readonly groups: BindGroups;
  private readonly programs: CompiledPrograms;
  private readonly tensors: Tensors;
  private lost: GPUDeviceLostInfo | null = null;
  /** What the kernel that runs now has made. */
  private made: TensorInfo[] = [];

  constructor(private readonly backend: DeviceBackend) {
    const { device } = backend;
    this.device = device;
    this.hasSubgroups = device.features.has('subgroups' as GPUFeatureName);
    this.subgroupMinSize = device.adapterInfo?.subgroupMinSize ?? SMALLEST_SUBGROUP;
    this.limits = limitsOf(device);
    this.uniforms = new Uniforms(device);
    this.groups = new BindGroups(device);
    this.programs = new CompiledPrograms(device, this);
    this.tensors = new Tensors(backend, this.limits);
    device.lost.then((info) => {
      this.lost = info;
    });
  }

  private static readonly instances = new WeakMap<object, Gpu>();

  /** The one runtime of a backend of tfjs. */
  static of(backend: object): Gpu {
    let gpu = Gpu.instances.get(backend);
    if (!gpu) {
      gpu = new Gpu(deviceBackendOf(backend));
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
    if (this.isCastInteger(info)) return this.toFloats(info);
    const { refCount, external } = this.backend.dataOf(info);
    if (refCount > 1 || external) {
      const copy = this.output(info.shape, info.dtype as 'float32' | 'int32');
      this.backend.copy(info, copy);
      return copy;
    }
    this.backend.storageOf(info, util.sizeFromShape(info.shape) * 4);
    this.backend.forgetValues(info);
    return info;
  }

  /**
   * The output of a program that may write it over `source`, a float32 tensor of its size: each element is written by the thread that
   * reads it, and is not read after.
   *
   * It has the data of `source` itself where `inPlace` says that no one reads it by this handle again, and the handle is the only one:
   * no tensor, variable, reshape or other node of the tape holds the data, and a replay of a captured step computes it anew. `source` is
   * undefined then: a buffer is bound to one name, among the program's `writes`. Otherwise the output is another tensor.
   */
  outputOver(source: TensorInfo, inPlace = false): { source: TensorInfo | undefined; output: TensorInfo } {
    if (!inPlace || !this.isOwn(source)) return { source, output: this.output(source.shape) };
    const { dataId, shape, dtype } = source;
    const data = this.backend.dataOf(source);
    this.backend.forgetValues(source);
    // The handle of `source` and that of the output each give theirs back.
    data.refCount++;
    const output = { dataId, shape, dtype };
    this.made.push(output);
    return { source: undefined, output };
  }

  /** Whether a tensor is on the device, and the only handle of data that nothing else can read. */
  private isOwn(info: TensorInfo): boolean {
    const size = util.sizeFromShape(info.shape);
    if (size === 0 || this.isCastInteger(info)) return false;
    const data = this.backend.dataOf(info);
    if (data.refCount > 1 || data.external) return false;
    this.backend.storageOf(info, size * 4);
    return this.backend.recording?.computes(data) ?? true;
  }

  /** A tensor with the dtype that its data has: `tf.cast` of integers to floats leaves them as they are. */
  asStored(info: TensorInfo): TensorInfo {
    return this.isCastInteger(info) ? { ...info, dtype: 'int32' } : info;
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
    uniforms: Readonly<Record<string, UniformValue>>,
    extent: number | { readonly rows: number },
  ): void {
    this.checkAlive();
    const rows = typeof extent === 'number' ? undefined : extent.rows;
    if (extent === 0 || rows === 0) return;
    const program = this.programs.get(family, spec);
    const workgroups = typeof extent === 'number' ? extent : Math.ceil(extent.rows / program.rowsPerWorkgroup);
    const bound: Array<TensorInfo | undefined> = [];
    for (const name of program.reads) bound.push(tensors[name]);
    for (const name of program.writes) bound.push(tensors[name]);
    const values: UniformValue[] = [workgroups];
    for (const name of program.uniformNames) {
      const value = uniforms[name] ?? (name === 'rows' ? rows : undefined);
      if (value === undefined) throw new Error(`${program.name}: there is no value for the uniform '${name}'`);
      values.push(value);
    }
    this.dispatch(program, bound, values, workgroups);
  }

  /**
   * As `run`, with tensors and uniforms in the order in which the program declares them: for a kernel that records many
   * dispatches of many tensors each, whose names take longer to look up than the dispatches to record.
   */
  runInOrder<Spec>(
    family: ProgramFamily<Spec>,
    spec: Spec,
    tensors: readonly TensorInfo[],
    uniforms: readonly UniformValue[],
    workgroups: number,
  ): void {
    this.checkAlive();
    if (workgroups > 0) this.dispatch(this.programs.get(family, spec), tensors, [workgroups, ...uniforms], workgroups);
  }

  private dispatch(
    program: CompiledProgram,
    tensors: ReadonlyArray<TensorInfo | undefined>,
    values: readonly UniformValue[],
    workgroups: number,
  ): void {
    if (env().getBool('WEBGPU_ENGINE_COMPILE_ONLY')) return;
    const { name, pipeline, reads, writes } = program;
    const bindings: Binding[] = [];
    let bytes = 0;
    let converted: TensorInfo[] | undefined;
    for (let i = 0; i < reads.length; i++) {
      let tensor = tensors[i];
      if (tensor && this.isCastInteger(tensor)) {
        tensor = this.toFloats(tensor);
        converted = [...(converted ?? []), tensor];
      }
      bindings.push(this.tensors.read(program, reads[i]!, tensor));
    }
    for (let i = 0; i < writes.length; i++) {
      bindings.push(this.tensors.write(program, writes[i]!, tensors[reads.length + i]));
    }
    for (const { size } of bindings) bytes += size ?? 0;
    bindings.push(this.uniformsOf(program, values));
    const perRow = this.limits.maxComputeWorkgroupsPerDimension;
    const y = Math.ceil(workgroups / perRow);
    const bindGroup = this.groups.get(program, bindings);
    this.backend.dispatch({ name, pipeline, bindGroup, x: Math.ceil(workgroups / y), y, z: 1, bytes });
    if (converted) this.release(...converted);
  }

  /** tfjs's cast of integers to floats leaves the integers as they are, which its own kernels convert as they read them. */
  private isCastInteger({ dataId, dtype, shape }: TensorInfo): boolean {
    return dtype === 'float32' && this.backend.dataOf({ dataId }).dtype !== 'float32' && util.sizeFromShape(shape) > 0;
  }

  /** A tensor's integers as floats. */
  private toFloats({ dataId, shape }: TensorInfo): TensorInfo {
    const x = { dataId, shape, dtype: 'int32' as const };
    const y = this.output(shape);
    const size = util.sizeFromShape(shape);
    this.run(toFloatsProgram, {}, { x, y }, { size }, Math.ceil(size / CONVERTED));
    return y;
  }

  /** The milliseconds that the device spends on what `queue` records. */
  timeOnDevice(queue: () => void): Promise<number> {
    return this.backend.timeOnDevice(queue);
  }

  private uniformsOf({ uniformTypes }: CompiledProgram, values: readonly UniformValue[]): Binding {
    if (areNumbers(values)) return this.uniforms.get(uniformTypes, values);
    const { uniforms, backend } = this;
    const read = () => values.map((value) => (typeof value === 'function' ? value() : value));
    const { recording } = backend;
    const slot = recording ? uniforms.newSlot(values.length) : uniforms.nextSlot(values.length);
    // The write would overtake commands that still wait to read what the slot holds.
    if (slot.usedBy && slot.usedBy === backend.batch) backend.submit();
    uniforms.write(slot, uniformTypes, read());
    slot.usedBy = backend.openBatch();
    recording?.beforeReplay(() => uniforms.write(slot, uniformTypes, read()));
    return slot;
  }

  private checkAlive(): void {
    if (this.lost) throw lostError(this.lost);
  }
}

function areNumbers(values: readonly UniformValue[]): values is readonly number[] {
  for (const value of values) if (typeof value === 'function') return false;
  return true;
}
