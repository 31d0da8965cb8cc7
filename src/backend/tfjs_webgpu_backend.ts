import {
  type BackendValues,
  type DataId,
  type DataType,
  env,
  type KernelBackend,
  type TensorInfo,
  type TypedArray,
  util,
} from '@tensorflow/tfjs-core';
import { BufferBindings } from './buffer_bindings.js';
import type { Binding, DeviceBackend, Dispatch, MemoryMeter, TensorData } from './device_backend.js';
import { forgetValuesOf } from './forget_values.js';
import { timeBatch } from './time_batch.js';

/**
 * The members of tfjs's WebGPUBackend that are used here, most of them private there. Nothing else names them, and
 * `test/webgpu/tfjs_webgpu_backend.test.ts` pins them to the tfjs version.
 */
export interface WebGPUBackendInternals extends KernelBackend {
  readonly device: GPUDevice;
  readonly queue: GPUQueue;
  readonly tensorMap: {
    get(dataId: DataId): TensorData;
    set(dataId: DataId, data: TensorData): void;
    has(dataId: DataId): boolean;
    delete(dataId: DataId): boolean;
  };
  bufferManager: BufferManager;
  readonly textureManager: { releaseTexture(texture: GPUTexture): void };
  commandEncoder: GPUCommandEncoder | null;
  computePassEncoder: GPUComputePassEncoder | null;
  /** The tensors of the commands that wait to be submitted, whose buffers are held back. */
  commandQueueOwnedIds: { add(dataId: DataId): void; has(dataId: DataId): boolean };
  /** What is given back once the commands are submitted. */
  tensorDataPendingDisposal: DataId[];
  stagingPendingDisposal: GPUBuffer[];
  uniformPendingDisposal: GPUBuffer[];
  dispatchCountInPass: number;
  /** Set while tf.time or tf.profile is measuring. */
  activeTimers: Array<{ name: string; query: Promise<number> }> | null | undefined;
  readonly supportTimestampQuery: boolean;
  querySet: GPUQuerySet | null;
  readonly querySetCount: number;
  pipelineCache: Record<string, GPUComputePipeline>;
  write(values: BackendValues, shape: number[], dtype: DataType): DataId;
  move(dataId: DataId, values: BackendValues, shape: number[], dtype: DataType, refCount: number): void;
  read(dataId: DataId): Promise<TypedArray>;
  readSync(dataId: DataId): TypedArray;
  readToGPU(dataId: DataId): ReturnType<KernelBackend['readToGPU']>;
  copyBuffer(source: GPUBuffer): GPUBuffer;
  makeTensorInfo(shape: number[], dtype: DataType): TensorInfo;
  uploadToGPU(dataId: DataId): void;
  disposeData(dataId: DataId, force?: boolean): boolean;
  releaseResource(dataId: DataId): void;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  getQueryTime(): Promise<number>;
  /** Whether tensors are small, and their values in JavaScript, where tfjs's kernel then computes. */
  shouldExecuteOnCPU(inputs: TensorInfo[], sizeThreshold?: number): boolean;
  runWebGPUProgram(
    program: StockProgram,
    inputs: TensorInfo[],
    dtype: DataType,
    uniforms?: StockUniform[] | null,
    output?: TensorInfo,
  ): TensorInfo;
  recordAndSubmit(
    program: StockProgram,
    output: TensorInfo,
    inputs: TensorInfo[],
    uniforms?: StockUniform[] | null,
  ): void;
}

/** Bytes of an element on the device. */
export const bytesPerElement = (dtype: DataType) => (dtype === 'complex64' ? 8 : 4);

/** A kernel of tfjs's, as its recordAndSubmit is given it. */
export interface StockProgram {
  readonly constructor: { readonly name: string };
  readonly pipeline: GPUComputePipeline;
  readonly dispatch: readonly [number, number?, number?];
  readonly outputShape: number[];
  /** Tells its WGSL from others'. */
  shaderKey: string;
  /** Whether it asks for the number of elements. */
  readonly size?: boolean;
  readonly outputComponent?: number;
  /** Set where it reads or draws an image. */
  readonly pixelsOpType?: number | null;
}

/** A value that a kernel of tfjs's defines itself. */
export interface StockUniform {
  type: string;
  data: number[];
}

/** tfjs's own pool of buffers. */
export interface BufferManager {
  numBytesAllocated: number;
  numFreeBuffers: number;
  freeBuffers: Map<string, GPUBuffer[]>;
  acquireBuffer(...args: unknown[]): GPUBuffer;
}

/** Bytes of new tensors after which commands are submitted: tfjs uses those that were given back again only then. */
const SUBMIT_BYTES = 2 * 2 ** 30;

/**
 * The backend that tfjs makes by itself, as a {@link DeviceBackend}: commands queue with those of tfjs's own kernels, in one
 * order.
 */
export class TfjsWebGPUBackend implements DeviceBackend {
  readonly device: GPUDevice;
  readonly recording = null;
  private nextBindingId = 0;
  private readonly bindings = new BufferBindings(() => this.nextBindingId++);
  private unsubmittedBytes = 0;
  private encoder: GPUCommandEncoder | null = null;
  /** The last dispatch, and how many its pass had then. */
  private last: { pass?: GPUComputePassEncoder; pipeline?: GPUComputePipeline; count?: number } = {};

  private constructor(private readonly backend: WebGPUBackendInternals) {
    this.device = backend.device;
  }

  private static readonly instances = new WeakMap<object, TfjsWebGPUBackend>();

  /** The one instance for a backend of tfjs. */
  static of(backend: object): TfjsWebGPUBackend {
    let instance = TfjsWebGPUBackend.instances.get(backend);
    if (!instance) {
      instance = new TfjsWebGPUBackend(backend as WebGPUBackendInternals);
      TfjsWebGPUBackend.instances.set(backend, instance);
    }
    return instance;
  }

  allocate(shape: number[], dtype: 'float32' | 'int32'): TensorInfo {
    const info = this.backend.makeTensorInfo(shape, dtype);
    const bytes = util.sizeFromShape(shape) * 4;
    this.unsubmittedBytes += bytes;
    if (bytes === 0) this.dataOf(info).values = util.getTypedArrayFromDType(dtype, 0);
    return info;
  }

  free({ dataId }: TensorInfo): void {
    this.backend.disposeData(dataId);
  }

  dataOf({ dataId }: Pick<TensorInfo, 'dataId'>): TensorData {
    return this.backend.tensorMap.get(dataId);
  }

  storageOf({ dataId }: TensorInfo, bytes: number): Binding {
    const { backend } = this;
    const data = backend.tensorMap.get(dataId);
    if (!data.resource) backend.uploadToGPU(dataId);
    backend.commandQueueOwnedIds.add(dataId);
    return this.bindings.of(data.resource as GPUBuffer, bytes);
  }

  forgetValues(info: TensorInfo): void {
    forgetValuesOf(this.dataOf(info));
  }

  copy(source: TensorInfo, target: TensorInfo): void {
    const bytes = util.sizeFromShape(target.shape) * 4;
    const [from, to] = [this.storageOf(source, bytes), this.storageOf(target, bytes)];
    this.betweenPasses().copyBufferToBuffer(from.buffer, 0, to.buffer, 0, bytes);
  }

  get batch(): object | null {
    return this.backend.commandEncoder;
  }

  openBatch(): GPUCommandEncoder {
    this.backend.ensureCommandEncoderReady();
    return this.backend.commandEncoder!;
  }

  /** The encoder for a command that is not part of a pass. */
  private betweenPasses(): GPUCommandEncoder {
    const encoder = this.openBatch();
    this.backend.endComputePassEncoder();
    return encoder;
  }

  dispatch({ name, pipeline, bindGroup, x, y, z }: Dispatch): void {
    const { backend } = this;
    const { activeTimers } = backend;
    const encoder = this.openBatch();
    if (encoder !== this.encoder) {
      this.encoder = encoder;
      this.unsubmittedBytes = 0;
    }
    const pass = this.openPass(activeTimers != null && backend.supportTimestampQuery);
    // A dispatch of tfjs's own in between would have set its pipeline, and counted.
    const { last } = this;
    if (last.pass !== pass || last.pipeline !== pipeline || last.count !== backend.dispatchCountInPass) {
      pass.setPipeline(pipeline);
    }
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(x, y, z);
    backend.dispatchCountInPass++;
    this.last = { pass, pipeline, count: backend.dispatchCountInPass };
    if (activeTimers) {
      backend.endComputePassEncoder();
      activeTimers.push({ name, query: backend.getQueryTime() });
    } else if (
      backend.dispatchCountInPass >= env().getNumber('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE') ||
      this.unsubmittedBytes > SUBMIT_BYTES
    ) {
      this.submit();
    }
  }

  /** The pass that is open, or a new one; one of its own, between time stamps, if `isTimed`. */
  private openPass(isTimed: boolean): GPUComputePassEncoder {
    const { backend } = this;
    if (isTimed) return beginTimedPass(backend);
    backend.computePassEncoder ??= this.openBatch().beginComputePass();
    return backend.computePassEncoder;
  }

  submit(): void {
    const { backend } = this;
    if (!backend.commandEncoder) return;
    backend.endComputePassEncoder();
    backend.submitQueue();
  }

  async timeOnDevice(queue: () => void): Promise<number> {
    const flag = 'WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE';
    const batch = env().getNumber(flag);
    env().set(flag, Number.MAX_SAFE_INTEGER);
    try {
      return await timeBatch(
        this.device,
        { submit: () => this.submit(), betweenPasses: () => this.betweenPasses() },
        queue,
      );
    } finally {
      env().set(flag, batch);
    }
  }

  meterMemory(): MemoryMeter {
    return new BufferMeter(this.backend.bufferManager);
  }
}

/** Begins a pass of its own between time stamps, which `getQueryTime` reads. */
export function beginTimedPass(backend: WebGPUBackendInternals): GPUComputePassEncoder {
  backend.querySet ??= backend.device.createQuerySet({ type: 'timestamp', count: backend.querySetCount });
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.computePassEncoder = backend.commandEncoder!.beginComputePass({
    timestampWrites: { querySet: backend.querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
  });
  return backend.computePassEncoder;
}

/** Whether a backend of tfjs is its WebGPUBackend, or ours. */
export const isWebGPUBackend = (backend: object): boolean => 'bufferManager' in backend && 'tensorMap' in backend;

/** What the runtime of the WGSL kernels runs on, for a backend of tfjs: ours is one itself. */
export function deviceBackendOf(backend: object): DeviceBackend {
  return 'storageOf' in backend ? (backend as DeviceBackend) : TfjsWebGPUBackend.of(backend);
}

/** Measures what tfjs's buffer manager allocates, which keeps a buffer for reuse after its tensor is gone. */
class BufferMeter implements MemoryMeter {
  peak = 0;

  constructor(private readonly manager: BufferManager) {
    const acquire = manager.acquireBuffer;
    manager.acquireBuffer = (...args) => {
      const buffer = acquire.apply(manager, args);
      this.peak = Math.max(this.peak, manager.numBytesAllocated);
      return buffer;
    };
  }

  get allocated(): number {
    return this.manager.numBytesAllocated;
  }

  resetPeak(): void {
    const { manager } = this;
    // The map's keys stay: the manager takes an empty map for one that was disposed.
    for (const buffers of manager.freeBuffers.values()) {
      for (const buffer of buffers.splice(0)) {
        manager.numBytesAllocated -= buffer.size;
        manager.numFreeBuffers--;
        buffer.destroy();
      }
    }
    this.peak = manager.numBytesAllocated;
  }
}
