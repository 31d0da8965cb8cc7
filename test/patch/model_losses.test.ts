import { expect } from 'chai';
import { patch } from '../../src/index.js';
import { backendName, tf } from '../support/backend.js';
import { type Ending, expectSameOutcome, type LossName, languageModel, type Outcome, outcomeOf } from './models.js';
import { withAndWithout, withoutPatch, withPatch } from './patched.js';

const endings: Ending[] = ['denseSoftmax', 'activationLayer', 'softmaxLayer', 'sigmoid'];
const lossNames: LossName[] = ['categoricalCrossentropy', 'sparseCategoricalCrossentropy'];

async function train(ending: Ending, loss: LossName, whenCompiled = () => {}): Promise<Outcome> {
  const model = languageModel(ending);
  model.compile({ optimizer: tf.train.sgd(0.1), loss, metrics: ['accuracy', 'crossentropy'] });
  whenCompiled();
  const outcome = await outcomeOf(model, loss, ['acc', 'ce']);
  model.dispose();
  return outcome;
}

describe('losses of models, patched', () => {
  for (const loss of lossNames) {
    for (const ending of endings) {
      it(`${loss} is tfjs's for a model that ends in ${ending}`, async () => {
        const { patched, expected } = await withAndWithout(() => train(ending, loss));
        await expectSameOutcome(patched, expected);
      });
    }
  }

  it("are those of models that were made and compiled before, and tfjs's again afterwards", async () => {
    const stock = () => train('denseSoftmax', 'sparseCategoricalCrossentropy');
    const expected = await withoutPatch(stock);
    let unpatch = () => {};
    const outcome = await train('denseSoftmax', 'sparseCategoricalCrossentropy', () => {
      unpatch = patch();
    });
    unpatch();
    await expectSameOutcome(outcome, expected);
    expect(await withoutPatch(stock)).to.deep.equal(expected);
  });

  for (const kind of ['a functional model', 'a sequential one'] as const) {
    it(`make no probabilities in training, and on WebGPU no one-hot labels: ${kind}`, async () => {
      const layers = () => [
        tf.layers.dense({ inputShape: [3], units: 4, activation: 'relu' }),
        tf.layers.dense({ units: 5, activation: 'softmax' }),
      ];
      const model = kind === 'a sequential one' ? tf.sequential({ layers: layers() }) : functional(layers());
      model.compile({ optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy' });
      const [x, y] = [tf.ones([2, 3]), tf.tensor2d([[1], [4]])];
      const kernelsOf = async () => {
        const { kernelNames } = await tf.profile(async () => void (await model.trainOnBatch(x, y)));
        return kernelNames;
      };
      expect(await kernelsOf()).to.include.members(['OneHot', 'Softmax']);
      const kernels = await withPatch(kernelsOf);
      expect(kernels).to.include('LigerCrossEntropy');
      expect(kernels).not.to.include('Softmax');
      // Elsewhere the composed kernel's gradient has one.
      if (backendName === 'webgpu') expect(kernels).not.to.include('OneHot');
      tf.dispose([x, y]);
      model.dispose();
    });
  }
});

/** Layers one after another. */
function functional(layers: Array<InstanceType<typeof tf.layers.Layer>>) {
  const inputs = tf.input({ shape: [3] });
  const outputs = layers.reduce((y, layer) => layer.apply(y) as typeof inputs, inputs);
  return tf.model({ inputs, outputs });
}
