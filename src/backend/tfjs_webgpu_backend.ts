import { type DataId, type DataType, env, type TensorInfo, util } from '@tensorflow/tfjs-core';
import type { Command, DeviceBackend, MemoryMeter, TensorData } from './device_backend.js';

/**
 * The members of tfjs's WebGPUBackend that are used here, most of them private there. Nothing else touches them, and
 * `test/webgpu/tfjs_webgpu_backend.test.ts` pins them to the tfjs version.
 */
export interface WebGPUBackendInternals {
  readonly device: GPUDevice;
  readonly tensorMap: { get(dataId: DataId): TensorData; has(dataId: DataId): boolean };
  readonly bufferManager: BufferManager;
  commandEncoder: GPUCommandEncoder | null;
  computePassEncoder: GPUComputePassEncoder | null;
  /** The tensors of the commands that wait to be submitted, whose buffers are held back. */
  readonly commandQueueOwnedIds: { add(dataId: DataId): void; has(dataId: DataId): boolean };
  dispatchCountInPass: number;
  /** Set while tf.time or tf.profile is measuring. */
  activeTimers: Array<{ name: string; query: Promise<number> }> | null | undefined;
  readonly supportTimestampQuery: boolean;
  querySet: GPUQuerySet | null;
  readonly querySetCount: number;
  makeTensorInfo(shape: number[], dtype: DataType): TensorInfo;
  uploadToGPU(dataId: DataId): void;
  disposeData(dataId: DataId): boolean;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  getQueryTime(): Promise<number>;
}

interface BufferManager {
  numBytesAllocated: number;
  numFreeBuffers: number;
  freeBuffers: Map<string, GPUBuffer[]>;
  acquireBuffer(...args: unknown[]): GPUBuffer;
}

/** Bytes of new tensors after which commands are submitted: tfjs's own device uses those that were given back again only then. */
const SUBMIT_BYTES = 2 * 2 ** 30;

/** A tfjs WebGPUBackend as a {@link DeviceBackend}: commands queue with those of tfjs's own kernels, in one order. */
export class TfjsWebGPUBackend implements DeviceBackend {
  readonly device: GPUDevice;
  /** Of new tensors, after which commands are submitted. */
  private mostUnsubmittedBytes = SUBMIT_BYTES;
  private unsubmittedBytes = 0;
  private encoder: GPUCommandEncoder | null = null;
  /** The last dispatch, and how many its pass had then. */
  private last: { pass?: GPUComputePassEncoder; pipeline?: GPUComputePipeline; count?: number } = {};
  private readonly forgetful = new WeakSet<TensorData>();

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

  bufferOf({ dataId }: TensorInfo): GPUBuffer {
    const { backend } = this;
    const data = backend.tensorMap.get(dataId);
    if (!data.resource) backend.uploadToGPU(dataId);
    backend.commandQueueOwnedIds.add(dataId);
    return data.resource as GPUBuffer;
  }

  use({ dataId }: TensorInfo): void {
    this.backend.commandQueueOwnedIds.add(dataId);
  }

  forgetValues(info: TensorInfo): void {
    const data = this.dataOf(info);
    if (this.forgetful.has(data)) return;
    Object.defineProperty(data, 'values', { get: () => null, set: () => {} });
    this.forgetful.add(data);
  }

  copy(source: TensorInfo, target: TensorInfo): void {
    const [from, to] = [this.bufferOf(source), this.bufferOf(target)];
    this.betweenPasses().copyBufferToBuffer(from, 0, to, 0, to.size);
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

  dispatch({ name, pipeline, bindGroup, x, y }: Command): void {
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
    pass.dispatchWorkgroups(x, y);
    backend.dispatchCountInPass++;
    this.last = { pass, pipeline, count: backend.dispatchCountInPass };
    if (activeTimers) {
      backend.endComputePassEncoder();
      activeTimers.push({ name, query: backend.getQueryTime() });
    } else if (
      backend.dispatchCountInPass >= env().getNumber('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE') ||
      this.unsubmittedBytes > this.mostUnsubmittedBytes
    ) {
      this.submit();
    }
  }

  /** The pass that is open, or a new one; one of its own, between time stamps, if `isTimed`. */
  private openPass(isTimed: boolean): GPUComputePassEncoder {
    const { backend } = this;
    if (isTimed) {
      backend.querySet ??= this.device.createQuerySet({ type: 'timestamp', count: backend.querySetCount });
      backend.computePassEncoder = this.betweenPasses().beginComputePass({
        timestampWrites: { querySet: backend.querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
      });
    }
    backend.computePassEncoder ??= this.openBatch().beginComputePass();
    return backend.computePassEncoder;
  }

  submit(): void {
    const { backend } = this;
    if (!backend.commandEncoder) return;
    backend.endComputePassEncoder();
    backend.submitQueue();
  }

  async time(queue: () => void): Promise<number> {
    const { device } = this;
    this.submit();
    const querySet = device.createQuerySet({ type: 'timestamp', count: 2 });
    const stamp = (timestampWrites: GPUComputePassTimestampWrites) => {
      this.betweenPasses().beginComputePass({ timestampWrites }).end();
    };
    stamp({ querySet, beginningOfPassWriteIndex: 0 });
    queue();
    stamp({ querySet, endOfPassWriteIndex: 1 });
    const size = 16;
    const resolved = device.createBuffer({ size, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
    const mapped = device.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
    const encoder = this.betweenPasses();
    encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, mapped, 0, size);
    this.submit();
    await mapped.mapAsync(GPUMapMode.READ);
    const [begin = 0n, end = 0n] = new BigUint64Array(mapped.getMappedRange());
    for (const resource of [querySet, resolved, mapped]) resource.destroy();
    return Number(end - begin) / 1e6;
  }

  meterMemory(): MemoryMeter {
    return new BufferMeter(this.backend.bufferManager);
  }

  /**
   * tfjs holds the buffer of a disposed tensor back until the commands that use it are submitted. They run in the order in
   * which they are recorded, uploads included, so a later command may write into it at once: a training step needs far less
   * memory, and seldom a new buffer. Textures are not safe to reuse, since images are copied into them ahead of the recorded
   * commands.
   */
  reuseBuffersAtOnce(): void {
    const { backend } = this;
    const owned: WebGPUBackendInternals['commandQueueOwnedIds'] = {
      add: () => {},
      has: (dataId) => backend.commandEncoder !== null && backend.tensorMap.get(dataId).resource instanceof GPUTexture,
    };
    this.mostUnsubmittedBytes = Number.POSITIVE_INFINITY;
    // The backend makes a new set for each submission, in which it notes every tensor of every dispatch.
    Object.defineProperty(backend, 'commandQueueOwnedIds', { get: () => owned, set: () => {} });
  }
}

/** Whether a backend of tfjs is its WebGPUBackend. */
export const isWebGPUBackend = (backend: object): boolean => 'bufferManager' in backend && 'tensorMap' in backend;

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
