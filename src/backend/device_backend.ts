import type { DataType, TensorInfo, TypedArray } from '@tensorflow/tfjs-core';

/** What the runtime of the WGSL kernels needs of a backend: tensors on a device, and an order of commands. */
export interface DeviceBackend {
  readonly device: GPUDevice;

  /** A new tensor. Its content is undefined, and its buffer is there when a command first needs it. */
  allocate(shape: number[], dtype: 'float32' | 'int32'): TensorInfo;

  /** Gives a tensor back that no command will use but those recorded so far. */
  free(tensor: TensorInfo): void;

  /** What is known of a tensor's data. */
  dataOf(tensor: Pick<TensorInfo, 'dataId'>): TensorData;

  /** A tensor's `bytes` on the device for the next command: uploaded, or allocated, if it was not there. */
  storageOf(tensor: TensorInfo, bytes: number): Binding;

  /**
   * Never to remember values of a tensor that were read: it changes in place. A read may also still be under way now and end
   * later.
   */
  forgetValues(tensor: TensorInfo): void;

  /** Records a copy of one tensor's content into another's. */
  copy(source: TensorInfo, target: TensorInfo): void;

  /** Records a dispatch. What was recorded is submitted once it is enough. */
  dispatch(command: Dispatch): void;

  /** Tells the commands that wait to be submitted together from others; null where none wait. */
  readonly batch: object | null;

  /** The same, with a batch that is opened where none is. */
  openBatch(): object;

  /** Submits what was recorded. */
  submit(): void;

  /** The step that is being captured: it has `write` write again what changes from call to call, before each replay. */
  readonly recording: RecordingHooks | null;

  /** The milliseconds that the device spends on what `queue` records, without JavaScript or submissions in between. */
  timeOnDevice(queue: () => void): Promise<number>;

  meterMemory(): MemoryMeter;
}

/** What code that runs while a step is captured may ask for. */
export interface RecordingHooks {
  /** How often the step was run again. */
  readonly replays: number;
  /** Whether a replay computes the data again. What was there before, and what was uploaded, it finds as it was left. */
  computes(data: TensorData): boolean;
  /** Has `write` run before each replay, after those that were given before. */
  beforeReplay(write: () => void): void;
}

/** A part of a buffer that a program's name is bound to. */
export interface Binding {
  readonly buffer: GPUBuffer;
  /** In bytes. The whole buffer where they are not given. */
  readonly offset?: number;
  readonly size?: number;
  /** Tells it from others in the keys of bind groups. */
  readonly id: number;
}

/** One dispatch. */
export interface Dispatch {
  /** What tf.profile shows. */
  readonly name: string;
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  /** Workgroups in three dimensions. */
  readonly x: number;
  readonly y: number;
  readonly z: number;
  /** Bytes of the tensors that it reads and writes. */
  readonly bytes: number;
}

/** A tensor's data, as tfjs's WebGPU backend has it. */
export interface TensorData {
  dtype: DataType;
  shape: number[];
  /** How many tensors, and clones that wait for a gradient, hold the data. */
  refCount: number;
  /** Whether the buffer is the user's own (tf.tensor of a GPUBuffer, with zeroCopy). */
  external?: boolean;
  /** The GPUBuffer, once the tensor is on the device. */
  resource?: GPUBuffer | GPUTexture | GPUExternalTexture | null;
  /** The values, while JavaScript has them: before they are uploaded, and once they were read. */
  values?: TypedArray | null;
  /** The parts of a complex64 tensor, which has no buffer of its own. */
  complexTensorInfos?: { real: TensorInfo; imag: TensorInfo } | null;
}

/** Counts the bytes that tensors have on the device, and the most they have had since `resetPeak`. */
export interface MemoryMeter {
  readonly allocated: number;
  readonly peak: number;
  /** Gives unused buffers back to the device, then counts from what is left. */
  resetPeak(): void;
}
