import type { Tensor } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { patch, patched } from '../../src/index.js';
import { reload } from '../layers/describe_layer.js';
import { backendName, target, tf } from '../support/backend.js';
import { expectClose, expectError, GRADIENT_TOLERANCE } from '../support/golden.js';
import { batch, expectSameOutcome, languageModel, outcomeOf } from './models.js';
import { only, withAndWithout, withoutPatch, withPatch } from './patched.js';

/** What is written to the console as warnings meanwhile. */
function warningsOf(run: () => void): string[] {
  const { warn } = console;
  const warnings: string[] = [];
  console.warn = (message) => warnings.push(String(message));
  try {
    run();
  } finally {
    console.warn = warn;
  }
  return warnings;
}

describe('patch', () => {
  const stock = tf.losses.softmaxCrossEntropy;

  it('is on until it is undone, however often it was called', () => {
    expect(patched()).to.deep.equal([]);
    const undo = [patch(), patch()];
    expect(patched()).to.include.members(['softmaxCrossEntropy', 'adam', 'layerNormalization', 'stockGradients']);
    expect(patched()).not.to.include('clipNorm');
    expect(tf.losses.softmaxCrossEntropy).not.to.equal(stock);
    undo[0]!();
    expect(patched()).to.deep.equal([]);
    expect(tf.losses.softmaxCrossEntropy).to.equal(stock);
    undo[0]!();
    undo[1]!();
    expect(tf.losses.softmaxCrossEntropy).to.equal(stock);
  });

  it('switches on what is asked for', () => {
    const unpatch = patch({ adam: false, softmaxCrossEntropy: true });
    expect(patched()).to.include('softmaxCrossEntropy').and.not.to.include('adam');
    const unpatchAdam = patch({ adam: true });
    expect(patched()).to.include('adam');
    unpatchAdam();
    unpatch();
    expect(patched()).to.deep.equal([]);
  });

  it('leaves what someone else has replaced since, which calls tfjs again', () => {
    const unpatch = patch();
    const ours = tf.losses.softmaxCrossEntropy;
    const theirs: typeof ours = (...args) => ours(...args);
    (tf.losses as { softmaxCrossEntropy: typeof ours }).softmaxCrossEntropy = theirs;
    unpatch();
    expect(tf.losses.softmaxCrossEntropy).to.equal(theirs);
    tf.dispose(tf.losses.softmaxCrossEntropy([[1, 0]], [[0, 0]]));
    (tf.losses as { softmaxCrossEntropy: typeof ours }).softmaxCrossEntropy = stock;
  });

  it('knows its options', () => {
    expectError(
      () => patch({ softmaxCrossentropy: true } as object),
      /patch: unknown option .*; did you mean 'softmaxCrossEntropy'/,
    );
    expectError(() => patch({ adam: 1 } as object), /patch: option 'adam' must be a boolean/);
    expect(patched()).to.deep.equal([]);
  });

  it('says what changes nothing here, if it was asked for', () => {
    const warnings = warningsOf(() => patch({ dense: true })());
    if (backendName === 'webgpu') expect(warnings).to.deep.equal([]);
    else
      expect(warnings).to.deep.equal([
        `patch: 'dense' changes nothing on the backend '${backendName}', only on WebGPU`,
      ]);
    expect(warningsOf(() => patch({ multiHeadAttention: true })())[0]).to.match(
      /^patch: 'multiHeadAttention' is not on: there is no MultiHeadAttention of @tensorflow\/tfjs-layers: is it loaded\?$/,
    );
    expect(warningsOf(() => patch()())).to.deep.equal([]);
  });

  it('keeps gradients of reductions, lookups and tiles', async () => {
    const gradients = async () => {
      const x = tf.tidy(() => tf.randomNormal([3, 5], 0, 1, 'float32', 1));
      const scale = tf.tidy(() => tf.randomNormal([3], 0, 1, 'float32', 2));
      const of = (f: (x: Tensor) => Tensor) => tf.tidy(() => tf.grad(f)(x));
      const results = [
        of((x) => tf.mul(tf.mean(x, 1), scale)),
        of((x) => tf.mul(tf.sum(x, 1), scale)),
        // For which tfjs has no kernel on wasm.
        ...(target === 'wasm' ? [] : [of((x) => tf.square(tf.gather(x, tf.tensor1d([2, 0, 2], 'int32'))))]),
        of((x) => tf.square(tf.tile(x, [2, 3]))),
      ];
      const numbers = await Promise.all(results.map(async (tensor) => Array.from(await tensor.data())));
      tf.dispose([x, scale, results]);
      return numbers;
    };
    const { patched: ours, expected } = await withAndWithout(gradients);
    for (const [i, numbers] of expected.entries()) await expectClose(ours[i]!, numbers, GRADIENT_TOLERANCE);
  });

  it('trains a model with Adam to the same numbers, for every option alone', async () => {
    const train = async () => {
      const model = languageModel();
      // A large epsilon, so that rounding in a gradient near 0 is not magnified.
      model.compile({ optimizer: tf.train.adam(0.01, 0.9, 0.999, 0.1), loss: 'sparseCategoricalCrossentropy' });
      const outcome = await outcomeOf(model, 'sparseCategoricalCrossentropy', []);
      model.dispose();
      return outcome;
    };
    const expected = await withoutPatch(train);
    const options = [
      ...(['sparseCategoricalCrossentropy', 'layerNormalization', 'embedding', 'dense'] as const),
      ...(['gelu', 'swish', 'softmax', 'adam', 'stockGradients'] as const),
    ];
    for (const option of options) {
      await expectSameOutcome(await withPatch(train, only(option, 'embedding')), expected);
    }
    await expectSameOutcome(await withPatch(train), expected);
  });

  it('saves and loads models as tfjs does, with their optimizer', async () => {
    const loss = 'sparseCategoricalCrossentropy';
    const { tokens, labels, oneHot } = batch();
    const predictionsOf = async (model: LayersModel) => {
      const y = model.predict(tokens) as Tensor;
      const numbers = await y.data();
      y.dispose();
      return numbers;
    };
    const model = languageModel();
    await withPatch(async () => {
      model.compile({ optimizer: 'adam', loss });
      await model.fit(tokens, labels, { epochs: 1, verbose: 0 });
    });
    const stock = await predictionsOf(model);
    const loaded = await withoutPatch(() => reload(model));
    await expectClose(await predictionsOf(loaded), stock, 0);
    const loadedPatched = await withPatch(() => reload(model));
    await expectClose(await withPatch(() => predictionsOf(loadedPatched)), stock, GRADIENT_TOLERANCE);
    tf.dispose([tokens, labels, oneHot]);
    for (const each of [model, loaded, loadedPatched]) each.dispose();
  });

  it('leaks no tensor in 20 batches', async () => {
    await withPatch(async () => {
      const model = languageModel();
      model.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
      const { tokens, labels, oneHot } = batch();
      await model.fit(tokens, labels, { epochs: 1, verbose: 0 });
      const before = tf.memory().numTensors;
      await model.fit(tokens, labels, { epochs: 10, batchSize: 2, verbose: 0 });
      expect(tf.memory().numTensors).to.equal(before);
      tf.dispose([tokens, labels, oneHot]);
      model.dispose();
    });
  });
});
