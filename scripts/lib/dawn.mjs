import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { findSwiftShader, SLOW_ON_SWIFTSHADER } from './browser.mjs';

/** Makes a system without the Vulkan loader use the given copy, which Dawn then finds by its name. */
function preloadLibrary(file) {
  const RTLD_NOW = 2;
  const RTLD_NODELETE = 0x1000; // stays loaded when Node.js, which finds no addon in it, closes it again
  try {
    process.dlopen({ exports: {} }, file, RTLD_NOW | RTLD_NODELETE);
  } catch {
    // Always: 'Module did not self-register'.
  }
}

const hasGpu = () =>
  existsSync('/dev/dri') || existsSync('/dev/dxg') || readdirSync('/dev').some((name) => name.startsWith('nvidia'));

/** Dawn: the addon in DAWN_NODE, where a machine has nothing else, or the npm package `webgpu`. */
function loadDawn() {
  const addon = process.env.DAWN_NODE;
  return addon ? createRequire(addon)(addon) : import('webgpu');
}

/**
 * WebGPU in Node.js: Dawn, put where a browser has it (navigator.gpu and the GPU…
 * classes). To be called before @tensorflow/tfjs-backend-webgpu is imported, which looks for navigator.gpu then.
 * Uses the machine's GPU, or else Chromium's SwiftShader. VK_ICD_FILENAMES and VK_DRIVER_FILES overrule that.
 *
 * @param options `disabled`: features of Dawn's to turn off. `backend`: Dawn's, where another than the system's is wanted: 'null'
 *     does nothing.
 */
export async function installWebGpu({ disabled = [], backend } = {}) {
  const { create, globals } = await loadDawn();
  Object.assign(globalThis, globals);
  const linux = process.platform === 'linux';
  const swiftShader = linux ? await findSwiftShader() : undefined;
  if (swiftShader?.loader) {
    preloadLibrary(swiftShader.loader);
  }
  const chosen = process.env.VK_ICD_FILENAMES || process.env.VK_DRIVER_FILES;
  const createWithout = (features) =>
    create([
      ...(backend ? [`backend=${backend}`] : []),
      ...(features.length > 0 ? [`disable-dawn-features=${features}`] : []),
    ]);
  const createOnSwiftShader = () => {
    process.env.VK_ICD_FILENAMES = swiftShader.driver;
    return createWithout([...disabled, SLOW_ON_SWIFTSHADER]);
  };
  let gpu = swiftShader && !chosen && !hasGpu() ? createOnSwiftShader() : createWithout(disabled);
  let adapter = await gpu.requestAdapter();
  if (!adapter && swiftShader && !chosen) {
    gpu = createOnSwiftShader();
    adapter = await gpu.requestAdapter();
  }
  if (!adapter) {
    throw new Error('No WebGPU adapter: this needs a GPU with a Vulkan driver, or Chromium with its SwiftShader.');
  }
  // What create() returns owns the instance: the process dies if it is collected. navigator holds it.
  Object.defineProperty(globalThis, 'navigator', {
    value: { userAgent: `Node.js ${process.version}`, gpu },
    configurable: true,
    writable: true,
  });
  return adapter;
}
