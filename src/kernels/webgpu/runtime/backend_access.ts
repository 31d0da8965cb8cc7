import type { DataId, DataType, TensorInfo } from '@tensorflow/tfjs-core';

/**
 * The members of tfjs's WebGPUBackend that this runtime uses, most of them private there.
 *
 * Nothing outside `runtime/` touches them, and `test/webgpu/backend_access.test.ts` pins them to the tfjs version.
 */
export interface WebGPUBackendAccess {
  readonly device: GPUDevice;
  readonly tensorMap: { get(dataId: DataId): TensorData };
  commandEncoder: GPUCommandEncoder | null;
  computePassEncoder: GPUComputePassEncoder | null;
  commandQueueOwnedIds: WeakSet<DataId>;
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

export interface TensorData {
  dtype: DataType;
  /** The GPUBuffer, once the tensor is on the device. */
  resource?: GPUBuffer | GPUTexture | null;
  /** The values, while the tensor is in JavaScript's memory only. */
  values: ArrayLike<number> | null;
}
