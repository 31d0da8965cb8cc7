import * as tf from '@tensorflow/tfjs';
import type { WebGPUBackendAccess } from '../../src/kernels/webgpu/runtime/backend_access.js';

/** What a measurement needs of the backend that it measures. */
export interface BenchDevice {
  readonly description: string;
  /** Waits until everything that was queued is done. `results` are the tensors of the last call. */
  wait(results: tf.Tensor[]): Promise<void>;
  /** Has the backend submit its commands when this many have been collected; as it was registered without a number. */
  submitEvery(dispatches?: number): void;
  /** The milliseconds that the device itself spends on what `queue` queues; undefined where there is no way to know. */
  deviceTime?(queue: () => void): Promise<number>;
  /** Bytes that tensors have on the device, and the most they have had since `resetPeak`. */
  readonly memory?: MemoryMeter;
  /** What the device has complained about since this was last called. */
  takeErrors(): string[];
}

export interface MemoryMeter {
  readonly allocated: number;
  readonly peak: number;
  /** Gives unused buffers back to the device, then counts from what is left. */
  resetPeak(): void;
}

interface BufferManager {
  numBytesAllocated: number;
  numFreeBuffers: number;
  freeBuffers: Map<string, GPUBuffer[]>;
  acquireBuffer(...args: unknown[]): GPUBuffer;
}

type WebGPUBackendInternals = WebGPUBackendAccess & { readonly bufferManager: BufferManager };

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

/** tfjs's WebGPU backend. */
export class WebGPUBenchDevice implements BenchDevice {
  readonly description: string;
  readonly memory: MemoryMeter;
  private readonly errors: string[] = [];
  private readonly registeredBatch = tf.env().getNumber('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE');

  constructor(private readonly backend: WebGPUBackendInternals) {
    const { device } = backend;
    const { vendor, architecture, description } = device.adapterInfo ?? {};
    this.description = [vendor, architecture, description].filter(Boolean).join(' ') || 'an unnamed WebGPU adapter';
    this.memory = new BufferMeter(backend.bufferManager);
    device.addEventListener('uncapturederror', ({ error }) => this.errors.push(error.message.split('\n')[0]!));
  }

  async wait(): Promise<void> {
    this.submit();
    await this.backend.device.queue.onSubmittedWorkDone();
  }

  submitEvery(dispatches = this.registeredBatch): void {
    tf.env().set('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE', dispatches);
  }

  get deviceTime(): ((queue: () => void) => Promise<number>) | undefined {
    return this.backend.device.features.has('timestamp-query') ? (queue) => this.timestamps(queue) : undefined;
  }

  /** Time stamps before and after the commands, so that neither JavaScript nor the submission counts. */
  private async timestamps(queue: () => void): Promise<number> {
    const { backend } = this;
    const { device } = backend;
    this.submit();
    const querySet = device.createQuerySet({ type: 'timestamp', count: 2 });
    const stamp = (timestampWrites: GPUComputePassTimestampWrites) => {
      backend.ensureCommandEncoderReady();
      backend.endComputePassEncoder();
      backend.commandEncoder!.beginComputePass({ timestampWrites }).end();
    };
    stamp({ querySet, beginningOfPassWriteIndex: 0 });
    queue();
    stamp({ querySet, endOfPassWriteIndex: 1 });
    const size = 16;
    const resolved = device.createBuffer({ size, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
    const mapped = device.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
    backend.commandEncoder!.resolveQuerySet(querySet, 0, 2, resolved, 0);
    backend.commandEncoder!.copyBufferToBuffer(resolved, 0, mapped, 0, size);
    this.submit();
    await mapped.mapAsync(GPUMapMode.READ);
    const [begin, end] = new BigUint64Array(mapped.getMappedRange());
    for (const resource of [querySet, resolved, mapped]) resource.destroy();
    return Number(end! - begin!) / 1e6;
  }

  private submit(): void {
    const { backend } = this;
    if (!backend.commandEncoder) return;
    backend.endComputePassEncoder();
    backend.submitQueue();
  }

  takeErrors(): string[] {
    return this.errors.splice(0);
  }
}

/** A backend that is done when its result can be read. */
export class HostBenchDevice implements BenchDevice {
  constructor(readonly description: string) {}

  async wait(results: tf.Tensor[]): Promise<void> {
    await results[0]?.data();
  }

  submitEvery(): void {}

  takeErrors(): string[] {
    return [];
  }
}
