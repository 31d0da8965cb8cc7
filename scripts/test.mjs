/**
 * npm test: sets the machine up, then runs the specs once on each backend, each time in a process of its own, and those
 * that tfjs-core ships.
 *   npm test -- [--only=cpu,webgpu] [--grep=rmsNorm] [--jobs=1] [--skip-setup] [--verbose]
 * The last line is always 'N passed, N failed', with ', N skipped' after it where tests were skipped.
 */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { ArgumentError, integer, listOf, readArguments, text } from './lib/arguments.mjs';
import { root, run } from './lib/process.mjs';
import { libtensorflowObstacle, SetupError, setUpChromium, setUpLibtensorflow, setUpPackages } from './setup.mjs';

const PASS_TIMEOUT_MINUTES = 20;

const mocha = (target) => ({
  args: ['node_modules/mocha/bin/mocha.js', '--reporter', 'scripts/lib/mocha_reporter.mjs'],
  target,
});
const karma = (target) => ({ args: ['node_modules/karma/bin/karma', 'start', 'karma.conf.js'], target });

// The slow ones first, so that two at a time end together. Node.js's WebGPU needs Chromium for SwiftShader alone, and
// says so itself where it finds no GPU either.
const passes = {
  webgpu: { ...mocha('webgpu'), wants: ['chromium'] },
  'webgpu-shared': { ...mocha('webgpu-shared'), wants: ['chromium'] },
  'karma-webgpu': { ...karma('webgpu'), wants: ['chromium'], needs: ['chromium'] },
  'karma-webgl': { ...karma('webgl'), wants: ['chromium'], needs: ['chromium'] },
  node: mocha('node'),
  // tfjs-core's own specs, on registerWebGPUBackend().
  'tfjs-suite': { args: ['scripts/tfjs_suite.mjs'], wants: ['chromium'] },
  cpu: mocha('cpu'),
  tensorflow: { ...mocha('tensorflow'), wants: ['libtensorflow'], needs: ['libtensorflow'] },
  wasm: mocha('wasm'),
};

const setUps = { chromium: setUpChromium, libtensorflow: setUpLibtensorflow };

const program = {
  command: 'npm test --',
  about:
    'Readies the machine, then runs the specs once on each backend, and those that tfjs-core ships. The last line counts\n' +
    'what passed and failed.',
  options: {
    only: { takes: listOf(Object.keys(passes)), description: `passes to run, of ${Object.keys(passes).join(', ')}` },
    grep: { takes: text('text'), description: 'run the tests alone whose title has it' },
    jobs: {
      takes: integer({ min: 1 }),
      default: Math.min(2, availableParallelism()),
      description: 'passes at a time',
    },
    'skip-setup': { description: 'expect the machine to be ready' },
    verbose: { description: 'print the output of passes without failures, too' },
  },
};

async function chooseNames(only) {
  if (only) {
    return only;
  }
  const specs = await readdir(path.join(root, 'test'), { recursive: true });
  const hasNodeSpecs = specs.some((file) => file.endsWith('.node.test.ts'));
  return Object.keys(passes).filter((name) => name !== 'node' || hasNodeSpecs);
}

/** Readies what the passes want. A step that fails fails the passes that need it, by the message returned for it. */
async function setUp(names) {
  await setUpPackages();
  const failures = {};
  for (const [step, prepare] of Object.entries(setUps)) {
    if (names.some((name) => passes[name].wants?.includes(step))) {
      try {
        await prepare();
      } catch (error) {
        failures[step] = error instanceof SetupError ? error.message : error.stack;
        console.log(failures[step]);
      }
    }
  }
  return failures;
}

/**
 * Runs one pass to {passed, failed, skipped, knownFailures, problem, output, seconds}; one that crashes counts as a failure.
 */
async function runPass(name, { grep }) {
  const { args, target } = passes[name];
  const resultFile = path.join(root, '.cache/test', `${name}.json`);
  await rm(resultFile, { force: true });
  const start = performance.now();
  const { code, output } = await run(process.execPath, args, {
    env: { LIGER_TEST_BACKEND: target, LIGER_TEST_GREP: grep ?? '', LIGER_TEST_RESULT: resultFile },
    timeoutMs: PASS_TIMEOUT_MINUTES * 60_000,
  });
  const seconds = (performance.now() - start) / 1000;
  const counts = await readFile(resultFile, 'utf8').then(JSON.parse, () => undefined);
  const result = { ...(counts ?? { passed: 0, failed: 0, skipped: [] }), output, seconds };
  const total = result.passed + result.failed + result.skipped.length + (result.knownFailures ?? 0);
  if (code === 124) {
    result.problem = `killed after ${PASS_TIMEOUT_MINUTES} minutes`;
  } else if (!counts || (code !== 0 && result.failed === 0)) {
    result.problem = `ended with code ${code}`;
  } else if (total === 0 && !grep) {
    result.problem = 'ran no tests';
  }
  if (result.problem) {
    result.failed += 1;
  }
  return result;
}

const notRun = (counts) => ({ passed: 0, failed: 0, skipped: [], output: '', seconds: 0, ...counts });

function printPass(name, { passed, failed, skipped, knownFailures, problem, obstacle, output, seconds }, verbose) {
  const known = knownFailures ? `, ${knownFailures} known to fail on tfjs's own backend, too` : '';
  const counts = `${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}${known}`;
  const text = obstacle
    ? `left out: ${obstacle}`
    : `${counts}, ${seconds.toFixed(1)} s${problem ? `: ${problem}` : ''}`;
  console.log(`${name}: ${text}`);
  if (output.trim() && (failed > 0 || verbose)) {
    console.log(`${output.trim().replace(/^/gm, '  │ ')}\n`);
  }
}

function printSummary(results) {
  const all = [...results.values()];
  const sum = (count) => all.reduce((total, result) => total + count(result), 0);
  const skippedOn = new Map();
  for (const [name, { skipped }] of results) {
    for (const { title, reason = 'marked as skipped in the spec' } of skipped) {
      const key = `${title}: ${reason}`;
      skippedOn.set(key, [...(skippedOn.get(key) ?? []), name]);
    }
  }
  if (skippedOn.size > 0) {
    console.log('\nSkipped');
    for (const [text, names] of skippedOn) {
      console.log(`  ${text} (${names.join(', ')})`);
    }
  }
  const row = (cells) =>
    console.log(
      `${cells[0].padEnd(14)}${cells
        .slice(1, 5)
        .map((cell) => String(cell).padStart(9))
        .join('')}${cells[5] ? `  ${cells[5]}` : ''}`,
    );
  console.log('');
  row(['pass', 'passed', 'failed', 'skipped', 'seconds', '']);
  for (const [name, { passed, failed, skipped, seconds, problem, obstacle }] of results) {
    row([name, passed, failed, skipped.length, seconds.toFixed(1), problem ?? obstacle]);
  }
  const totals = [sum(({ passed }) => passed), sum(({ failed }) => failed), sum(({ skipped }) => skipped.length)];
  if (totals.every((total) => total === 0)) {
    console.log('\nNo test ran.');
  }
  console.log('');
  console.log(`${totals[0]} passed, ${totals[1]} failed${totals[2] > 0 ? `, ${totals[2]} skipped` : ''}`);
  return totals;
}

async function main() {
  const options = readArguments(program);
  const names = await chooseNames(options.only);
  const failures = options['skip-setup'] ? {} : await setUp(names);
  await mkdir(path.join(root, '.cache/test'), { recursive: true });
  const results = new Map(names.map((name) => [name, undefined]));
  const queue = [...names];
  const work = async () => {
    for (let name = queue.shift(); name; name = queue.shift()) {
      const missing = passes[name].needs?.find((step) => step in failures);
      const obstacle = name === 'tensorflow' ? libtensorflowObstacle() : undefined;
      const result = obstacle
        ? notRun({ obstacle })
        : missing
          ? notRun({ failed: 1, problem: `the set-up of ${missing} failed` })
          : await runPass(name, options);
      results.set(name, result);
      printPass(name, result, options.verbose);
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, work));
  const [passed, failed] = printSummary(results);
  return passed > 0 && failed === 0 ? 0 : 1;
}

// Node.js runs its exit handlers, which kill the passes, only where the program itself exits.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => process.exit(1));
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof SetupError || error instanceof ArgumentError ? error.message : error);
  console.log('0 passed, 1 failed');
  process.exitCode = 1;
}
