/**
 * Readies a machine for the tests: node scripts/setup.mjs [packages] [chromium] [libtensorflow]
 * With no name it does all three. Each step is quick when it is done already, and only Node.js needs to be there.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { findBrowser } from './lib/browser.mjs';
import { root, run } from './lib/process.mjs';

/** A failure that the user can mend; its message says how. */
export class SetupError extends Error {}

const say = (step, text) => console.log(`set-up: ${step}: ${text}`);
const exists = (file) =>
  fs.stat(file).then(
    () => true,
    () => false,
  );

/** The first and the last lines of a program's output: where errors stand. */
function shorten(output) {
  const lines = output.trim().split('\n');
  return lines.length <= 30 ? lines.join('\n') : [...lines.slice(0, 10), '…', ...lines.slice(-20)].join('\n');
}

async function runOrFail(what, program, args, options) {
  const { code, output } = await run(program, args, options);
  if (code !== 0) {
    const command = [program, ...args].join(' ');
    throw new SetupError(
      code === -1 ? `${what}: there is no ${program}.` : `${what} failed:\n$ ${command}\n${shorten(output)}`,
    );
  }
  return output;
}

/** Creates a file under another name first, so that a process that uses the old one does not see it change. */
async function replace(file, create) {
  const part = `${file}.${process.pid}.part`;
  await fs.rm(part, { force: true });
  await create(part);
  await fs.rename(part, file);
}

/** Installs Debian packages where that is possible; `otherwise` is the advice where it is not. */
async function installDebianPackages(step, names, otherwise) {
  if (process.getuid?.() !== 0 || !(await exists('/usr/bin/apt-get'))) {
    throw new SetupError(otherwise);
  }
  say(step, `installing ${names.join(' ')} with apt-get`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  await runOrFail('apt-get update', 'apt-get', ['update', '-q'], { env });
  const install = ['install', '-q', '-y', '--no-install-recommends', ...names];
  await runOrFail('apt-get install', 'apt-get', install, { env });
}

/** Whether node_modules holds what package-lock.json asks for. */
async function packagesAreCurrent() {
  const read = async (file) => JSON.parse(await fs.readFile(path.join(root, file), 'utf8')).packages;
  try {
    const [wanted, installed] = await Promise.all(['package-lock.json', 'node_modules/.package-lock.json'].map(read));
    return Object.entries(wanted).every(
      ([name, { version, optional }]) => name === '' || optional || installed[name]?.version === version,
    );
  } catch {
    return false;
  }
}

/** npm ci, where node_modules does not match package-lock.json. */
export async function setUpPackages() {
  if (await packagesAreCurrent()) {
    return say('packages', 'up to date');
  }
  say('packages', 'npm ci');
  await runOrFail('Installing the npm packages', 'npm', ['ci', '--no-audit', '--no-fund']);
}

/** Finds or installs a browser of the Chromium family. Resolves to its path. */
export async function setUpChromium() {
  if (!(await findBrowser())) {
    if (process.env.CHROME_BIN) {
      throw new SetupError(`CHROME_BIN is '${process.env.CHROME_BIN}', but there is no such file.`);
    }
    const advice = 'No Chromium found: install Chromium or Google Chrome, or set CHROME_BIN to its path.';
    await installDebianPackages('chromium', ['chromium'], advice);
  }
  const browser = await findBrowser();
  if (!browser) {
    throw new SetupError('apt-get installed chromium, but no browser can be found; set CHROME_BIN to its path.');
  }
  say('chromium', browser);
  return browser;
}

// TensorFlow's wheel carries the same library as the archive that tfjs-node's own install script fetches from a host
// that a firewall may keep out of reach. The last release built against the headers that tfjs-node 4.22 compiles with.
const tensorflow = {
  version: '2.15.1',
  sha256: '54660c074d7241a503e81edfd9f5ef5af88f64051b72e2945f26318c790f2d26',
  libraries: ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'],
  headers: ['tensorflow/c/', 'tensorflow/core/platform/', 'tsl/'],
};

/** Why this machine cannot have the `tensorflow` backend, or undefined. */
export function libtensorflowObstacle() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return `the TensorFlow wheel used here is for Linux on x86-64, this is ${process.platform} on ${process.arch}`;
  }
  if (!process.report.getReport().header.glibcVersionRuntime) {
    return 'the TensorFlow wheel used here needs glibc';
  }
}

async function findPython() {
  for (const python of ['python3', 'python']) {
    if ((await run(python, ['-m', 'pip', '--version'])).code === 0) {
      return python;
    }
  }
}

async function setUpPython() {
  let python = await findPython();
  if (!python) {
    const advice = 'No Python with pip found, which downloads TensorFlow: install Python 3 with pip.';
    await installDebianPackages('libtensorflow', ['python3-pip'], advice);
    python = await findPython();
  }
  if (!python) {
    throw new SetupError('apt-get installed python3-pip, but neither python3 nor python can run pip.');
  }
  return python;
}

async function sha256(file) {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) {
    hash.update(chunk);
  }
  return hash.digest('hex');
}

/** Downloads the wheel and unpacks the libraries and the few headers that the binding needs into `cache`. */
async function unpackLibtensorflow(cache) {
  const python = await setUpPython();
  await fs.mkdir(path.dirname(cache), { recursive: true });
  const work = await fs.mkdtemp(`${cache}-`);
  try {
    say('libtensorflow', `downloading tensorflow-cpu ${tensorflow.version} (207 MB)`);
    // Nothing of the wheel's Python is used, so that any one build of it does.
    const target = ['--python-version', '3.11', '--only-binary=:all:', '--platform', 'manylinux2014_x86_64'];
    const download = ['-m', 'pip', 'download', '-q', '--no-deps', '-d', work, ...target];
    await runOrFail('Downloading TensorFlow', python, [...download, `tensorflow-cpu==${tensorflow.version}`]);
    const wheel = path.join(work, (await fs.readdir(work)).find((name) => name.endsWith('.whl')) ?? '');
    if ((await sha256(wheel)) !== tensorflow.sha256) {
      throw new SetupError(`The downloaded ${path.basename(wheel)} is not the expected file: its SHA-256 differs.`);
    }
    say('libtensorflow', 'unpacking');
    // Node.js has no zip reader, and Python is here.
    const script = [
      'import sys, zipfile',
      'wheel, target, *wanted = sys.argv[1:]',
      'archive = zipfile.ZipFile(wheel)',
      'archive.extractall(target, [name for name in archive.namelist() if name.startswith(tuple(wanted))])',
    ].join('\n');
    const wanted = [
      ...tensorflow.libraries.map((name) => `tensorflow/${name}`),
      ...tensorflow.headers.map((name) => `tensorflow/include/${name}`),
    ];
    await runOrFail('Unpacking TensorFlow', python, ['-c', script, wheel, work, ...wanted]);
    await fs.rm(cache, { recursive: true, force: true });
    await fs.rename(path.join(work, 'tensorflow'), cache);
  } finally {
    await fs.rm(work, { recursive: true, force: true });
  }
}

/** Compiles tfjs-node's addon against the unpacked library. */
async function compileBinding(cache, tfjsNode, output) {
  if ((await run('g++', ['--version'])).code !== 0) {
    const advice = "No g++ found, which compiles tfjs-node's addon: install a C++ compiler.";
    await installDebianPackages('libtensorflow', ['g++'], advice);
  }
  say('libtensorflow', "compiling tfjs-node's addon");
  const includes = [tfjsNode, path.join(cache, 'include'), path.join(root, 'node_modules/node-api-headers/include')];
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => path.join(tfjsNode, 'binding', name));
  await replace(output, (part) =>
    runOrFail("Compiling tfjs-node's addon", 'g++', [
      ...['-O2', '-std=c++17', '-fPIC', '-shared', '-DNAPI_VERSION=8'],
      ...includes.flatMap((folder) => ['-I', folder]),
      ...sources,
      `-L${cache}`,
      ...tensorflow.libraries.map((name) => `-l:${name}`),
      '-Wl,-rpath,$ORIGIN/../../deps/lib',
      ...['-o', part],
    ]),
  );
}

/**
 * Gives tfjs-node its TensorFlow: the libraries and the compiled addon stay in .cache, so that another `npm ci` costs
 * no more than a few links. Does nothing where libtensorflowObstacle() has a reason.
 */
export async function setUpLibtensorflow() {
  const obstacle = libtensorflowObstacle();
  if (obstacle) {
    return say('libtensorflow', `skipped: ${obstacle}`);
  }
  const tfjsNode = path.join(root, 'node_modules/@tensorflow/tfjs-node');
  const { version } = JSON.parse(
    await fs.readFile(path.join(tfjsNode, 'package.json'), 'utf8').catch(() => {
      throw new SetupError('@tensorflow/tfjs-node is not installed: run `node scripts/setup.mjs packages` first.');
    }),
  );
  const cache = path.join(root, '.cache', `libtensorflow-${tensorflow.version}`);
  const binding = path.join(cache, `tfjs_binding-${version}.node`);
  if (!(await exists(cache))) {
    await unpackLibtensorflow(cache);
  }
  if (!(await exists(binding))) {
    await compileBinding(cache, tfjsNode, binding);
  }
  const libraries = path.join(tfjsNode, 'deps/lib');
  const addon = path.join(tfjsNode, 'lib/napi-v8/tfjs_binding.node');
  await fs.mkdir(libraries, { recursive: true });
  await fs.mkdir(path.dirname(addon), { recursive: true });
  for (const name of tensorflow.libraries) {
    await replace(path.join(libraries, name), (link) =>
      fs.symlink(path.relative(libraries, path.join(cache, name)), link),
    );
  }
  // A copy: Node.js loads a link's target, and the addon looks for the libraries beside itself.
  await replace(addon, (copy) => fs.copyFile(binding, copy));
  say('libtensorflow', `${tensorflow.version} ready`);
}

const steps = { packages: setUpPackages, chromium: setUpChromium, libtensorflow: setUpLibtensorflow };

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(steps);
  const unknown = names.find((name) => !(name in steps));
  try {
    if (unknown) {
      throw new SetupError(`Unknown step '${unknown}'; there are ${Object.keys(steps).join(', ')}.`);
    }
    for (const name of names) {
      await steps[name]();
    }
  } catch (error) {
    console.error(error instanceof SetupError ? error.message : error);
    process.exitCode = 1;
  }
}
