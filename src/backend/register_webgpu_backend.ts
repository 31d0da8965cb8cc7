import {
  env,
  findBackend,
  findBackendFactory,
  type KernelBackend,
  registerBackend,
  removeBackend,
  setBackend,
} from '@tensorflow/tfjs-core';
import {
  type ConfigOf,
  defaultsOf,
  flag,
  integer,
  object,
  oneOf,
  type ResolvedConfig,
  resolveConfig,
} from '../checks/config_schema.js';
import { backendNamed } from '../engine/registered.js';
import { TfjsWebGPUBackend } from './tfjs_webgpu_backend.js';

const schema = {
  /** Where adapters come from: `navigator.gpu` unless given. In Node.js, what `create([])` of the npm package `webgpu` returns. */
  gpu: object<GPU>(),
  /** The adapter to use instead of asking for one. */
  adapter: object<GPUAdapter>(),
  /** A device to use instead of making one; it should have `subgroups`, and limits as large as the adapter's. */
  device: object<GPUDevice>(),
  /** Which GPU to ask for where a machine has two. Default 'high-performance'. */
  powerPreference: oneOf(['high-performance', 'low-power'], 'high-performance'),
  /** Dispatches that are collected before they are submitted to the queue. Default 128; tfjs's own is 15. */
  submitBatchSize: integer(128, { min: 1 }),
  /** Replaces a backend that is registered already and works. Default false. */
  force: flag(),
} as const;

/** Options of {@link registerWebGPUBackend}. */
export interface RegisterWebGPUBackendOptions extends ConfigOf<typeof schema> {}

const defaults = defaultsOf(schema);

/** Features that the device gets where the adapter has them. */
const FEATURES = ['subgroups', 'shader-f16', 'timestamp-query', 'bgra8unorm-storage'];

/** tfjs's WebGPU backend, as far as its users need it. */
export interface WebGPUBackend extends KernelBackend {
  readonly device: GPUDevice;
}

/**
 * Registers tfjs's own WebGPU backend, under its name `webgpu`, on a device with every feature that this library uses and
 * the adapter's full limits, and makes it the current backend. The device that tfjs makes by itself works too, but has no
 * `subgroups`.
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
  const { gpu, adapter, device, powerPreference, submitBatchSize, force } = config;
  const live = liveBackend();
  if (live && !force && (!device || device === live.device)) {
    await setBackend('webgpu');
    return live;
  }
  provideNavigatorGpu(gpu);
  const { WebGPUBackend } = await importBackend();
  const made = device ? { device, info: adapter?.info } : await makeDevice(adapter, powerPreference);
  if (findBackendFactory('webgpu')) removeBackend('webgpu');
  const info = made.info ?? (made.device as { adapterInfo?: GPUAdapterInfo }).adapterInfo;
  const make = () => {
    // Here, since tf.engine().reset() puts flags back, and has the backend made again.
    env().set('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE', submitBatchSize);
    const backend = new WebGPUBackend(made.device, info as GPUAdapterInfo);
    TfjsWebGPUBackend.of(backend).reuseBuffersAtOnce();
    return mark(backend);
  };
  registerBackend('webgpu', make, 3);
  await setBackend('webgpu');
  return findBackend('webgpu') as WebGPUBackend;
}

/** Marks the backends made here, also for another copy of this module. */
const STATE = Symbol.for('tfjs-liger.backend');

type Marked = WebGPUBackend & { [STATE]?: { lost: boolean } };

function mark(backend: WebGPUBackend): WebGPUBackend {
  const state = { lost: false };
  backend.device.lost.then(() => {
    state.lost = true;
  });
  return Object.defineProperty(backend, STATE, { value: state });
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
