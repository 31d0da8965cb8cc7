/**
 * The specs in a headless Chromium; LIGER_TEST_BACKEND is webgpu (the default), webgpu-shared or webgl:
 *   LIGER_TEST_BACKEND=webgl LIGER_TEST_GREP=rmsNorm npx karma start
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { SourceMap } from 'node:module';
import path from 'node:path';
import { build } from 'esbuild';
import mochaConfig from './.mocharc.cjs';
import { findBrowser, swiftShaderFlags } from './scripts/lib/browser.mjs';
import { root } from './scripts/lib/process.mjs';

const { LIGER_TEST_BACKEND: backend = 'webgpu', LIGER_TEST_GREP: grep, LIGER_TEST_RESULT: resultFile } = process.env;
// A folder for each backend, since two may run at a time.
const bundle = path.join(root, '.cache/karma', backend, 'specs.js');

const flags = [
  // Chromium's sandbox refuses root, and containers give little shared memory.
  '--no-sandbox',
  '--disable-dev-shm-usage',
  // Nothing but the tests may use the network.
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-default-apps',
  '--disable-domain-reliability',
  '--disable-sync',
  '--metrics-recording-only',
  '--no-first-run',
  '--no-pings',
  // The same software GPU everywhere.
  ...(backend === 'webgl'
    ? ['--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader']
    : swiftShaderFlags),
];

/** Bundles every spec but those for Node.js, after the root hooks that set up the backend. */
async function bundleSpecs() {
  const files = (await readdir(path.join(root, 'test'), { recursive: true })).sort();
  const specs = files.filter((file) => file.endsWith('.test.ts') && !file.endsWith('.node.test.ts'));
  const modules = ['support/root_hooks.ts', ...specs];
  await build({
    stdin: {
      contents: modules.map((file) => `import ${JSON.stringify(`./${file.replaceAll('\\', '/')}`)};`).join('\n'),
      resolveDir: path.join(root, 'test'),
    },
    outfile: bundle,
    bundle: true,
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
    sourcemap: 'external',
    logLevel: 'warning',
    plugins: [
      {
        name: 'specs',
        setup({ onResolve }) {
          // package.json's sideEffects speaks of the library.
          onResolve({ filter: /\/(root_hooks|\S+\.test)\.ts$/ }, ({ path: file, resolveDir }) => ({
            path: path.join(resolveDir, file),
            sideEffects: true,
          }));
          onResolve({ filter: /\/platform_node\.js$/ }, () => ({
            path: path.join(root, 'test/support/platform_browser.ts'),
          }));
        },
      },
    ],
  });
}

/** Names the places of a stack trace by their sources instead of the bundle. */
function mapStack(text, sourceMap) {
  return text.replace(/\S*\/specs\.js\?\w*:(\d+):(\d+)/g, (place, line, column) => {
    const { originalSource, originalLine, originalColumn } = sourceMap.findEntry(line - 1, column - 1);
    if (originalSource === undefined) return place;
    const file = path.relative(root, path.resolve(path.dirname(bundle), originalSource));
    return `${place.startsWith('(') ? '(' : ''}${file}:${originalLine + 1}:${originalColumn + 1}`;
  });
}

/** Dots and failures for people, and for scripts/test.mjs the counts, as JSON in the file that LIGER_TEST_RESULT names. */
function DotsAndCounts(baseReporterDecorator) {
  baseReporterDecorator(this);
  const results = [];
  const title = ({ suite, description }) => [...suite, description].join(' ');
  this.specSuccess = () => this.write('.');
  this.specSkipped = () => this.write(',');
  this.specFailure = () => this.write('!');
  const { onSpecComplete } = this;
  this.onSpecComplete = (browser, result) => {
    results.push(result);
    onSpecComplete.call(this, browser, result);
  };
  this.onRunComplete = async (_browsers, { error, disconnected }) => {
    const failures = results.filter(({ skipped, success }) => !skipped && !success);
    const skipped = results.filter((result) => result.skipped);
    const passed = results.length - failures.length - skipped.length;
    const crashed = Boolean(disconnected || (error && failures.length === 0));
    this.write(`\n\n  ${passed} passing\n`);
    if (skipped.length > 0) this.write(`  ${skipped.length} pending\n`);
    if (failures.length > 0) this.write(`  ${failures.length} failing\n\n`);
    const sourceMap = new SourceMap(JSON.parse(await readFile(`${bundle}.map`, 'utf8')));
    failures.forEach((result, i) => {
      const log = mapStack(result.log.join('\n'), sourceMap);
      this.write(`  ${i + 1}) ${title(result)}\n${log.replace(/^/gm, '     ')}\n\n`);
    });
    if (!resultFile) return;
    const counts = {
      passed,
      failed: failures.length + (crashed ? 1 : 0),
      skipped: skipped.map((result) => ({ title: title(result), reason: result.mocha?.skipReason })),
    };
    await writeFile(resultFile, JSON.stringify(counts));
  };
}
DotsAndCounts.$inject = ['baseReporterDecorator'];

export default async function configure(config) {
  process.env.CHROME_BIN ??= await findBrowser();
  await mkdir(path.dirname(bundle), { recursive: true });
  await bundleSpecs();
  config.set({
    basePath: root,
    frameworks: ['mocha'],
    plugins: ['karma-mocha', 'karma-chrome-launcher', { 'reporter:dots-and-counts': ['type', DotsAndCounts] }],
    files: [
      { pattern: path.relative(root, bundle), watched: false },
      { pattern: 'test/golden/**/*.safetensors', included: false, watched: false },
    ],
    client: {
      backend,
      args: grep ? ['--grep', grep] : [],
      mocha: { timeout: mochaConfig.timeout, expose: ['skipReason'] },
    },
    failOnEmptyTestSuite: !grep,
    customLaunchers: { Chromium: { base: 'ChromeHeadless', flags } },
    browsers: ['Chromium'],
    reporters: ['dots-and-counts'],
    browserConsoleLogOptions: { level: 'warn', terminal: true },
    logLevel: config.LOG_WARN,
    singleRun: true,
    autoWatch: false,
    captureTimeout: 120_000,
    browserNoActivityTimeout: 2 * mochaConfig.timeout,
    browserDisconnectTimeout: 30_000,
    // A test may keep the page busy for long.
    pingTimeout: mochaConfig.timeout,
  });
}
