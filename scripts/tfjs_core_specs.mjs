/**
 * Runs the specs that tfjs-core ships in its npm package, on tfjs's own WebGPU backend and on the one that
 * registerWebGPUBackend() makes, and prints which fail on ours alone: node scripts/tfjs_core_specs.mjs [--grep=time]
 * It takes some minutes. The specs run in jasmine, which npx fetches into npm's cache.
 */
import { mkdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ArgumentError, readArguments, text } from './lib/arguments.mjs';
import { bundleForNode } from './lib/bundle.mjs';
import { installWebGpu } from './lib/dawn.mjs';
import { root, run } from './lib/process.mjs';

const JASMINE = 'jasmine@4'; // tfjs-core's specs are written for it
const TIMEOUT_MINUTES = 20;
const folder = path.join(root, '.cache/tfjs_core_specs');
const bundleFile = path.join(folder, 'specs.mjs');

const program = {
  command: 'node scripts/tfjs_core_specs.mjs',
  about: "Runs tfjs-core's own specs on tfjs's WebGPU backend and on this library's, and says where ours fails alone.",
  options: {
    grep: { takes: text('text'), description: 'run the specs alone whose name matches it, a regular expression' },
  },
};

/** The backends, each made on one device for all specs. They get what the bundle exports. */
const backends = {
  async stock({ tf, WebGPUBackend }, adapter) {
    const requiredLimits = {};
    for (const name in adapter.limits) requiredLimits[name] = adapter.limits[name];
    const device = await adapter.requestDevice({ requiredFeatures: ['timestamp-query'], requiredLimits });
    tf.removeBackend('webgpu');
    tf.registerBackend('webgpu', () => new WebGPUBackend(device, adapter.info));
    await tf.setBackend('webgpu');
  },
  async ours({ importLibrary }, adapter) {
    const { registerWebGPUBackend } = await importLibrary();
    await registerWebGPUBackend({ adapter });
  },
};

/** What the bundle exports. The specs, and this library, which registers kernels, are imported only when called. */
const BUNDLE = `
  import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops';
  import '@tensorflow/tfjs-core/dist/register_all_gradients';
  export * as tf from '@tensorflow/tfjs-core';
  export { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
  export { setTestEnvs } from '@tensorflow/tfjs-core/dist/jasmine_util';
  export const importLibrary = () => import('./src/index.ts');
  export const importSpecs = () => import('@tensorflow/tfjs-core/dist/tests');
`;

/** One bundle, since Node.js cannot import tfjs-core's modules by their paths, which lack extensions. */
async function bundle() {
  await bundleForNode({
    stdin: { contents: BUNDLE, resolveDir: root },
    outfile: bundleFile,
    mainFields: ['module', 'main'],
    // tfjs-core says that its modules have no side effects; but specs are nothing else.
    ignoreAnnotations: true,
    external: ['jasmine-core', 'node-fetch'],
  });
}

/** The node_modules folder in npm's cache that has jasmine. */
async function findJasmine() {
  const print = 'node -p "process.env.PATH.split(path.delimiter)[0]"';
  const { code, output } = await run('npx', ['--yes', `--package=${JASMINE}`, '--call', print]);
  const bin = output.trim().split('\n').at(-1);
  try {
    return path.resolve(await realpath(path.join(bin, 'jasmine')), '../../..');
  } catch {
    throw new Error(
      `npx was expected to fetch ${JASMINE} into npm's cache, but ended with code ${code}; ` +
        `see whether 'npx --yes ${JASMINE} --version' works:\n${output}`,
    );
  }
}

/** Runs the specs on a backend, in a process of its own, to a map from their names to why they failed, or ''. */
async function runSpecs(backend, nodeModules, grep = '') {
  const resultFile = path.join(folder, `${backend}.json`);
  await rm(resultFile, { force: true });
  const { code, output } = await run(process.execPath, [fileURLToPath(import.meta.url)], {
    env: { NODE_PATH: nodeModules, TFJS_CORE_SPECS: JSON.stringify({ backend, resultFile, grep }) },
    timeoutMs: TIMEOUT_MINUTES * 60_000,
  });
  const results = await readFile(resultFile, 'utf8').then(JSON.parse, () => undefined);
  if (!results) throw new Error(`The specs on ${backend} ended with code ${code}, without results:\n${output}`);
  return new Map(results);
}

/** What the process of one backend does. */
async function runHere({ backend, resultFile, grep }) {
  // Dawn rounds time stamps to 65.5 µs, which is 0 for most small kernels, and tfjs-core expects more of tf.time.
  const adapter = await installWebGpu(['timestamp_quantization']);
  const exported = await import(pathToFileURL(bundleFile));
  await backends[backend](exported, adapter);

  const Jasmine = createRequire(import.meta.url)('jasmine'); // found through NODE_PATH
  const jasmine = new Jasmine({ projectBaseDir: root });
  jasmine.exitOnCompletion = false;
  jasmine.randomizeTests(false);
  jasmine.clearReporters();
  const results = new Map();
  jasmine.addReporter({
    specDone({ fullName, status, failedExpectations }) {
      if (status !== 'passed' && status !== 'failed') return; // left out, here or by tfjs-core
      let name = fullName;
      for (let i = 2; results.has(name); i++) name = `${fullName} (${i})`;
      const messages = failedExpectations.map(({ message }) => message).join('\n');
      results.set(name, status === 'failed' ? messages || 'failed without a message' : '');
    },
  });
  // Reads that do not wait need an OffscreenCanvas on WebGPU, which Node.js lacks.
  exported.setTestEnvs([{ name: 'webgpu', backendName: 'webgpu', isDataSync: false }]);
  await exported.importSpecs();
  await jasmine.execute([], grep || undefined);
  await writeFile(resultFile, JSON.stringify([...results]));
  process.exit();
}

async function compare({ grep }) {
  await mkdir(folder, { recursive: true });
  const [nodeModules] = await Promise.all([findJasmine(), bundle()]);
  const results = {};
  for (const backend of Object.keys(backends)) {
    results[backend] = await runSpecs(backend, nodeModules, grep);
    const failed = [...results[backend].values()].filter(Boolean).length;
    console.log(`${backend}: ${results[backend].size - failed} passed, ${failed} failed`);
  }
  const { stock, ours } = results;
  if (ours.size === 0) throw new ArgumentError(`--grep takes a part of a spec's name; '${grep}' matches none.`);
  // A spec that ran on one backend alone would be missed otherwise.
  const missing = [...stock.keys()].filter((name) => !ours.has(name));
  const worse = [...ours].filter(([name, reason]) => reason && !stock.get(name));
  const better = [...stock].filter(([name, reason]) => reason && ours.get(name) === '');
  for (const name of missing) console.log(`\nRan on stock alone: ${name}`);
  for (const [name, reason] of worse) console.log(`\nFails on ours alone: ${name}\n${reason}`);
  for (const [name, reason] of better) console.log(`\nFails on stock alone: ${name}\n${reason}`);
  const both = [...ours].filter(([name, reason]) => reason === '' && stock.get(name) === '').length;
  console.log(`\n${both} pass on both, ${worse.length} fail on ours alone, ${better.length} on stock alone`);
  if (worse.length + missing.length > 0) process.exitCode = 1;
}

try {
  const task = process.env.TFJS_CORE_SPECS;
  await (task ? runHere(JSON.parse(task)) : compare(readArguments(program)));
} catch (error) {
  console.error(error instanceof ArgumentError ? error.message : error);
  process.exitCode = 1;
}
