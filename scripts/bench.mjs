/**
 * npm run bench: sets the machine up, then measures (bench/run.ts has the options).
 *   node scripts/bench.mjs --bundle FILE    writes the whole of it as one file instead, for a machine with nothing but
 *                                           Node.js and a WebGPU addon: DAWN_NODE=/path/dawn.node node FILE
 */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { root } from './lib/process.mjs';
import { SetupError, setUpChromium, setUpLibtensorflow, setUpPackages } from './setup.mjs';

async function bundle(file) {
  const { build } = await import('esbuild');
  await build({
    entryPoints: [path.join(root, 'bench/run.ts')],
    outfile: path.resolve(file),
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    // These have files of their own, so that a bundle measures WebGPU and cpu alone.
    external: ['webgpu', '@tensorflow/tfjs-node', '@tensorflow/tfjs-backend-wasm'],
    // CommonJS packages within ask for Node.js's modules.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    logLevel: 'warning',
  });
  console.log(`DAWN_NODE=/path/to/dawn.node node ${file} [options]`);
}

function measure(args) {
  const child = spawn(process.execPath, ['--import', 'tsx', path.join(root, 'bench/run.ts'), ...args], {
    stdio: 'inherit',
  });
  return new Promise((resolve, reject) => child.on('error', reject).on('close', (code) => resolve(code ?? 1)));
}

/** What the backend that the arguments choose needs. */
async function setUp(args) {
  await setUpPackages();
  const backend = /(?:^| )--backend[= ](\w+)/.exec(args.join(' '))?.[1] ?? 'webgpu';
  if (backend === 'tensorflow') await setUpLibtensorflow();
  // For its SwiftShader, where there is no GPU; if there is neither, the measurement says so.
  if (backend === 'webgpu' && !process.env.DAWN_NODE)
    await setUpChromium().catch(({ message }) => console.log(message));
}

const args = process.argv.slice(2);
try {
  if (args[0] === '--bundle') {
    if (!args[1]) throw new SetupError('--bundle takes the name of the file to write.');
    await setUpPackages();
    await bundle(args[1]);
  } else {
    await setUp(args);
    process.exitCode = await measure(args);
  }
} catch (error) {
  console.error(error instanceof SetupError ? error.message : error);
  process.exitCode = 1;
}
