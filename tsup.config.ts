import type { Plugin } from 'esbuild';
import { defineConfig } from 'tsup';

/**
 * For script tags: tfjs is the global `tf`, to which the script of the WebGPU backend adds that backend. It is looked for
 * whenever it is asked for, so the two scripts may come in any order.
 */
const TF = `
    if (!globalThis.tf?.layers) throw new Error('tfjs-liger: load tf.min.js of @tensorflow/tfjs before this script');
    module.exports = globalThis.tf;`;
const GLOBALS = {
  '@tensorflow/tfjs-core': TF,
  '@tensorflow/tfjs-layers': TF,
  '@tensorflow/tfjs-backend-webgpu': `
    Object.defineProperty(module, 'exports', { get() {
      if (globalThis.tf.WebGPUBackend) return globalThis.tf;
      throw new Error('add <script src="https://cdn.jsdelivr.net/npm/@tensorflow/tfjs-backend-webgpu"></script>');
    } });`,
} as Record<string, string>;

const packagesFromGlobals: Plugin = {
  name: 'packages-from-globals',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^@tensorflow\// }, ({ path }) => ({ path, namespace: 'global' }));
    onLoad({ filter: /.*/, namespace: 'global' }, ({ path }) => ({ contents: GLOBALS[path] }));
  },
};

const options = { target: 'es2022', platform: 'neutral', sourcemap: true } as const;

export default defineConfig([
  {
    ...options,
    // `register` is an entry of its own, so that package.json can declare it as the one module with a side effect
    // and bundlers may drop everything else that an application does not import.
    entry: { index: 'src/index.ts', register: 'src/register.ts', layers: 'src/layers/index.ts' },
    format: ['esm', 'cjs'],
    dts: true,
    splitting: true,
    treeshake: false,
    clean: ['!tfjs-liger.min.js*'], // which is built at the same time
  },
  {
    ...options,
    entry: { 'tfjs-liger': 'src/script.ts' },
    format: 'iife',
    globalName: 'liger',
    outExtension: () => ({ js: '.min.js' }),
    minify: true,
    esbuildPlugins: [packagesFromGlobals],
  },
]);
