import { engine, type Tensor, type TypedArray } from '@tensorflow/tfjs-core';

interface ValueHolder {
  get(dataId: object): { values?: TypedArray | null } | undefined;
}

/** Where each of tfjs's backends keeps what it knows of a tensor. */
interface KnownBackends {
  /** cpu */ data?: ValueHolder;
  /** webgpu and tensorflow */ tensorMap?: ValueHolder;
  /** webgl */ texData?: ValueHolder;
  /** wasm */ dataIdMap?: object;
  readSync(dataId: object): TypedArray;
}

/**
 * A tensor's values where JavaScript has them already, and null where they are on a device: reading those would stall the
 * queue.
 */
export function residentValues(tensor: Tensor): TypedArray | null {
  const info = (engine() as unknown as EngineState).state.tensorInfo.get(tensor.dataId);
  const backend = info?.backend;
  if (!backend) return null;
  if (backend.dataIdMap) return backend.readSync(tensor.dataId);
  const holder = backend.tensorMap ?? backend.texData ?? backend.data;
  return holder?.get(tensor.dataId)?.values ?? null;
}

interface EngineState {
  state: { tensorInfo: WeakMap<object, { backend: KnownBackends }> };
}
