// Takes the place of platform_node.ts in the bundle for browsers.
import '@tensorflow/tfjs-backend-webgpu';
import type { Target } from './backend.js';

declare const __karma__: { config: { backend: Target } };

/** The backend under test, as karma.conf.js says. */
export const target = __karma__.config.backend;

/** The name of this pass of `npm test`. */
export const pass: string = `karma-${target}`;

/** Every backend is in the bundle. */
export async function loadBackend(): Promise<void> {}

/** Mocha takes no notice of these. */
export function onUnhandledRejection(listener: (error: unknown) => void): void {
  window.addEventListener('unhandledrejection', ({ reason }) => listener(reason));
}

/** Synchronous, so that a spec can define one test for each case of a file. */
export function readGolden(name: string): ArrayBuffer {
  const request = new XMLHttpRequest();
  request.open('GET', `/base/test/golden/${name}.safetensors`, false);
  // A synchronous request cannot ask for an ArrayBuffer; this leaves each byte in the low half of a character.
  request.overrideMimeType('text/plain; charset=x-user-defined');
  request.send();
  if (request.status !== 200) throw new Error(`test/golden/${name}.safetensors: status ${request.status}`);
  const text = request.responseText;
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes.buffer;
}

/** See test/patch/transformer_layers.ts. */
export const transformerLayers = () => import('../patch/transformer_layers.js');
