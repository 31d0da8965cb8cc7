import type { DataId, DataType, TensorInfo } from '@tensorflow/tfjs-core';

/**
 * The members of tfjs's WebGPUBackend that this runtime uses, most of them private there.
 *
 * Nothing outside `runtime/` touches them, and `test/webgpu/backend_access.test.ts` pins them to the tfjs version.
 */
export interface WebGPUBackendAccess {
  readonly device: GPUDevice;
  readonly tensorMap: { get(dataId: DataId): TensorData; has(dataId: DataId): boolean };
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

export interface TensorData {
  dtype: DataType;
  /** How many tensors, and clones that wait for a gradient, hold the data. */
  refCount: number;
  /** Whether the buffer is the user's own (tf.tensor of a GPUBuffer, with zeroCopy). */
  external?: boolean;
  /** The GPUBuffer, once the tensor is on the device. */
  resource?: GPUBuffer | GPUTexture | null;
  /** The values, while JavaScript has them: before they are uploaded, and once they were read. */
  values: ArrayLike<number> | null;
}
