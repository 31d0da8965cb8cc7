/** The package as `npm pack` makes it, and README.md and docs/from-model-fit.md against it. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { build } from 'esbuild';
import { findSwiftShader } from '../../scripts/lib/browser.mjs';
import { root } from '../../scripts/lib/process.mjs';
import { patchOptions } from '../../src/patch/options.js';
import { skip } from '../support/backend.js';
import { commandsOf, runCommand } from './commands.js';
import { type Consumer, execute, makeConsumer, makeConsumerWithout } from './consumer.js';
import { printedByModules, printedByPage } from './pages.js';
import { anchorsOf, blocksOf, type Snippet, snippetsOf, tableOf } from './snippets.js';
import { STRICT_REACT, USE_HOOK } from './strict_react.js';

const readme = readFileSync(path.join(root, 'README.md'), 'utf8');
const GUIDE = 'docs/from-model-fit.md';
const guide = readFileSync(path.join(root, GUIDE), 'utf8');
const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

const snippets = snippetsOf(readme).filter(({ language }) => language === 'js');
const pages = snippetsOf(readme).filter(({ language }) => language === 'html');
const inNode = snippets.filter(({ flags }) => !flags.includes('browser'));
const inBrowser = snippets.filter(({ flags }) => flags.includes('browser'));
const commands = blocksOf(readme).filter(({ language }) => language === 'sh');

let consumer: Consumer;

const fileOf = (name: string) => `${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}.ts`;

const lines = (output: string) => output.trim().split('\n');

/** Bundles code of the consumer, all packages but tfjs-liger left out, and gives the code and what it imports. */
async function bundle(code: string) {
  const { outputFiles, warnings, metafile } = await build({
    stdin: { contents: code, resolveDir: consumer.folder },
    bundle: true,
    write: false,
    format: 'esm',
    treeShaking: true,
    external: ['@tensorflow/*'],
    metafile: true,
    outdir: consumer.folder,
    logLevel: 'silent',
  });
  const imports = Object.values(metafile.outputs).flatMap((output) => output.imports);
  return { code: outputFiles[0]!.text, warnings: warnings.map(({ text }) => text), imports };
}

/** The environment in which Dawn finds a GPU, or else Chromium's SwiftShader. */
async function webgpuEnvironment(context: Mocha.Context): Promise<Record<string, string>> {
  const swiftShader = await findSwiftShader();
  const software = swiftShader && {
    VK_ICD_FILENAMES: swiftShader.driver,
    ...(swiftShader.loader && { LD_PRELOAD: swiftShader.loader }),
  };
  const probe = `const { create } = await import('webgpu'); process.exit((await create([]).requestAdapter()) ? 0 : 1);`;
  for (const env of [{}, software]) {
    const found = env && consumer.node(['--input-type=module', '--eval', probe], env);
    if (
      await found?.then(
        () => true,
        () => false,
      )
    )
      return env!;
  }
  return skip(context, 'no WebGPU adapter');
}

/** Runs a snippet among the consumer's files. */
async function expectPrints(context: Mocha.Context, file: string, { flags, prints }: Snippet): Promise<void> {
  const env = flags.includes('webgpu') ? await webgpuEnvironment(context) : {};
  expect(lines(await consumer.node([file], env)).join('\n')).to.equal(prints.join('\n'));
}

/** The names that the consumer's package exports. */
async function exportsOf(specifier: string): Promise<string[]> {
  const code = `console.log(JSON.stringify(Object.keys(await import('${specifier}'))));`;
  return JSON.parse(await consumer.node(['--input-type=module', '--eval', code]));
}

describe('the packed package', function () {
  this.timeout(180_000);

  before(async () => {
    consumer = await makeConsumer();
  });
  after(() => consumer?.remove());

  describe('README.md', () => {
    it('has code that specs run, and no other', () => {
      const languages = blocksOf(readme).map(({ language }) => language);
      expect(['sh', 'js', 'html']).to.include.members(languages);
    });

    for (const snippet of inNode) {
      const { title, line, code } = snippet;
      it(`${title}: the code at line ${line} runs and prints what it says`, async function () {
        await consumer.write(`line-${line}.mjs`, code);
        await expectPrints(this, `line-${line}.mjs`, snippet);
      });
    }

    for (const { title, line, code, prints } of pages) {
      it(`${title}: the page at line ${line} runs in a browser and prints what it says`, async function () {
        expect(await printedByPage(this, consumer, code, prints.length)).to.deep.equal(prints);
      });
    }

    for (const title of new Set(inBrowser.map((snippet) => snippet.title))) {
      if (title === 'React') continue; // which is not here
      it(`${title}: the modules run in a browser and print what they say`, async function () {
        const modules = inBrowser.filter((snippet) => snippet.title === title);
        const files = Object.fromEntries(modules.map(({ file = 'main.js', code }) => [file, code]));
        const prints = modules.flatMap((module) => module.prints);
        expect(await printedByModules(this, consumer, files, prints.length)).to.deep.equal(prints);
      });
    }

    it('WebGPU: without it the code for browsers goes on with another backend', async () => {
      const { code } = inBrowser.find(({ title }) => title === 'WebGPU')!;
      expect(lines(await consumer.node(['--input-type=module', '--eval', code]))).to.deep.equal(['cpu']);
    });

    it('React: effects that run twice make one backend', async function () {
      const [hook] = inBrowser.filter(({ title }) => title === 'React');
      await consumer.write('node_modules/react/index.js', STRICT_REACT);
      const files = { [hook!.file!]: hook!.code, 'main.js': USE_HOOK };
      expect(await printedByModules(this, consumer, files, 1)).to.deep.equal(['webgpu, devices made: 1']);
    });

    for (const command of commands.flatMap(({ code }) => commandsOf(code))) {
      it(`the command ${command.command} works`, async function () {
        await runCommand(command, this, consumer);
      });
    }

    it('has every op, in order and with a link to its source', async () => {
      const code = `
        import * as liger from 'tfjs-liger';
        const { train: { AdamWOptimizer, ...train }, ...named } = liger;
        const { registerWebGPUBackend, capture, packSequences, checkpoint, tiledMlp, patch, patched, applyTo, ...ops } = named;
        console.log(JSON.stringify([...Object.keys(ops), ...Object.keys(train).map((name) => 'train.' + name)]));`;
      const ops: string[] = JSON.parse(await consumer.node(['--input-type=module', '--eval', code]));
      const isLoss = (op: string) => existsSync(path.join(root, 'src/losses', fileOf(op)));
      const folderOf = (op: string) => (op.startsWith('train.') ? 'optimizers' : isLoss(op) ? 'losses' : 'ops');
      const sourceOf = (op: string) => `src/${folderOf(op)}/${fileOf(op.replace('train.', ''))}`;
      const linksOf = (names: string[]) => names.sort().map((op) => `[\`${op}\`](${sourceOf(op)})`);
      const linksIn = (heading: string) => tableOf(readme, heading).map(([link]) => link);
      expect(linksIn('## Ops')).to.deep.equal(linksOf(ops.filter((op) => !isLoss(op))));
      expect(linksIn('### Losses of alignment and distillation')).to.deep.equal(linksOf(ops.filter(isLoss)));
    });

    it('has every option of registerWebGPUBackend', async () => {
      // An option like no other is answered with all that there are.
      const code = `
        import { registerWebGPUBackend } from 'tfjs-liger';
        await registerWebGPUBackend({ '?????????????': 0 }).catch(({ message }) => console.log(message));`;
      const message = await consumer.node(['--input-type=module', '--eval', code]);
      const [, listed] = /Options:\s([^;.]*)\./.exec(readme)!;
      const named = [...listed!.matchAll(/`(\w+)`/g)].map(([, name]) => name);
      expect(named).to.have.members(/the options are (.*)/.exec(message)![1]!.split(', '));
    });

    it('says what the refusal of float32 labels says', async () => {
      const code = `
        import * as tf from '@tensorflow/tfjs';
        import { crossEntropy } from 'tfjs-liger';
        try {
          crossEntropy(tf.ones([2, 3]), tf.tensor([1, 2]));
        } catch ({ message }) {
          console.log(message);
        }`;
      const message = await consumer.node(['--input-type=module', '--eval', code]);
      for (const text of [message, readme]) expect(text).to.match(/float32.*\.toInt\(\)/s);
    });

    it('has every layer, in order and with a link to its source', async () => {
      const factories = (await exportsOf('tfjs-liger/layers')).filter((name) => /^[a-z]/.test(name));
      const links = factories.sort().map((layer) => `[\`${layer}\`](src/layers/${fileOf(layer)})`);
      expect(tableOf(readme, '## Layers').map(([link]) => link)).to.deep.equal(links);
    });
  });

  describe(GUIDE, () => {
    const code = snippetsOf(guide);
    const fileIn = ({ file, line }: Snippet) => `from-model-fit/${file ?? `line-${line}.js`}`;

    before(() => Promise.all(code.map((snippet) => consumer.write(fileIn(snippet), snippet.code))));

    it('has code that specs run, and no other', () => {
      expect(blocksOf(guide)).to.have.length(code.length);
      expect(code.filter(({ language, flags }) => language !== 'js' || flags.includes('browser'))).to.deep.equal([]);
    });

    for (const snippet of code) {
      it(`${snippet.title}: the code at line ${snippet.line} runs and prints what it says`, async function () {
        await expectPrints(this, fileIn(snippet), snippet);
      });
    }

    it('has every option of patch, in order', () => {
      const options = tableOf(guide, '## 2. One line').map(([option]) => option);
      expect(options).to.deep.equal(Object.keys(patchOptions).map((option) => `\`${option}\``));
    });
  });

  for (const page of ['README.md', GUIDE, 'docs/from-liger-kernel.md']) {
    it(`${page} links to files that git has, and to headings that they have`, async function () {
      const list = await execute('git', ['ls-files']).catch(() => skip(this, 'no git checkout'));
      const tracked = lines(list);
      const markdown = readFileSync(path.join(root, page), 'utf8');
      for (const [, target, anchor] of markdown.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)) {
        const file = target ? path.posix.join(path.posix.dirname(page), target) : page;
        expect(tracked).to.include(file);
        if (anchor) expect(anchorsOf(readFileSync(path.join(root, file), 'utf8')), file).to.include(anchor);
      }
    });
  }

  describe('modules', () => {
    const use = `
      const tf = await import('@tensorflow/tfjs');
      for (const { rmsNorm } of builds) {
        const [dx, dgamma] = tf.grads((x, gamma) => rmsNorm(x, gamma).sum())([tf.ones([2, 4]), tf.ones([4])]);
        console.log(...dx.shape, ...dgamma.shape);
      }`;

    it('can be required, and imported in the same process', async () => {
      const code = `
        import { createRequire } from 'node:module';
        const builds = [createRequire(process.cwd() + '/')('tfjs-liger'), await import('tfjs-liger')];${use}`;
      const output = await consumer.node(['--input-type=module', '--eval', code]);
      expect(lines(output)).to.deep.equal(['2 4 4', '2 4 4']);
    });

    it('import no package but tfjs-core; a backend only when it is asked for', async () => {
      const { imports } = await bundle(`export * from 'tfjs-liger';`);
      const packages = imports.filter(({ external }) => external).map(({ kind, path }) => `${kind} ${path}`);
      expect([...new Set(packages)]).to.have.members([
        'import-statement @tensorflow/tfjs-core',
        'dynamic-import @tensorflow/tfjs-backend-webgpu',
      ]);
      const code = `
        require('tfjs-liger');
        console.log(Object.keys(require.cache).some((file) => /tfjs-(backend|node)/.test(file)));`;
      expect(lines(await consumer.node(['--input-type=commonjs', '--eval', code]))).to.deep.equal(['false']);
    });

    for (const name of ['rmsNorm', 'registerWebGPUBackend']) {
      it(`keep their registrations in a bundle that imports ${name} alone`, async () => {
        const { code, warnings } = await bundle(`
          import { getGradient, getKernel } from '@tensorflow/tfjs-core';
          import { ${name} } from 'tfjs-liger';
          const kernel = getKernel('LigerRmsNorm', 'webgpu') !== getKernel('LigerRmsNorm', 'cpu');
          console.log(typeof ${name}, getGradient('LigerRmsNorm') !== undefined, kernel);`);
        expect(warnings).to.deep.equal([]);
        await consumer.write('bundle.mjs', code);
        expect(lines(await consumer.node(['bundle.mjs']))).to.deep.equal(['function true true']);
      });
    }

    it('run from a bundle that imports rmsNorm alone', async () => {
      const { code } = await bundle(`import { rmsNorm } from 'tfjs-liger'; const builds = [{ rmsNorm }];${use}`);
      await consumer.write('bundle.mjs', code);
      expect(lines(await consumer.node(['bundle.mjs']))).to.deep.equal(['2 4 4']);
    });
  });

  describe('the script for pages', () => {
    /** Runs the script in the global scope of Node.js, then some code. */
    const runScript = async (before: string, after: string) => {
      const code = `
        import { existsSync, readFileSync } from 'node:fs';
        import { runInThisContext } from 'node:vm';
        ${before}
        runInThisContext(readFileSync('node_modules/tfjs-liger/' + ${JSON.stringify(manifest.jsdelivr)}, 'utf8'));
        ${after}`;
      return lines(await consumer.node(['--input-type=module', '--eval', code]));
    };
    const globalTf = `globalThis.tf = { ...await import('@tensorflow/tfjs') };`;

    it('is what unpkg and jsDelivr serve, and makes the global liger', async () => {
      expect(manifest.unpkg).to.equal(manifest.jsdelivr);
      const after = `
        const { layers, ...rest } = liger;
        console.log(Object.keys(rest).sort().join() === Object.keys(await import('tfjs-liger')).join());
        console.log(Object.keys(layers).sort().join() === Object.keys(await import('tfjs-liger/layers')).join());`;
      expect(await runScript(globalTf, after)).to.deep.equal(['true', 'true']);
    });

    it('says what to load before it', async () => {
      const before = `process.once('uncaughtException', ({ message }) => console.log(message));`;
      const message = 'tfjs-liger: load tf.min.js of @tensorflow/tfjs before this script';
      expect(await runScript(before, '')).to.deep.equal([message]);
    });

    it('says which script has the WebGPU backend, whenever it is missing', async () => {
      const after = `
        for (let i = 0; i < 2; i++) {
          await liger.registerWebGPUBackend().catch(({ message, cause }) => console.log(message + '; ' + cause.message));
        }
        tf.WebGPUBackend = class {};
        await liger.registerWebGPUBackend().catch(({ message }) => console.log(message));`;
      const [first, again, present] = await runScript(globalTf, after);
      expect(first).to.match(/tfjs-backend-webgpu could not be loaded.*add <script src="[^"]*tfjs-backend-webgpu">/);
      expect(again).to.equal(first);
      expect(present).to.include('there is no WebGPU here');
    });
  });

  describe('types', () => {
    const strict = `
import * as tf from '@tensorflow/tfjs';
import { type RmsNormConfig, registerWebGPUBackend, rmsNorm } from 'tfjs-liger';
const config: RmsNormConfig = { epsilon: 1e-5 };
export const y: tf.Tensor3D = rmsNorm(tf.ones([1, 2, 4]) as tf.Tensor3D, [1, 1, 1, 1], config);
// @ts-expect-error There is no such option.
rmsNorm(y, undefined, { epsilonn: 1e-5 });
export const device = async (): Promise<object> => (await registerWebGPUBackend({ memoryLimit: 2 ** 30 })).device;
`;
    const required = `
import tf = require('@tensorflow/tfjs');
import liger = require('tfjs-liger');
export const y: tf.Tensor2D = liger.rmsNorm(tf.ones([2, 4]) as tf.Tensor2D);
`;

    const wrong = `
import { rmsNorm } from 'tfjs-liger';
rmsNorm([1], [1], 3);
`;

    /** The errors in the project's own files and in the package: tfjs's own declarations have some. */
    async function typeErrors(files: Record<string, string>, options: object, project = consumer): Promise<string[]> {
      for (const [name, code] of Object.entries(files)) await project.write(name, code);
      const compilerOptions = { target: 'es2022', noEmit: true, types: ['@webgpu/types', 'node'], ...options };
      await project.write('tsconfig.json', JSON.stringify({ compilerOptions, files: Object.keys(files) }));
      const output = await project
        .node([path.join(root, 'node_modules/typescript/bin/tsc'), '--pretty', 'false'])
        .catch((error: Error) => error.message);
      return lines(output).filter((line) => /^(?!\.\.\/|node_modules\/(?!tfjs-liger))\S+\(\d+,\d+\)|^error/.test(line));
    }

    it('fit with moduleResolution node16, strictly, and say what does not fit', async () => {
      const files = { 'strict.ts': strict, 'required.cts': required, 'wrong.ts': wrong };
      const errors = await typeErrors(files, { module: 'node16', moduleResolution: 'node16', strict: true });
      expect(errors).to.have.length(1);
      expect(errors[0]).to.match(/^wrong\.ts\(3,/);
    });

    it('fit with moduleResolution bundler, and the code in README.md', async () => {
      const typed = snippets.filter(({ flags }) => flags.includes('typed'));
      const files = Object.fromEntries(typed.map(({ line, code }) => [`line-${line}.ts`, code]));
      const options = { module: 'esnext', moduleResolution: 'bundler', strict: false, skipLibCheck: true };
      expect(await typeErrors({ 'strict.ts': strict, ...files }, options)).to.deep.equal([]);
    });

    it('fit without the WebGPU backend, and with skipLibCheck off', async () => {
      const project = await makeConsumerWithout('@tensorflow/tfjs-backend-webgpu', consumer);
      const options = { module: 'node16', moduleResolution: 'node16', strict: true, skipLibCheck: false, types: [] };
      const errors = await typeErrors({ 'strict.ts': strict }, options, project).finally(project.remove);
      expect(errors).to.deep.equal([]);
    });
  });

  it('names its repository, by which npm completes the links of README.md', async () => {
    const { repository, homepage, bugs } = JSON.parse(
      readFileSync(path.join(consumer.folder, 'node_modules/tfjs-liger/package.json'), 'utf8'),
    );
    const [, address] = /^git\+(https:\/\/github\.com\/[\w-]+\/[\w-]+)\.git$/.exec(repository.url)!;
    expect([homepage, bugs.url]).to.deep.equal([`${address}#readme`, `${address}/issues`]);
  });

  it('passes publint and attw', () => execute('npm', ['run', 'check:package']));

  it('is documented without a warning', () => execute('npm', ['run', 'docs', '--', '--emit', 'none']));
});
