/**
 * npm run tfjs-suite: runs the specs that tfjs-core ships in its npm package, on the backend that registerWebGPUBackend()
 * makes or on tfjs's own, in Node.js.
 *   npm run tfjs-suite -- [--backend=stock] [--only=matmul] [--durations] [--verbose]
 * The last line is always 'N passed, N failed'. What fails on tfjs's own backend, too, counts as neither.
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { ArgumentError, oneOf, readArguments, text } from './lib/arguments.mjs';
import { root } from './lib/process.mjs';

const knownFailuresFile = path.join(root, 'test/tfjs_suite/known_failures.json');
// SwiftShader needs seconds to compile a large shader. Some known failures never end.
const SPEC_TIMEOUT_SECONDS = 60;
const KNOWN_FAILURE_TIMEOUT_SECONDS = 5;

const program = {
  command: 'npm run tfjs-suite --',
  about:
    "Runs tfjs-core's own specs on a WebGPU backend. What test/tfjs_suite/known_failures.json lists fails on tfjs's\n" +
    'backend, too, and counts as neither passed nor failed. The last line counts what passed and failed.',
  options: {
    backend: { takes: oneOf(['ours', 'stock']), default: 'ours', description: "this library's backend, or tfjs's own" },
    only: { takes: text('text'), description: 'run the specs alone whose name has it' },
    durations: { description: 'print the seconds of each group of specs, the longest last' },
    'write-known-failures': { description: 'write the list of known failures anew, with --backend=stock' },
    verbose: { description: "print each spec's name before it runs, and what specs print" },
  },
};

/** Makes the backends, each on one device for all specs. They get what the bundle exports. */
const backends = {
  async stock({ tf, WebGPUBackend }, adapter) {
    const requiredLimits = {};
    for (const name in adapter.limits) requiredLimits[name] = adapter.limits[name];
    const device = await adapter.requestDevice({ requiredFeatures: ['timestamp-query'], requiredLimits });
    tf.removeBackend('webgpu');
    tf.registerBackend('webgpu', () => new WebGPUBackend(device, adapter.info));
    await tf.setBackend('webgpu');
  },
  async ours({ importLibrary }) {
    const { registerWebGPUBackend } = await importLibrary();
    await registerWebGPUBackend({ fitDevice: false });
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
async function importBundle(backend) {
  const { bundleForNode } = await import('./lib/bundle.mjs');
  const outfile = path.join(root, '.cache/tfjs_suite', `${backend}.mjs`);
  await bundleForNode({
    stdin: { contents: BUNDLE, resolveDir: root },
    outfile,
    mainFields: ['module', 'main'],
    // tfjs-core says that its modules have no side effects; but specs are nothing else.
    ignoreAnnotations: true,
    external: ['jasmine-core', 'node-fetch'],
  });
  return import(pathToFileURL(outfile));
}

/**
 * What specs run in. tfjs's WebGPU backend leaves small tensors that are not on the device to the CPU's kernels, unless it
 * is told not to: then every kernel runs on the device.
 */
const environments = [false, true].map((forward) => ({
  name: 'webgpu',
  backendName: 'webgpu',
  flags: { WEBGPU_CPU_FORWARD: forward },
  isDataSync: false, // reads that do not wait need an OffscreenCanvas on WebGPU, which Node.js lacks
}));

/** tfjs-core adds the name and the flags of the environment to the names of groups. */
const shortened = (name) =>
  name
    .replaceAll(' webgpu {"WEBGPU_CPU_FORWARD":false}', '')
    .replaceAll(' webgpu {"WEBGPU_CPU_FORWARD":true}', ' (WEBGPU_CPU_FORWARD)');

/** Each spec's name by its id. A name that several specs have gets a number from the second on. */
function namesOf(suite, group, names = new Map(), taken = new Set()) {
  for (const child of suite.children) {
    const childGroup = group ?? shortened(child.description);
    if (child.children) {
      namesOf(child, childGroup, names, taken);
    } else {
      const fullName = shortened(child.getFullName());
      let name = fullName;
      for (let i = 2; taken.has(name); i++) name = `${fullName} (${i})`;
      taken.add(name);
      names.set(child.id, { name, group: childGroup });
    }
  }
  return names;
}

/** Runs the specs whose name has `only`, to a list of {name, group, seconds, reason}, where a reason is why one failed. */
async function runSpecs({ backend, only, known, verbose }) {
  const { installWebGpu } = await import('./lib/dawn.mjs');
  const { default: Jasmine } = await import('jasmine');
  // Dawn rounds time stamps to 65.5 µs, which is 0 for most small kernels, and tfjs-core expects more of tf.time.
  const adapter = await installWebGpu({ disabled: ['timestamp_quantization'] });
  const exported = await importBundle(backend);
  await backends[backend](exported, adapter);

  const jasmine = new Jasmine({ projectBaseDir: root });
  jasmine.exitOnCompletion = false;
  jasmine.randomizeTests(false);
  jasmine.clearReporters();
  let deviceError;
  const { device } = exported.tf.backend();
  device.addEventListener('uncapturederror', (event) => {
    event.preventDefault(); // Dawn would print it
    deviceError ??= `WebGPU: ${event.error.message}`; // others follow from the first
  });
  // What a spec leaves to the device still belongs to it: errors, and reads that it does not wait for.
  globalThis.afterEach(async () => {
    await device.queue.onSubmittedWorkDone();
    await setImmediate(); // Node.js reports rejections that nobody waits for after the promises that are settled
  });
  exported.setTestEnvs(environments);
  await exported.importSpecs();

  const specs = namesOf(jasmine.env.topSuite());
  const isChosen = ({ id }) => specs.get(id).name.includes(only);
  jasmine.env.configure({ specFilter: isChosen });
  const results = [];
  /** What fails before or after specs, such as the backend's end. */
  const addOutside = (suite, failures) => {
    const group = shortened(suite);
    const reason = failures.map(({ message }) => message).join('\n');
    if (reason) results.push({ name: `${group}: outside of specs`, group, seconds: 0, reason });
  };
  const { log } = console;
  let start;
  jasmine.addReporter({
    specStarted(spec) {
      const { name } = specs.get(spec.id);
      if (verbose && isChosen(spec)) log(name);
      const seconds = known.has(name) ? KNOWN_FAILURE_TIMEOUT_SECONDS : SPEC_TIMEOUT_SECONDS;
      globalThis.jasmine.DEFAULT_TIMEOUT_INTERVAL = seconds * 1000;
      deviceError = undefined;
      start = performance.now();
    },
    specDone({ id, status, failedExpectations }) {
      if (status !== 'passed' && status !== 'failed') return; // left out, here or by tfjs-core
      const seconds = (performance.now() - start) / 1000;
      const messages = failedExpectations.map(({ message }) => message);
      if (deviceError) messages.push(deviceError);
      if (status === 'failed' && messages.length === 0) messages.push('It failed without a message.');
      results.push({ ...specs.get(id), seconds, reason: messages.join('\n') });
    },
    suiteDone: ({ fullName, failedExpectations }) => addOutside(fullName, failedExpectations),
    jasmineDone: ({ failedExpectations }) => addOutside('All specs', failedExpectations),
  });
  const printed = { ...console };
  if (!verbose) for (const method of ['log', 'info', 'warn', 'error']) console[method] = () => {};
  await jasmine.execute();
  Object.assign(console, printed);
  return results;
}

function printDurations(results) {
  const groups = new Map();
  for (const { group, seconds } of results) {
    const { specs, total } = groups.get(group) ?? { specs: 0, total: 0 };
    groups.set(group, { specs: specs + 1, total: total + seconds });
  }
  for (const [group, { specs, total }] of [...groups].sort(([, a], [, b]) => a.total - b.total)) {
    console.log(`${total.toFixed(2).padStart(8)} s ${String(specs).padStart(4)} specs  ${group}`);
  }
}

async function main() {
  const options = readArguments(program);
  const { backend, durations, verbose } = options;
  const write = options['write-known-failures'];
  // npm test -- --grep=… runs this with any text.
  const only = options.only ?? process.env.LIGER_TEST_GREP ?? '';
  if (write && (backend !== 'stock' || only)) {
    throw new ArgumentError('--write-known-failures takes --backend=stock, and no --only.');
  }
  const known = new Set(write ? [] : JSON.parse(await readFile(knownFailuresFile, 'utf8')));

  const start = performance.now();
  const results = await runSpecs({ backend, only, known, verbose });
  const seconds = (performance.now() - start) / 1000;
  if (options.only && results.length === 0) throw new ArgumentError(`No spec's name has '${only}'.`);
  if (durations) printDurations(results);
  if (write) {
    for (const { name, reason } of results) if (reason) known.add(name);
    await writeFile(knownFailuresFile, `${JSON.stringify([...known].sort(), null, 2)}\n`);
  }

  const passed = results.filter(({ reason }) => !reason);
  const failed = results.filter(({ name, reason }) => reason && !known.has(name));
  const knownFailures = results.length - passed.length - failed.length;
  for (const { name, reason } of failed) console.log(`\nFails: ${name}\n${reason}`);
  const better = passed.filter(({ name }) => known.has(name));
  if (better.length > 0) console.log('\nPasses here, and is listed as a failure of the stock backend:');
  for (const { name } of better) console.log(`  ${name}`);
  if (process.env.LIGER_TEST_RESULT) {
    const counts = { passed: passed.length, failed: failed.length, skipped: [], knownFailures };
    await writeFile(process.env.LIGER_TEST_RESULT, JSON.stringify(counts));
  }
  console.log(
    `\n${results.length} specs on ${backend} in ${seconds.toFixed(1)} s, of which ${knownFailures} are known to fail`,
  );
  console.log(`${passed.length} passed, ${failed.length} failed`);
  return failed.length === 0 ? 0 : 1;
}

let code = 1;
try {
  code = await main();
} catch (error) {
  console.error(error instanceof ArgumentError ? error.message : error);
  console.log('0 passed, 1 failed');
}
process.exit(code); // Dawn would keep Node.js running
