import type * as tf from '@tensorflow/tfjs';
import type { DeviceBackend, MemoryMeter } from '../../src/backend/device_backend.js';
import { deviceBackendOf } from '../../src/backend/tfjs_webgpu_backend.js';
import type { ReplacingBackend } from '../../src/engine/stock_kernels.js';

/** What a measurement needs of the backend that it measures. */
export interface BenchDevice {
  readonly description: string;
  /** Waits until everything that was queued is done. `results` are the tensors of the last call. */
  wait(results: tf.Tensor[]): Promise<void>;
  /** The milliseconds that the device itself spends on what `queue` queues; undefined where there is no way to know. */
  deviceTime?(queue: () => void): Promise<number>;
  /** Bytes that tensors have on the device, and the most they have had since `resetPeak`. */
  readonly memory?: MemoryMeter;
  /** Whether this library's kernels take the place of tfjs's own, where the backend has any. */
  useReplacements(are: boolean): void;
  /** What the device has complained about since this was last called. */
  takeErrors(): string[];
}

/** tfjs's WebGPU backend. */
export class WebGPUBenchDevice implements BenchDevice {
  readonly description: string;
  readonly memory: MemoryMeter;
  private readonly backend: DeviceBackend;
  private readonly errors: string[] = [];

  constructor(backend: tf.KernelBackend) {
    this.backend = deviceBackendOf(backend);
    const { device } = this.backend;
    const { vendor, architecture, description } = device.adapterInfo ?? {};
    this.description = [vendor, architecture, description].filter(Boolean).join(' ') || 'an unnamed WebGPU adapter';
    this.memory = this.backend.meterMemory();
    device.addEventListener('uncapturederror', ({ error }) => this.errors.push(error.message.split('\n')[0]!));
  }

  async wait(): Promise<void> {
    this.backend.submit();
    await this.backend.device.queue.onSubmittedWorkDone();
  }

  get deviceTime(): ((queue: () => void) => Promise<number>) | undefined {
    const { backend } = this;
    return backend.device.features.has('timestamp-query') ? (queue) => backend.timeOnDevice(queue) : undefined;
  }

  useReplacements(are: boolean): void {
    (this.backend as Partial<ReplacingBackend>).replacesStockKernels = are;
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

  useReplacements(): void {}

  takeErrors(): string[] {
    return [];
  }
}
