import { expect } from 'chai';
import { patch } from '../../src/index.js';
import { tf } from '../support/backend.js';
import { type Ending, expectSameOutcome, type LossName, languageModel, type Outcome, outcomeOf } from './models.js';
import { withAndWithout, withoutPatch } from './patched.js';

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
});
