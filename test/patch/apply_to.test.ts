import { expect } from 'chai';
import { applyTo, patched } from '../../src/index.js';
import { backendName, tf } from '../support/backend.js';
import { expectError } from '../support/golden.js';
import { expectSameOutcome, languageModel, outcomeOf, seedWeights, VOCABULARY } from './models.js';
import { withoutPatch } from './patched.js';

const LOSS = 'sparseCategoricalCrossentropy';
const QUIET = { print: false };

/** A layer that no one knows. */
class Doubling extends tf.layers.Layer {
  static readonly className = 'Doubling';
  override call(inputs: Parameters<InstanceType<typeof tf.layers.Layer>['call']>[0]) {
    return tf.tidy(() => tf.mul([inputs].flat()[0]!, 2));
  }
}

describe('applyTo', () => {
  it('trains one model to the same numbers, and leaves the others alone', async () => {
    const train = async (isApplied: boolean) => {
      const model = languageModel();
      const report = isApplied ? applyTo(model, QUIET) : undefined;
      model.compile({ optimizer: tf.train.adam(0.01, 0.9, 0.999, 0.1), loss: LOSS });
      const outcome = await outcomeOf(model, LOSS, []);
      report?.unpatch();
      model.dispose();
      return outcome;
    };
    await expectSameOutcome(await train(true), await withoutPatch(() => train(false)));
    expect(patched()).to.deep.equal([]);
  });

  it('reports what replaced each layer, and what was left and why', () => {
    const model = tf.sequential({
      layers: [
        tf.layers.embedding({ inputDim: VOCABULARY, outputDim: 4, inputLength: 3, name: 'tokens' }),
        tf.layers.timeDistributed({ layer: tf.layers.dense({ units: 6, name: 'wide' }), name: 'each' }),
        new Doubling({ name: 'double' }),
        tf.layers.layerNormalization({ axis: [1, 2], name: 'both' }),
        tf.sequential({
          layers: [tf.layers.dense({ units: 5, activation: 'relu', name: 'inner', inputShape: [3, 6] })],
          name: 'nested',
        }),
        tf.layers.activation({ activation: 'softmax', name: 'probabilities' }),
      ],
    });
    model.compile({ optimizer: 'adam', loss: LOSS });
    const { replacements, unpatch } = applyTo(model, { ...QUIET, dense: false });
    unpatch();
    const alone = backendName === 'webgpu' ? '' : ', on WebGPU alone';
    const withoutInputs = replacements.filter(({ className }) => className !== 'InputLayer');
    expect(withoutInputs).to.deep.equal([
      { name: 'tokens', className: 'Embedding', replacedBy: 'liger.embedding', reason: '' },
      { name: 'each/wide', className: 'Dense', replacedBy: '', reason: 'the option is off' },
      { name: 'double', className: 'Doubling', replacedBy: '', reason: 'nothing takes its place' },
      { name: 'both', className: 'LayerNormalization', replacedBy: '', reason: 'it normalises several axes' },
      { name: 'nested/inner', className: 'Dense', replacedBy: '', reason: 'the option is off' },
      { name: 'probabilities', className: 'Activation', replacedBy: `liger.softmax${alone}`, reason: '' },
      { name: 'loss of probabilities', className: LOSS, replacedBy: 'liger.crossEntropy, from logits', reason: '' },
      { name: 'optimizer', className: 'Adam', replacedBy: 'liger.train.adamW, without decay', reason: '' },
    ]);
    model.dispose();
  });

  it('prints a table, unless it is told not to', () => {
    const model = languageModel();
    const { table } = console;
    const tables: unknown[] = [];
    console.table = (rows) => tables.push(rows);
    try {
      const { replacements } = applyTo(model);
      applyTo(model, QUIET).unpatch();
      expect(tables).to.deep.equal([replacements]);
    } finally {
      console.table = table;
    }
    model.dispose();
  });

  it('has its last options count, and is undone as a whole', () => {
    const model = languageModel();
    const dense = model.layers[3]!;
    const { call } = dense;
    const first = applyTo(model, QUIET);
    expect(dense.call).not.to.equal(call);
    const second = applyTo(model, { ...QUIET, dense: false });
    expect(dense.call).to.equal(call);
    second.unpatch();
    first.unpatch();
    second.unpatch();
    expect(Object.keys(dense)).not.to.include('call');
    model.dispose();
  });

  it('says what is wrong with its arguments', () => {
    expectError(() => applyTo({} as never, QUIET), /^applyTo: model must be a tf\.LayersModel, but got an object$/);
    expectError(() => applyTo(null as never, QUIET), /^applyTo: model must be a tf\.LayersModel, but got null$/);
    const model = languageModel();
    expectError(
      () => applyTo(model, { denze: true } as object),
      /applyTo: unknown option 'denze'; did you mean 'dense'\?/,
    );
    model.dispose();
    const unbuilt = tf.sequential();
    expectError(
      () => applyTo(unbuilt, QUIET),
      /applyTo: the model is not built yet; give its first layer an inputShape/,
    );
  });

  it('leaves a model as it is for saving and cloning', async () => {
    const model = languageModel();
    seedWeights(model);
    const { unpatch } = applyTo(model, QUIET);
    const json = model.toJSON(null, false);
    unpatch();
    expect(model.toJSON(null, false)).to.deep.equal(json);
    model.dispose();
  });
});
