/**
 * npm run bench: sets the machine up, then measures (bench/options.mjs has the options).
 *   node scripts/bench.mjs --bundle FILE    writes the whole of it as one file instead, for a machine with nothing but
 *                                           Node.js and a WebGPU addon: DAWN_NODE=/path/dawn.node node FILE
 */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { bench } from '../bench/options.mjs';
import { ArgumentError, readArguments, text } from './lib/arguments.mjs';
import { bundleForNode } from './lib/bundle.mjs';
import { root } from './lib/process.mjs';
import { SetupError, setUpChromium, setUpLibtensorflow, setUpPackages } from './setup.mjs';

async function bundle(file) {
  await bundleForNode({
    entryPoints: [path.join(root, 'bench/run.ts')],
    outfile: path.resolve(file),
    target: 'node20',
    // These have files of their own, so that a bundle measures WebGPU and cpu alone.
    external: ['webgpu', '@tensorflow/tfjs-node', '@tensorflow/tfjs-backend-wasm'],
  });
  console.log(`DAWN_NODE=/path/to/dawn.node node ${file} [options]`);
}

function measure(args) {
  const child = spawn(process.execPath, ['--import', 'tsx', path.join(root, 'bench/run.ts'), ...args], {
    stdio: 'inherit',
  });
  return new Promise((resolve, reject) => child.on('error', reject).on('close', (code) => resolve(code ?? 1)));
}

/** What a backend needs. */
async function setUp(backend) {
  await setUpPackages();
  if (backend === 'tensorflow') await setUpLibtensorflow();
  // For its SwiftShader, where there is no GPU; if there is neither, the measurement says so.
  if (backend.startsWith('webgpu') && !process.env.DAWN_NODE)
    await setUpChromium().catch(({ message }) => console.log(message));
}

const program = {
  ...bench,
  options: {
    ...bench.options,
    bundle: { takes: text('file'), description: 'where to write the benchmark as one file, instead of running it' },
  },
};

try {
  const options = readArguments(program);
  if (options.bundle) {
    await setUpPackages();
    await bundle(options.bundle);
  } else {
    await setUp(options.backend);
    process.exitCode = await measure(process.argv.slice(2));
  }
} catch (error) {
  console.error(error instanceof SetupError || error instanceof ArgumentError ? error.message : error);
  process.exitCode = 1;
}
