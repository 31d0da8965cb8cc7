import {
  findBackend,
  findBackendFactory,
  type KernelBackend,
  registerBackend,
  removeBackend,
  setBackend,
} from '@tensorflow/tfjs-core';
import {
  type ConfigOf,
  callback,
  defaultsOf,
  flag,
  integer,
  object,
  oneOf,
  type ResolvedConfig,
  resolveConfig,
} from '../checks/config_schema.js';
import { backendNamed } from '../engine/registered.js';
import { replaceStockKernels } from '../engine/stock_kernels.js';
import { fitDevice, forgetFits } from './device_fit.js';
import { type StockBackendClass, webgpuBackendClass } from './webgpu_backend.js';

const schema = {
  /** Where adapters come from: `navigator.gpu` unless given. In Node.js, what `create([])` of the npm package `webgpu` returns. */
  gpu: object<GPU>(),
  /** The adapter to use instead of asking for one. */
  adapter: object<GPUAdapter>(),
  /**
   * A device to use instead of making one; it should have `subgroups`, and limits as large as the adapter's. What WebGPU finds wrong
   * on it is not told by ops, since it may be another's.
   */
  device: object<GPUDevice>(),
  /** Which GPU to ask for where a machine has two. Default 'high-performance'. */
  powerPreference: oneOf(['high-performance', 'low-power'], 'high-performance'),
  /**
   * The most bytes that buffers may take together, those that are kept for reuse included, which are given up first. An op that
   * needs more throws. Default: what the device has.
   */
  memoryLimit: integer(Number.MAX_SAFE_INTEGER, { min: 1 }),
  /** Told once why the device was lost. Its tensors are gone then: register again, and go on from saved weights. */
  onDeviceLost: callback<(info: GPUDeviceLostInfo) => void>(),
  /**
   * Has code that uses tfjs alone gain, too: of tf.matMul, tf.softmax, tf.sum and others, and of gradients, what is faster here takes
   * the place of tfjs's own, on this backend alone. Default true.
   */
  replaceStockKernels: flag(true),
  /**
   * Has matrix products computed in the way that is fastest on this very device: it is measured for a few seconds, between what the program
   * does, and what was found is remembered for the next time, in IndexedDB, or in Node.js in a file of the user's cache. False keeps to the
   * plans for an H200 on every device, and so does a `memoryLimit` below 1 GiB: sums are then added up in the same order in every run, and
   * results equal bit by bit. Default true.
   */
  fitDevice: flag(true),
  /** Replaces a backend that is registered already and works. Default false. */
  force: flag(),
} as const;

/** Options of {@link registerWebGPUBackend}. */
export interface RegisterWebGPUBackendOptions extends ConfigOf<typeof schema> {}

const defaults = defaultsOf(schema);

/** What is measured takes some hundred megabytes for a moment, which the program might be short of. */
const ROOM_TO_MEASURE = 2 ** 30;

/** Features that the device gets where the adapter has them. */
const FEATURES = ['subgroups', 'shader-f16', 'timestamp-query', 'bgra8unorm-storage'];

/** The backend, as far as its users need it. */
export interface WebGPUBackend extends KernelBackend {
  readonly device: GPUDevice;
  /** Resolves once nothing more is measured of the device, for whoever wants a run that is the same from there on. */
  readonly fitted: Promise<void>;
  /**
   * Bytes of buffers on the device. tf.memory() has them, too.
   *
   * @returns `numBytesInGPU` that tensors hold, `numBytesPooledInGPU` that are kept for reuse, `numBytesAllocatedInGPU` of both, and
   *     `peakBytesInGPU`, the most that tensors held since the start, or since `resetPeakMemory()`.
   */
  memory(): MemoryUse;
  resetPeakMemory(): void;
}

/** See {@link WebGPUBackend.memory}. */
export interface MemoryUse {
  unreliable: boolean;
  numBytesInGPU: number;
  numBytesPooledInGPU: number;
  numBytesAllocatedInGPU: number;
  peakBytesInGPU: number;
}

/**
 * Registers our WebGPU backend, and makes it the current one. Its name is `webgpu`, and it is tfjs's own but for memory and
 * commands: buffers are reused at once and shared by tensors of different shapes, and a command costs less JavaScript. Its
 * device has every feature that this library uses and the adapter's full limits. The backend that tfjs makes by itself works
 * too, without these, and without `subgroups`.
 *
 * Called again, as React's StrictMode and hot reloading do, it gives the backend that is there, which goes on. It replaces
 * the backend where its device was lost, or with `force`, or with another `device`; the tensors of the old one are gone then.
 *
 * @returns The backend. Its `device` may be shared with other code.
 * @throws If there is no WebGPU, no adapter, or the package @tensorflow/tfjs-backend-webgpu is not installed.
 */
export async function registerWebGPUBackend(options?: RegisterWebGPUBackendOptions): Promise<WebGPUBackend> {
  const config = resolveConfig('registerWebGPUBackend', schema, defaults, options);
  const registered = earlierCalls.then(() => register(config));
  earlierCalls = registered.catch(() => {});
  return registered;
}

/** Calls wait for the ones before them, so that two at a time do not both make a device. */
let earlierCalls: Promise<unknown> = Promise.resolve();

async function register(config: ResolvedConfig<typeof schema>): Promise<WebGPUBackend> {
  const { gpu, adapter, device, powerPreference, memoryLimit, onDeviceLost, force } = config;
  const options = { memoryLimit, replaceStockKernels: config.replaceStockKernels, ownsDevice: !device };
  const live = liveBackend();
  if (live && !force && (!device || device === live.device)) {
    await setBackend('webgpu');
    return live;
  }
  provideNavigatorGpu(gpu);
  const { WebGPUBackend: Stock } = await importBackend();
  replaceStockKernels();
  const made = device ? { device, info: adapter?.info } : await makeDevice(adapter, powerPreference);
  if (findBackendFactory('webgpu')) removeBackend('webgpu');
  const info = made.info ?? (made.device as { adapterInfo?: GPUAdapterInfo }).adapterInfo;
  const Backend = webgpuBackendClass(Stock as unknown as StockBackendClass);
  let fitted = Promise.resolve();
  // tfjs calls it again after tf.engine().reset().
  const make = () => mark(new Backend(made.device, info, options), () => fitted);
  if (onDeviceLost) made.device.lost.then(onDeviceLost);
  registerBackend('webgpu', make, 3);
  await setBackend('webgpu');
  const backend = findBackend('webgpu') as WebGPUBackend;
  if (config.fitDevice && memoryLimit >= ROOM_TO_MEASURE) fitted = (await fitDevice(backend, info))();
  else forgetFits(made.device);
  return backend;
}

/** Marks the backends made here, also for another copy of this module. */
const STATE = Symbol.for('tfjs-liger.backend');

type Marked = WebGPUBackend & { [STATE]?: { lost: boolean } };

function mark(backend: KernelBackend & { device: GPUDevice }, fitted: () => Promise<void>): WebGPUBackend {
  const state = { lost: false };
  backend.device.lost.then(() => {
    state.lost = true;
  });
  return Object.defineProperties(backend, { [STATE]: { value: state }, fitted: { get: fitted } }) as WebGPUBackend;
}

/** The backend that was made here, while it works. */
function liveBackend(): WebGPUBackend | undefined {
  const backend = backendNamed('webgpu') as Marked | undefined;
  return backend?.[STATE]?.lost === false ? backend : undefined;
}

/** tfjs's backend looks for `navigator.gpu` when it is imported and when it is made. */
function provideNavigatorGpu(gpu: GPU | undefined): void {
  if (!gpu) return;
  if (!globalThis.navigator) Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
  if (globalThis.navigator.gpu !== gpu) {
    Object.defineProperty(globalThis.navigator, 'gpu', { value: gpu, configurable: true });
  }
}

async function importBackend(): Promise<typeof import('@tensorflow/tfjs-backend-webgpu')> {
  try {
    return await import('@tensorflow/tfjs-backend-webgpu');
  } catch (cause) {
    throw new Error(
      'registerWebGPUBackend: the package @tensorflow/tfjs-backend-webgpu could not be loaded; install it beside tfjs',
      { cause },
    );
  }
}

async function makeDevice(given: GPUAdapter | undefined, powerPreference: GPUPowerPreference) {
  const { gpu } = globalThis.navigator ?? {};
  if (!given && !gpu) {
    throw new Error(
      'registerWebGPUBackend: there is no WebGPU here (navigator.gpu is missing); in Node.js pass the option gpu',
    );
  }
  const adapter = given ?? (await gpu.requestAdapter({ powerPreference }));
  if (!adapter) throw new Error('registerWebGPUBackend: WebGPU found no adapter');
  const requiredFeatures = FEATURES.filter((feature) => adapter.features.has(feature)) as GPUFeatureName[];
  const requiredLimits: Record<string, number> = {};
  for (const name in adapter.limits) {
    const limit = adapter.limits[name as keyof GPUSupportedLimits];
    if (typeof limit === 'number') requiredLimits[name] = limit;
  }
  return { device: await adapter.requestDevice({ requiredFeatures, requiredLimits }), info: adapter.info };
}
