import { engine, type Tensor, type TypedArray } from '@tensorflow/tfjs-core';
import { deviceBackendOf, isWebGPUBackend } from '../backend/tfjs_webgpu_backend.js';

/** Where tfjs's backends other than WebGPU keep what they know of a tensor. */
interface HostBackend {
  /** cpu */ data?: ValueHolder;
  /** tensorflow */ tensorMap?: ValueHolder;
  /** webgl */ texData?: ValueHolder;
  /** wasm */ dataIdMap?: object;
  readSync(dataId: object): TypedArray;
}

interface ValueHolder {
  get(dataId: object): { values?: TypedArray | null } | undefined;
}

interface EngineState {
  state: { tensorInfo: WeakMap<object, { backend: object }> };
}

/**
 * A tensor's values where JavaScript has them already, and null where they are on a device: reading those would stall the
 * queue.
 */
export function residentValues(tensor: Tensor): TypedArray | null {
  const backend = (engine() as unknown as EngineState).state.tensorInfo.get(tensor.dataId)?.backend;
  if (!backend) return null;
  if (isWebGPUBackend(backend)) return deviceBackendOf(backend).dataOf(tensor).values ?? null;
  const { data, tensorMap, texData, dataIdMap, readSync } = backend as HostBackend;
  if (dataIdMap) return readSync.call(backend, tensor.dataId);
  return (tensorMap ?? texData ?? data)?.get(tensor.dataId)?.values ?? null;
}
