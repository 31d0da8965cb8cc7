import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setBackend } from '@tensorflow/tfjs-core';
import type { Target } from './backend.js';

/** The backend under test. */
export const target = (process.env.LIGER_TEST_BACKEND ?? 'cpu') as Target;

/** The name of this pass of `npm test`. */
export const pass: string = target;

process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
// What is remembered of devices stays out of the user's own cache.
process.env.XDG_CACHE_HOME = path.resolve('.cache/test/home');

// Here and not in loadBackend(): tfjs's WebGPU backend, which the specs may import, looks for WebGPU when it is imported.
if (target === 'webgpu' || target === 'webgpu-shared') {
  const { installWebGpu } = await import('../../scripts/lib/dawn.mjs');
  await installWebGpu();
}

/** Imports the package that has the backend. */
export async function loadBackend(): Promise<void> {
  if (target === 'wasm') {
    await loadWasm();
  } else if (target === 'tensorflow') {
    await import('@tensorflow/tfjs-node');
  } else if (target === 'webgpu' || target === 'webgpu-shared') {
    await import('@tensorflow/tfjs-backend-webgpu');
  }
}

/** Keeps out Emscripten's listeners, which come when the backend starts and end the process at an uncaught error. */
async function loadWasm(): Promise<void> {
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const before = new Set(events.flatMap((event): unknown[] => process.rawListeners(event)));
  await import('@tensorflow/tfjs-backend-wasm');
  await setBackend('wasm');
  for (const event of events) {
    for (const listener of process.rawListeners(event)) {
      if (!before.has(listener)) process.off(event, listener as (error: unknown) => void);
    }
  }
}

/** Mocha takes no notice of these. */
export function onUnhandledRejection(listener: (error: unknown) => void): void {
  process.on('unhandledRejection', listener);
}

/** Synchronous, so that a spec can define one test for each case of a file. */
export function readGolden(name: string): ArrayBuffer {
  const bytes = readFileSync(new URL(`../golden/${name}.safetensors`, import.meta.url));
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
}

/** See test/patch/transformer_layers.ts. */
export async function transformerLayers() {
  const { importTransformerLayers } = await import('./import_transformer_layers.js');
  return importTransformerLayers();
}
