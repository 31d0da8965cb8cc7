import {
  type BackendValues,
  type DataId,
  type DataType,
  engine,
  type TensorInfo,
  type TypedArray,
  util,
} from '@tensorflow/tfjs-core';
import { currentOp } from '../engine/registered.js';
import { BindGroups } from './bind_groups.js';
import { BufferBindings } from './buffer_bindings.js';
import { BufferPool } from './buffer_pool.js';
import { Constants } from './constants.js';
import type { Binding, DeviceBackend, Dispatch, MemoryMeter, TensorData } from './device_backend.js';
import { forgetValuesOf } from './forget_values.js';
import type { PooledBuffer } from './free_buffers.js';
import { lostError } from './lost_error.js';
import { nextTask } from './next_task.js';
import type { Recording } from './recording.js';
import { packStockUniforms } from './stock_uniforms.js';
import {
  beginTimedPass,
  bytesPerElement,
  type StockProgram,
  type StockUniform,
  type WebGPUBackendInternals,
} from './tfjs_webgpu_backend.js';
import { timeBatch } from './time_batch.js';
import { Uniforms } from './uniforms.js';

/** Bytes that commands read and write together after which they are submitted. */
const BATCH_BYTES = 2 ** 30;
/** Commands after which they are submitted in any case. */
const BATCH_COMMANDS = 512;

/** How tensors' buffers are used. */
const TENSOR_USAGE = () => GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;

/** Options of the backend. */
export interface BackendOptions {
  /** Bytes that buffers may take together. */
  readonly memoryLimit: number;
  /** Whether no one else uses the device: what WebGPU finds wrong is an error of this backend's then. */
  readonly ownsDevice: boolean;
  /** Whether what this library has in the place of tfjs's own kernels is used. */
  readonly replaceStockKernels: boolean;
}

/** tfjs's WebGPUBackend, as it is made. */
export type StockBackendClass = new (device: GPUDevice, info?: GPUAdapterInfo) => WebGPUBackendInternals;

/** Compiled programs of tfjs's kernels, by device: the backend may be made anew for the same one. */
const pipelineCaches = new WeakMap<GPUDevice, Record<string, GPUComputePipeline>>();

/**
 * Our WebGPU backend: tfjs's own, which keeps its kernels, with memory and commands of our making. Buffers come from a
 * {@link BufferPool} and are free the moment their tensor is disposed, since commands run in the order in which they are
 * recorded; uniforms and bind groups are found again; commands are submitted by the work in them.
 */
export function webgpuBackendClass(Stock: StockBackendClass) {
  return class WebGPUBackend extends Stock implements DeviceBackend {
    readonly pool: BufferPool;
    readonly uniforms: Uniforms;
    readonly groups: BindGroups;
    readonly constants: Constants;
    readonly stockPrograms = new Map<GPUComputePipeline, { id: number; layout: GPUBindGroupLayout }>();
    /** Of buffers that are the user's own. */
    readonly externalBindings = new BufferBindings(() => this.pool.newBindingId());
    /** The number of the batch that commands are recorded in now. */
    batchNumber = 0;
    /** Bytes that the commands of the batch read and write. */
    batchBytes = 0;
    /** Of the pass that is open. */
    lastPipeline: GPUComputePipeline | null = null;
    /** Whether commands wait until they are submitted by name. */
    holdsCommands = false;
    recording: Recording | null = null;
    /** What went wrong on the device since the last command, to be thrown by the next. */
    failure: Error | null = null;
    lost: Error | null = null;
    replacesStockKernels: boolean;
    /** While a kernel of tfjs's is prepared: `recordAndSubmit` uploads what needs it. */
    uploadsLater = false;

    constructor(device: GPUDevice, info: GPUAdapterInfo | undefined, options: BackendOptions) {
      super(device, info);
      this.pool = new BufferPool(device, this, device.limits.maxBufferSize, options.memoryLimit);
      this.bufferManager = this.pool as never;
      this.replacesStockKernels = options.replaceStockKernels;
      this.uniforms = new Uniforms(device);
      this.groups = new BindGroups(device);
      this.constants = new Constants(device);
      this.pipelineCache = pipelineCaches.get(device) ?? {};
      pipelineCaches.set(device, this.pipelineCache);
      device.lost.then((info) => {
        this.lost = lostError(info);
        this.failure = this.lost;
      });
      if (options.ownsDevice) device.addEventListener('uncapturederror', this.onUncapturedError);
      // Each submission of tfjs's would make a new set, and note every tensor of every dispatch in it.
      const owned = { add: () => {}, has: () => false };
      Object.defineProperty(this, 'commandQueueOwnedIds', { get: () => owned, set: () => {} });
    }

    // Tensors.

    allocate(shape: number[], dtype: 'float32' | 'int32'): TensorInfo {
      const info = this.makeTensorInfo(shape, dtype);
      if (util.sizeFromShape(shape) === 0) this.dataOf(info).values = util.getTypedArrayFromDType(dtype, 0);
      return info;
    }

    free({ dataId }: TensorInfo): void {
      this.disposeData(dataId);
    }

    dataOf({ dataId }: Pick<TensorInfo, 'dataId'>): TensorData {
      return this.tensorMap.get(dataId);
    }

    override write(values: BackendValues, shape: number[], dtype: DataType): DataId {
      const dataId = super.write(values, shape, dtype);
      this.recording?.made.add(this.tensorMap.get(dataId));
      return dataId;
    }

    override move(dataId: DataId, values: BackendValues, shape: number[], dtype: DataType, refCount: number): void {
      super.move(dataId, values, shape, dtype, refCount);
      this.recording?.made.add(this.tensorMap.get(dataId));
    }

    override disposeData(dataId: DataId, force = false): boolean {
      if (!this.tensorMap.has(dataId)) return true;
      const data = this.tensorMap.get(dataId);
      data.refCount = force ? 0 : data.refCount - 1;
      if (data.refCount > 0) return false;
      if (data.complexTensorInfos) {
        this.disposeData(data.complexTensorInfos.real.dataId);
        this.disposeData(data.complexTensorInfos.imag.dataId);
      }
      // Images are copied into a texture ahead of the recorded commands, which must have read the one before by then.
      if (this.commandEncoder && data.resource instanceof GPUTexture) {
        this.tensorDataPendingDisposal.push(dataId);
        return true;
      }
      this.releaseResource(dataId);
      this.tensorMap.delete(dataId);
      return true;
    }

    override uploadToGPU(dataId: DataId): void {
      if (this.uploadsLater) return;
      const data = this.tensorMap.get(dataId);
      if (data.resource == null) this.makeResident(data);
    }

    /** Gives a tensor's data a buffer, with its values if it has any. */
    makeResident(data: TensorData): void {
      this.throwFailure();
      const bytes = bytesPerElement(data.dtype) * util.sizeFromShape(data.shape);
      const { values } = data;
      if (!values) {
        data.resource = this.pool.acquire(bytes, TENSOR_USAGE()).buffer;
        return;
      }
      // The values reach the buffer ahead of the commands that wait, none of which may use it.
      const pooled = this.recording
        ? this.pool.acquireExclusive(bytes, TENSOR_USAGE(), true)
        : this.pool.acquire(bytes, TENSOR_USAGE(), true);
      this.recording?.uploads(data, pooled);
      this.writeBuffer(pooled, values, data.dtype);
      data.resource = pooled.buffer;
      // As tfjs does: values that are on the device are not kept twice.
      data.values = null;
    }

    writeBuffer({ buffer }: PooledBuffer, values: TypedArray, dtype: DataType): void {
      const array = dtype === 'float32' ? Float32Array : Int32Array;
      const words = values instanceof array ? values : array.from(values as ArrayLike<number>);
      this.queue.writeBuffer(buffer, 0, words.buffer as ArrayBuffer, words.byteOffset, words.byteLength);
    }

    storageOf({ dataId }: TensorInfo, bytes: number): Binding {
      const data = this.tensorMap.get(dataId);
      if (data.resource == null) this.makeResident(data);
      const buffer = data.resource as GPUBuffer;
      const { recording } = this;
      if (recording && !recording.made.has(data)) recording.uses(data);
      const pooled = this.pool.of(buffer);
      return pooled ? this.pool.bindingOf(pooled, bytes) : this.externalBindings.of(buffer, bytes);
    }

    forgetValues(info: Pick<TensorInfo, 'dataId'>): void {
      const data = this.dataOf(info);
      this.recording?.changes(data);
      forgetValuesOf(data);
    }

    copy(source: TensorInfo, target: TensorInfo): void {
      const bytes = util.sizeFromShape(target.shape) * 4;
      this.copyBinding(this.storageOf(source, bytes), this.storageOf(target, bytes));
    }

    copyBinding(source: Binding, target: Binding): void {
      this.encodeCopy(source, target);
      this.recording?.add({ source, target });
    }

    encodeCopy(source: Binding, target: Binding): void {
      this.betweenPasses().copyBufferToBuffer(source.buffer, 0, target.buffer, 0, source.size);
    }

    // Commands.

    get batch(): object | null {
      return this.commandEncoder;
    }

    openBatch(): GPUCommandEncoder {
      this.ensureCommandEncoderReady();
      return this.commandEncoder!;
    }

    betweenPasses(): GPUCommandEncoder {
      const encoder = this.openBatch();
      this.endComputePassEncoder();
      return encoder;
    }

    override endComputePassEncoder(): void {
      this.lastPipeline = null;
      super.endComputePassEncoder();
    }

    dispatch(command: Dispatch): void {
      this.throwFailure();
      this.encode(command);
      this.recording?.add(command);
    }

    encode(command: Dispatch): void {
      const { pipeline } = command;
      const pass = this.activeTimers ? this.timedPass() : (this.computePassEncoder ?? this.newPass());
      if (this.lastPipeline !== pipeline) {
        pass.setPipeline(pipeline);
        this.lastPipeline = pipeline;
      }
      pass.setBindGroup(0, command.bindGroup);
      pass.dispatchWorkgroups(command.x, command.y, command.z);
      this.dispatchCountInPass++;
      this.batchBytes += command.bytes;
      if (this.activeTimers) {
        this.endComputePassEncoder();
        this.activeTimers.push({ name: command.name, query: this.getQueryTime() });
      } else if (this.isBatchFull()) {
        this.submitQueue();
      }
    }

    isBatchFull(): boolean {
      return (this.batchBytes >= BATCH_BYTES || this.dispatchCountInPass >= BATCH_COMMANDS) && !this.holdsCommands;
    }

    newPass(): GPUComputePassEncoder {
      this.lastPipeline = null;
      this.computePassEncoder = this.openBatch().beginComputePass();
      return this.computePassEncoder;
    }

    /** A pass of its own, between time stamps where the device has them. */
    timedPass(): GPUComputePassEncoder {
      return this.supportTimestampQuery ? beginTimedPass(this) : (this.computePassEncoder ?? this.newPass());
    }

    submit(): void {
      this.submitQueue();
    }

    override submitQueue(): void {
      const { commandEncoder } = this;
      if (!commandEncoder) return;
      this.endComputePassEncoder();
      this.queue.submit([commandEncoder.finish()]);
      this.commandEncoder = null;
      this.dispatchCountInPass = 0;
      this.batchBytes = 0;
      this.batchNumber++;
      for (const dataId of this.tensorDataPendingDisposal.splice(0)) {
        this.releaseResource(dataId);
        this.tensorMap.delete(dataId);
      }
      for (const buffer of this.uniformPendingDisposal.splice(0)) this.pool.releaseBuffer(buffer);
      for (const buffer of this.stagingPendingDisposal.splice(0)) this.pool.releaseBuffer(buffer);
    }

    timeOnDevice(queue: () => void): Promise<number> {
      this.holdsCommands = true;
      try {
        // What it waits for at the end is no longer about commands.
        return timeBatch(this.device, this, queue);
      } finally {
        this.holdsCommands = false;
      }
    }

    // Kernels of tfjs's.

    override runWebGPUProgram(
      program: StockProgram,
      inputs: TensorInfo[],
      dtype: DataType,
      uniforms?: StockUniform[] | null,
      given?: TensorInfo,
    ): TensorInfo {
      // Its WGSL has the length of a row, which tfjs leaves out of the key.
      if (program.shaderKey.startsWith('cum_')) program.shaderKey += `_${program.outputShape.at(-1)}`;
      const output = given ?? this.makeTensorInfo(program.outputShape, dtype);
      this.uploadsLater = true;
      try {
        return super.runWebGPUProgram(program, inputs, dtype, uniforms, output);
      } catch (error) {
        // For want of memory, as a rule.
        if (!given) this.disposeData(output.dataId);
        throw error;
      } finally {
        this.uploadsLater = false;
      }
    }

    override recordAndSubmit(
      program: StockProgram,
      output: TensorInfo,
      inputs: TensorInfo[],
      uniforms?: StockUniform[] | null,
    ): void {
      this.uploadsLater = false;
      if (program.pixelsOpType != null) {
        for (const { dataId } of [output, ...inputs]) this.uploadToGPU(dataId);
        // Its texture may be another in each call, or live for this task alone.
        this.recording?.refuse(`${program.constructor.name} reads or draws an image`);
        this.lastPipeline = null;
        super.recordAndSubmit(program, output, inputs, uniforms);
        this.lastPipeline = null;
        return;
      }
      const { pipeline, dispatch } = program;
      if (pipeline instanceof Promise) {
        throw new Error('The kernel is still being compiled; await checkCompileCompletionAsync() first.');
      }
      let known = this.stockPrograms.get(pipeline);
      if (!known) {
        known = { id: this.stockPrograms.size, layout: pipeline.getBindGroupLayout(0) };
        this.stockPrograms.set(pipeline, known);
      }
      const bindings: Binding[] = [];
      let bytes = 0;
      const bytesOf = ({ shape, dtype }: TensorInfo) => util.sizeFromShape(shape) * bytesPerElement(dtype);
      const bind = (binding: Binding, size: number) => {
        bytes += size;
        bindings.push(binding);
      };
      bind(this.storageOf(output, bytesOf(output)), bytesOf(output));
      for (const input of inputs) {
        const size = bytesOf(input);
        // A variable may have other values when a captured step runs again.
        const constant = this.recording ? undefined : this.constants.of(this.dataOf(input));
        bind(constant ?? this.storageOf(input, size), size);
      }
      bindings.push(
        this.uniforms.getWords((words, floats) =>
          packStockUniforms(program, output, inputs, uniforms ?? [], words, floats),
        ),
      );
      this.dispatch({
        name: program.constructor.name,
        pipeline,
        bindGroup: this.groups.get(known, bindings),
        x: dispatch[0],
        y: dispatch[1] ?? 1,
        z: dispatch[2] ?? 1,
        bytes,
      });
    }

    /** What is computed in JavaScript would remain as it was. */
    override shouldExecuteOnCPU(inputs: TensorInfo[], sizeThreshold?: number): boolean {
      return !this.recording && super.shouldExecuteOnCPU(inputs, sizeThreshold);
    }

    // Reads.

    override async read(dataId: DataId): Promise<TypedArray> {
      if (!this.tensorMap.has(dataId)) throw new Error('The tensor to read is not there: it was disposed.');
      const data = this.tensorMap.get(dataId);
      if (data.values || data.dtype === 'complex64' || data.dtype === 'string') return super.read(dataId);
      this.refuseRead();
      this.throwFailure();
      const bytes = util.sizeFromShape(data.shape) * 4;
      const source = this.storageOf({ dataId, shape: data.shape, dtype: data.dtype }, bytes);
      const staging = this.pool.acquire(bytes, GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ);
      this.betweenPasses().copyBufferToBuffer(source.buffer, 0, staging.buffer, 0, bytes);
      this.submitQueue();
      try {
        await staging.buffer.mapAsync(GPUMapMode.READ, 0, bytes);
      } catch (cause) {
        // The loss may be told a moment later.
        const moment = new Promise<undefined>((resolve) => setTimeout(resolve, 100));
        const loss = await Promise.race([this.device.lost, moment]);
        throw loss ? lostError(loss) : new Error('The tensor could not be read: its backend was removed.', { cause });
      }
      const values = util.convertBackendValuesAndArrayBuffer(
        staging.buffer.getMappedRange(0, bytes).slice(0),
        data.dtype,
      );
      staging.buffer.unmap();
      this.pool.release(staging);
      // A browser may tell of an error in a task behind the one that ends the mapping.
      await nextTask();
      this.throwFailure();
      data.values = values as TypedArray;
      return values as TypedArray;
    }

    override readSync(dataId: DataId): TypedArray {
      const data = this.tensorMap.get(dataId);
      if (data.values || data.dtype === 'string' || data.dtype === 'complex64') return super.readSync(dataId);
      this.refuseRead();
      const values = super.readSync(dataId);
      const size = util.sizeFromShape(data.shape);
      if (values.length === size) return values;
      // tfjs reads the whole buffer.
      const read = values.slice(0, size);
      data.values = read;
      return read;
    }

    refuseRead(): void {
      this.recording?.refuse(`${currentOp()} reads a tensor back, to compute in JavaScript`);
    }

    override readToGPU(dataId: DataId): ReturnType<WebGPUBackendInternals['readToGPU']> {
      this.refuseRead();
      const { resource, dtype, shape } = this.tensorMap.get(dataId);
      if (!resource) return super.readToGPU(dataId); // which says why not
      const buffer = this.exactCopy(resource as GPUBuffer, util.sizeFromShape(shape) * 4, TENSOR_USAGE());
      const info = this.makeTensorInfo(shape, dtype);
      this.dataOf(info).resource = buffer;
      return { tensorRef: engine().makeTensorFromTensorInfo(info), buffer };
    }

    override copyBuffer(source: GPUBuffer): GPUBuffer {
      return this.exactCopy(source, source.size, source.usage);
    }

    /** A copy of a buffer's first `bytes`, in one of that very size, which users see. */
    exactCopy(source: GPUBuffer, bytes: number, usage: number): GPUBuffer {
      const { buffer } = this.pool.acquireExact(bytes, usage);
      this.betweenPasses().copyBufferToBuffer(source, 0, buffer, 0, bytes);
      this.submitQueue();
      return buffer;
    }

    // Memory.

    override memory() {
      const { pool } = this;
      return {
        unreliable: false,
        numBytesInGPU: pool.numBytesUsed,
        numBytesAllocatedInGPU: pool.numBytesAllocated,
        numBytesPooledInGPU: pool.numBytesAllocated - pool.numBytesUsed,
        peakBytesInGPU: pool.peakUsed,
      };
    }

    meterMemory(): MemoryMeter {
      const { pool } = this;
      return {
        get allocated() {
          return pool.numBytesAllocated;
        },
        get peak() {
          return pool.peakAllocated;
        },
        resetPeak: () => {
          pool.shrink(0);
          pool.resetPeak();
        },
      };
    }

    resetPeakMemory(): void {
      this.pool.resetPeak();
    }

    // Faults.

    onOutOfMemory(error: Error): void {
      // What else is wrong follows from it.
      this.failure = this.lost ?? error;
    }

    /** Labels in the message say which program or op it is about. */
    readonly onUncapturedError = (event: GPUUncapturedErrorEvent): void => {
      event.preventDefault();
      // What it follows from is told by itself.
      if (event.error.message.includes('is invalid due to a previous error')) return;
      this.failure ??= new Error(`WebGPU: ${event.error.message}`);
    };

    throwFailure(): void {
      const error = this.failure;
      this.failure = this.lost;
      if (error) throw error;
    }

    override dispose(): void {
      this.device.removeEventListener('uncapturederror', this.onUncapturedError);
      super.dispose();
    }
  };
}

export type LigerWebGPUBackend = InstanceType<ReturnType<typeof webgpuBackendClass>>;
