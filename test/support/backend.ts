/**
 * The backend under test, the same for every spec: `import { tf } from './support/backend.js'`.
 * Which one it is says LIGER_TEST_BACKEND in Node.js, and karma.conf.js in a browser.
 */
import * as tf from '@tensorflow/tfjs';
import { Tensor } from '@tensorflow/tfjs-core';
import { registerWebGPUBackend } from '../../src/backend/register_webgpu_backend.js';
import { deviceBackendOf, type WebGPUBackendInternals } from '../../src/backend/tfjs_webgpu_backend.js';
import { loadBackend, onUnhandledRejection, target } from './platform_node.js';

export { target, tf };

/** `webgpu-shared` is WebGPU on the device that tfjs makes, without `subgroups`; `node` is the specs for Node.js alone. */
export type Target = 'cpu' | 'wasm' | 'tensorflow' | 'webgpu' | 'webgpu-shared' | 'webgl' | 'node';

/** tfjs's name of the backend under test. */
export const backendName = { 'webgpu-shared': 'webgpu', node: 'cpu' }[target as string] ?? target;

/** The backend under test with what is private in it; only on WebGPU. */
export const webgpuBackend = (): WebGPUBackendInternals => tf.backend() as unknown as WebGPUBackendInternals;

/** Its device. */
export const webgpuDevice = (): GPUDevice => webgpuBackend().device;

/** Makes the backend under test the current one. A root hook calls it before the first test. */
export async function ready(): Promise<void> {
  if (tf.Tensor !== Tensor) throw new Error('There are two instances of @tensorflow/tfjs-core');
  await loadBackend();
  onUnhandledRejection((error) => strayErrors.push(error));
  checkKernelsForLeaks();
  // What is measured in the background would be in the specs' way.
  if (target === 'webgpu') await registerWebGPUBackend({ fitDevice: false });
  await tf.setBackend(backendName);
  await tf.ready();
  if (tf.getBackend() !== backendName) throw new Error(`The backend is ${tf.getBackend()} instead of ${backendName}`);
  if (backendName === 'webgpu') checkDevice(webgpuDevice());
  if (backendName === 'webgl' && !tf.env().getBool('WEBGL_RENDER_FLOAT32_ENABLED')) {
    throw new Error('This WebGL has no float32 textures');
  }
}

function checkDevice(device: GPUDevice): void {
  if (device.features.has('subgroups') !== (target === 'webgpu')) {
    throw new Error(`A device ${target === 'webgpu' ? 'with' : 'without'} subgroups was expected`);
  }
  device.addEventListener('uncapturederror', ({ error }) => {
    strayErrors.push(new Error(`WebGPU: ${error.message}`));
  });
}

// Errors that reach no test by themselves: what WebGPU finds wrong with a shader or a dispatch, and rejections of
// promises that a test does not await.
const strayErrors: unknown[] = [];

/** Submits what is recorded; only on WebGPU. */
export const submit = () => deviceBackendOf(tf.backend()).submit();

/** Waits for what the test began, until its stray errors are here. */
async function settle(): Promise<void> {
  if (backendName === 'webgpu') {
    submit();
    await webgpuDevice().queue.onSubmittedWorkDone();
  }
  await new Promise((resolve) => setTimeout(resolve));
}

/** Makes stray errors fail the test in which they come up. A root hook calls it before each test. */
export function guardTest(test: Mocha.Test): void {
  const fn = test.fn as Mocha.AsyncFunc | undefined;
  if (!fn || test.async) return; // pending, or with a callback
  test.fn = async function (this: Mocha.Context) {
    strayErrors.length = 0;
    try {
      await fn.call(this);
    } finally {
      await settle();
    }
    if (strayErrors.length > 0) throw strayErrors[0];
  };
}

/**
 * Has tfjs check after each kernel that the kernel left no data behind, other than its outputs. tfjs applies the check to
 * a customGrad as well, which may keep tensors for its backward pass; these are exempt.
 */
function checkKernelsForLeaks(): void {
  tf.env().set('IS_TEST', true);
  const engine = tf.engine() as unknown as {
    checkKernelForMemLeak(kernelName: string, ...rest: unknown[]): void;
  };
  const check = engine.checkKernelForMemLeak;
  engine.checkKernelForMemLeak = function (kernelName, ...rest) {
    if (tf.getKernel(kernelName, tf.getBackend())) check.call(this, kernelName, ...rest);
  };
}

/** Skips the running test; the report says why. */
export function skip(context: Mocha.Context, reason: string): never {
  const test = (context.currentTest ?? context.test) as Mocha.Runnable & { skipReason?: string };
  test.skipReason = reason;
  return context.skip();
}
