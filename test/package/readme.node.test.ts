/** The package as `npm pack` makes it, and README.md against it. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { build } from 'esbuild';
import { findSwiftShader } from '../../scripts/lib/browser.mjs';
import { root } from '../../scripts/lib/process.mjs';
import { skip } from '../support/backend.js';
import { type Consumer, execute, makeConsumer } from './consumer.js';
import { snippetsOf, tableOf } from './snippets.js';

const readme = readFileSync(path.join(root, 'README.md'), 'utf8');
const snippets = snippetsOf(readme);

let consumer: Consumer;

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

describe('the packed package', function () {
  this.timeout(180_000);

  before(async () => {
    consumer = await makeConsumer();
  });
  after(() => consumer?.remove());

  describe('README.md', () => {
    for (const { title, line, flags, code, prints } of snippets) {
      it(`${title}: the code at line ${line} runs and prints what it says`, async function () {
        const env = flags.includes('webgpu') ? await webgpuEnvironment(this) : {};
        await consumer.write(`line-${line}.mjs`, code);
        expect(lines(await consumer.node([`line-${line}.mjs`], env)).join('\n')).to.equal(prints.join('\n'));
      });
    }

    it('has every op, and every option of it', async () => {
      // The config is checked first, and an option like no other is answered with all that there are.
      const code = `
        import * as liger from 'tfjs-liger';
        const { registerWebGPUBackend, train: { AdamWOptimizer, ...train }, ...ops } = liger;
        const optimizers = Object.entries(train).map(([name, make]) => ['train.' + name, make]);
        const options = {};
        for (const [name, op] of [...Object.entries(ops), ...optimizers]) {
          try {
            op(...Array(op.length - 1), { '?????????????': 0 });
          } catch ({ message }) {
            options[name] = /the options are (.*)/.exec(message)?.[1].split(', ') ?? [];
          }
        }
        console.log(JSON.stringify(options));`;
      const ops: Record<string, string[]> = JSON.parse(await consumer.node(['--input-type=module', '--eval', code]));
      const rows = tableOf(readme, '## Ops').map(([call, options]) => ({
        name: /[\w.]+/.exec(call!)![0],
        options: options!,
      }));
      expect(rows.map(({ name }) => name)).to.have.members(Object.keys(ops));
      const sameAs = { fusedLinearCrossEntropy: 'crossEntropy' } as Record<string, string>;
      for (const { name, options } of rows) {
        const inherited = rows.find((row) => row.name === sameAs[name])?.options ?? '';
        for (const option of ops[name]!) expect(options + inherited, name).to.include(`\`${option}\``);
      }
    });

    it('links to files that are there', () => {
      for (const [, target] of readme.matchAll(/\]\((?!https?:|#)([^)#]+)/g)) readFileSync(path.join(root, target!));
    });
  });

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

  describe('types', () => {
    const strict = `
import * as tf from '@tensorflow/tfjs';
import { type RmsNormConfig, registerWebGPUBackend, rmsNorm } from 'tfjs-liger';
const config: RmsNormConfig = { epsilon: 1e-5 };
export const y: tf.Tensor3D = rmsNorm(tf.ones([1, 2, 4]) as tf.Tensor3D, [1, 1, 1, 1], config);
// @ts-expect-error There is no such option.
rmsNorm(y, undefined, { epsilonn: 1e-5 });
export const device = async (): Promise<object> => (await registerWebGPUBackend({ submitBatchSize: 32 })).device;
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
    async function typeErrors(files: Record<string, string>, options: object): Promise<string[]> {
      for (const [name, code] of Object.entries(files)) await consumer.write(name, code);
      const compilerOptions = { target: 'es2022', noEmit: true, types: ['@webgpu/types', 'node'], ...options };
      await consumer.write('tsconfig.json', JSON.stringify({ compilerOptions, files: Object.keys(files) }));
      const output = await consumer
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
  });

  it('passes publint and attw', () => execute('npm', ['run', 'check:package']));

  it('is documented without a warning', () => execute('npm', ['run', 'docs', '--', '--emit', 'none']));
});
