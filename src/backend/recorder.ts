import { engine, type Tensor, type Variable } from '@tensorflow/tfjs-core';
import type { TensorData } from './device_backend.js';
import type { Arena } from './free_buffers.js';
import { Recording } from './recording.js';
import type { LigerWebGPUBackend } from './webgpu_backend.js';

/** A recorder for a backend that was made by registerWebGPUBackend; null for others, which can't record. */
export function recorderOf(backend: object): Recorder | null {
  return 'recording' in backend && 'pool' in backend ? new Recorder(backend as LigerWebGPUBackend) : null;
}

/** Recordings may take so many times the bytes of the largest one together. */
const MOST_BY_LARGEST = 1.5;

/** Makes recordings that share memory: one of them runs at a time. */
export class Recorder {
  private readonly live = new Set<Recording>();
  private readonly arena: Arena;

  constructor(private readonly backend: LigerWebGPUBackend) {
    this.arena = backend.pool.newArena(() => this.live.clear());
  }

  isOf(backend: object): boolean {
    return this.backend === backend;
  }

  /** Whether a step is being recorded now. */
  get isBusy(): boolean {
    return this.backend.recording !== null;
  }

  begin(): Recording {
    // After an optimizer's first step, what made its state would leave odd buffers to choose from, many of them too large.
    if (this.live.size === 0) this.backend.pool.empty(this.arena);
    return new Recording(this.backend, this.arena, this.live);
  }

  /**
   * Bounds the memory of all recordings by that of the largest: where they take much more together, all but this one are given up,
   * and find their buffers among those of larger ones when they are recorded again.
   */
  limitMemory(recording: Recording): void {
    const { pool } = this.backend;
    const largest = Math.max(...[...this.live].map(({ peak }) => peak));
    if (this.live.size < 2 || pool.bytesOf(this.arena) <= MOST_BY_LARGEST * largest) return;
    this.live.clear();
    this.live.add(recording);
    pool.prune(this.arena);
  }

  /** All variables, with their data. */
  variables(): Map<Variable, TensorData> {
    const variables = new Map<Variable, TensorData>();
    for (const variable of Object.values(engine().registeredVariables)) {
      if (!variable.isDisposed && this.backend.tensorMap.has(variable.dataId)) {
        variables.set(variable, this.dataOf(variable));
      }
    }
    return variables;
  }

  dataOf(tensor: Tensor): TensorData {
    return this.backend.dataOf(tensor);
  }

  /** A new tensor on the device, like another. */
  tensorLike({ shape, dtype }: Tensor): Tensor {
    const tensor = engine().makeTensorFromTensorInfo(this.backend.makeTensorInfo(shape, dtype));
    if (tensor.size > 0) this.backend.uploadToGPU(tensor.dataId);
    else this.dataOf(tensor).values = new Float32Array(0);
    return tensor;
  }

  /**
   * Has variables that were assigned the data of others, or of tensors that were there before, hold their own: a replay writes to
   * one place for each.
   *
   * @param before Variables, with the data that they had.
   */
  separateAssigned(recording: Recording, before: ReadonlyMap<Variable, TensorData>): void {
    const held = new Set<TensorData>();
    const assigned: Variable[] = [];
    for (const [variable, old] of before) {
      if (variable.isDisposed) continue;
      if (this.dataOf(variable) === old) held.add(old);
      else assigned.push(variable);
    }
    for (const variable of assigned) {
      const data = this.dataOf(variable);
      if (held.has(data) || !recording.made.has(data)) variable.assign(this.copyOf(variable));
      else held.add(data);
    }
  }

  /** A function that gives tensors for a step to return: copies of those whose data it has not made, or is a variable's. */
  outputsOf(recording: Recording): (tensor: Tensor) => Tensor {
    const held = new Set(this.variables().values());
    const outputs = new Map<Tensor, Tensor>();
    return (tensor) => {
      const data = this.dataOf(tensor);
      const isOwn = recording.made.has(data) && !held.has(data);
      if (!outputs.has(tensor)) outputs.set(tensor, isOwn ? tensor : this.copyOf(tensor));
      return outputs.get(tensor)!;
    };
  }

  /** A copy that a replay makes again. */
  private copyOf(tensor: Tensor): Tensor {
    const { shape, dtype, size } = tensor;
    if (size === 0 || dtype === 'string' || dtype === 'complex64') return tensor.clone();
    const copy = engine().makeTensorFromTensorInfo(this.backend.makeTensorInfo(shape, dtype));
    this.backend.copy(tensor, copy);
    return copy;
  }

  /** Copies a tensor's content into another on the device. */
  copy(source: Tensor, target: Tensor): void {
    const { backend } = this;
    if (source.size === 0) return;
    const { values, resource } = this.dataOf(source);
    if (resource) {
      backend.copy(source, target);
      return;
    }
    const pooled = backend.pool.of(this.dataOf(target).resource as GPUBuffer)!;
    // A write reaches the buffer ahead of the commands that wait.
    backend.submit();
    backend.writeBuffer(pooled, values!, target.dtype);
  }

  /**
   * Has others that share the data of variables which a recording changes in place, such as a clone that was made since, keep it
   * as it is now.
   */
  separateVariables(recording: Recording): void {
    const { backend } = this;
    for (const [variable, data] of recording.sharedVariables) {
      const bytes = variable.size * 4;
      const buffer = data.resource as GPUBuffer;
      const source = backend.storageOf(variable, bytes);
      const pooled = backend.pool.acquireExclusive(bytes, buffer.usage);
      backend.encodeCopy(source, backend.pool.bindingOf(pooled, bytes));
      data.resource = pooled.buffer;
      const info = backend.makeTensorInfo(variable.shape, variable.dtype);
      const own = backend.dataOf(info);
      own.resource = buffer;
      const tensor = engine().makeTensorFromTensorInfo(info);
      variable.assign(tensor);
      tensor.dispose();
      recording.replace(variable, data, own);
      backend.forgetValues(variable);
    }
  }

  dispose(): void {
    this.backend.pool.dissolve(this.arena);
  }
}
