import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs';
import type { Backend } from '../../scripts/lib/backends.mjs';
import { installWebGpu } from '../../scripts/lib/dawn.mjs';
import { registerWebGPUBackend } from '../../src/index.js';

export type { Backend };

/** Makes a backend of Node.js the current one. `auto` is WebGPU on a real GPU, or else the fastest one for the CPU. */
export async function useBackend(name: Backend | 'auto'): Promise<Backend> {
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2'; // libtensorflow greets on stderr otherwise
  if (name !== 'auto') {
    await load[name]();
    return name;
  }
  if (await hasGpu()) return useBackend('webgpu');
  for (const candidate of ['tensorflow', 'wasm'] as const) {
    const loaded = await load[candidate]().then(
      () => true,
      () => false,
    );
    if (loaded) return candidate;
  }
  return useBackend('cpu');
}

async function hasGpu(): Promise<boolean> {
  try {
    return !(await installWebGpu()).info.isFallbackAdapter; // false as well for WebGPU on the CPU
  } catch {
    return false;
  }
}

const load: Record<Backend, () => Promise<void>> = {
  async webgpu() {
    await installWebGpu();
    await registerWebGPUBackend();
  },
  async tensorflow() {
    await import('@tensorflow/tfjs-node');
    await activate('tensorflow');
  },
  async wasm() {
    await import('@tensorflow/tfjs-backend-wasm');
    await activate('wasm');
  },
  cpu: () => activate('cpu'),
};

/** Those of backends that may be replaced: Dawn may crash as the process ends where one was collected. */
const devices: GPUDevice[] = [];

/** Makes tfjs's own WebGPU backend the current one, for comparison. */
export async function useStockWebGpu(): Promise<void> {
  await installWebGpu();
  await import('@tensorflow/tfjs-backend-webgpu');
  await activate('webgpu');
  devices.push((tf.backend() as tf.KernelBackend & { device: GPUDevice }).device);
}

async function activate(name: Backend): Promise<void> {
  if (!(await tf.setBackend(name))) throw new Error(`tfjs could not start its backend ${name}`);
}

/** What runs the ops, for people: the backend, and the GPU's name where there is one. */
export function describeBackend(): string {
  const { adapterInfo } = tf.backend() as { adapterInfo?: { description?: string; vendor?: string; device?: string } };
  const device = adapterInfo && (adapterInfo.description || adapterInfo.device || adapterInfo.vendor);
  return device ? `${tf.getBackend()} (${device})` : tf.getBackend();
}

/**
 * Bytes: on WebGPU all that the backend holds on the device, since it gives nothing back to the system; elsewhere the most
 * that the process has held, this side of swapping.
 */
export function peakMemory(): number {
  const { peakBytesInGPU } = tf.memory() as tf.MemoryInfo & { peakBytesInGPU?: number };
  return peakBytesInGPU ?? peakResidentSet();
}

function peakResidentSet(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  // Linux counts what the parent had when it started this process in maxRSS.
  return Number(/VmHWM:\s*(\d+) kB/.exec(readFileSync('/proc/self/status', 'latin1'))![1]) * 1024;
}

/** Lets signals and timers have their turn: on backends of the CPU, data() comes without one. */
export const yieldToEvents = () => setTimeout(0);
