/** patch where nothing but tfjs-core is loaded, as CommonJS, and beside a second copy of tfjs-core. */
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { root } from '../../scripts/lib/process.mjs';
import { buildIfStale, execute } from '../package/consumer.js';

const node = (...args: string[]) => execute(process.execPath, args, { env: { TF_CPP_MIN_LOG_LEVEL: '3' } });

/** Prints the losses of softmaxCrossEntropy before, with and after a patch. */
const LOSSES = `
  const loss = () => tf.losses.softmaxCrossEntropy(tf.tensor2d([[0, 1]]), tf.tensor2d([[1, 2]])).dataSync()[0].toFixed(6);
  const losses = [loss()];
  const unpatch = liger.patch();
  losses.push(loss());
  console.log(liger.patched().join(' '));
  unpatch();
  losses.push(loss(), liger.patched().length);
  console.log(losses.join(' '));`;

const EXPECTED = '0.313262 0.313262 0.313262 0';

describe('patch in other programs', () => {
  before(async function () {
    this.timeout(120_000);
    await buildIfStale();
  });

  it('works with tfjs-core alone, as ES modules', async () => {
    const script = `
      import * as tf from '@tensorflow/tfjs-core';
      import '@tensorflow/tfjs-backend-cpu';
      import * as liger from './dist/index.js';
      await tf.setBackend('cpu');${LOSSES}
      const x = tf.tensor1d([1, 2]);
      liger.patch();
      console.log((await tf.grad((x) => tf.einsum('i->', x))(x).data()).join(' '));`;
    const output = (await node('--input-type=module', '--eval', script)).trim().split('\n');
    expect(output[0]).to.match(/^softmaxCrossEntropy adam stockKernels stockGradients missingGradients$/);
    expect(output.slice(1)).to.deep.equal([EXPECTED, '1 1']);
  });

  it('works as CommonJS', async () => {
    const script = `
      const tf = require('@tensorflow/tfjs');
      const liger = require('./dist/index.cjs');
      tf.setBackend('cpu');${LOSSES}`;
    const output = (await node('--input-type=commonjs', '--eval', script)).trim().split('\n').slice(-2);
    expect(output[0]).to.include('layerNormalization');
    expect(output[1]).to.equal(EXPECTED);
  });

  it('is shared by the ES and the CommonJS build', async () => {
    const script = `
      import { createRequire } from 'node:module';
      import * as tf from '@tensorflow/tfjs-core';
      import * as liger from './dist/index.js';
      const other = createRequire(import.meta.url)('./dist/index.cjs');
      const stock = tf.losses.softmaxCrossEntropy;
      const unpatch = liger.patch();
      console.log(other.patched().includes('adam'));
      const unpatchOther = other.patch();
      unpatch();
      console.log(other.patched().length, tf.losses.softmaxCrossEntropy === stock);
      unpatchOther();`;
    const file = path.join(root, '.cache/both_builds.mjs');
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, script.replaceAll('./dist/', '../dist/'));
    expect((await node(file)).trim().split('\n')).to.deep.equal(['true', '0 true']);
  });

  it('says so where tensors are made by another copy of tfjs-core', async () => {
    const folder = await mkdtemp(path.join(root, '.cache/copy-'));
    const copy = path.join(folder, 'tf-core.cjs');
    await cp(path.join(root, 'node_modules/@tensorflow/tfjs-core/dist/tf-core.node.js'), copy);
    const script = `
      require(${JSON.stringify(copy)});
      const liger = require('./dist/index.cjs');
      try { liger.patch(); } catch (error) { console.log(error.message); }
      console.log(liger.patched().length);`;
    const output = (await node('--input-type=commonjs', '--eval', script)).trim().split('\n').slice(-2);
    await rm(folder, { recursive: true });
    expect(output[0]).to.match(
      /^patch: there are two copies of @tensorflow\/tfjs-core, .*npm ls @tensorflow\/tfjs-core/,
    );
    expect(output[1]).to.equal('0');
  });
});
