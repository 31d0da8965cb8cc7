/** Repeats the recorded training of a model of Hugging Face's, see test/golden/README.md. */
import type { LanguageModel } from '../../examples/support/language_model.js';
import { setParameters } from '../../examples/support/parameters.js';
import { train } from '../../src/index.js';
import { backendName, tf } from './backend.js';
import { expectClose, expectNoLeak, type GoldenFile, type GoldenTensor, loadSafetensors } from './golden.js';

/** What the recording, in float32 itself, is repeated to. */
const TOLERANCE = 1e-4;
/** Adam divides gradients by their own size, so that rounding moves parameters whose gradients are all but 0. */
const FINAL_TOLERANCE = 1e-3;

/** A GPU in software does not get to the end: it repeats the first steps. */
const SECONDS = 6;
const LEAST_STEPS = 4;

/** The tensors under a prefix, by the rest of their names. */
function under({ tensors }: GoldenFile, prefix: string): Record<string, GoldenTensor> {
  const found = Object.entries(tensors).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(found.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}

/** The batch of a step. */
function batch(file: GoldenFile, name: 'inputIds' | 'labels', step: number): tf.Tensor2D {
  const { shape, data } = file.tensors[name]!;
  const [, rows, length] = shape as [number, number, number];
  const size = rows * length;
  return tf.tensor2d(data.slice(step * size, (step + 1) * size), [rows, length], 'int32');
}

type Create<Config> = (config: Config, seed: number) => LanguageModel;

/**
 * Defines the tests of one model.
 *
 * @param name The recording, of test/golden/training.
 * @param create The model of this library's ops.
 * @param createStock The same from stock ops, against which the examples measure it: it must be the same model.
 */
export function describeTraining<Config>(name: string, create: Create<Config>, createStock: Create<Config>): void {
  describe(`training ${name}`, () => {
    let file: GoldenFile;

    before(async () => {
      file = await loadSafetensors(`training/${name}`);
    });

    const withModel = (createModel: Create<Config>, body: (model: LanguageModel) => Promise<void>) =>
      expectNoLeak(async () => {
        const model = createModel(file.metadata.config as Config, 1);
        setParameters(model.variables, under(file, 'init/'));
        await body(model);
        model.dispose();
      });

    const checkFirstStep = async (model: LanguageModel) => {
      const [inputIds, labels] = [batch(file, 'inputIds', 0), batch(file, 'labels', 0)];
      const logits = model.logits(inputIds);
      await expectClose(logits, file.tensors.logits0!, 1e-5, 'logits');
      const { value, grads } = tf.variableGrads(() => model.loss(inputIds, labels));
      await expectClose(value, file.tensors.losses!.data.slice(0, 1), 1e-5, 'loss');
      for (const [parameter, expected] of Object.entries(under(file, 'grad0/'))) {
        const gradient = grads[model.variables[parameter]!.name]!;
        await expectClose(gradient, expected, TOLERANCE, `gradient of ${parameter}`);
      }
      tf.dispose([inputIds, labels, logits, value, grads]);
    };

    it('computes the same logits, loss and gradients', () => withModel(create, checkFirstStep));

    // It is about the model, and stock ops take minutes on a GPU in software.
    if (backendName !== 'webgpu' && backendName !== 'webgl') {
      it('computes them from stock ops', () => withModel(createStock, checkFirstStep));
    }

    it('repeats the steps', () =>
      withModel(create, async (model) => {
        const { name: _, weightDecayOnAll: __, ...config } = file.metadata.optimizer;
        const optimizer = train.adamW(config);
        const [losses, gradNorms] = [file.tensors.losses!.data, file.tensors.gradNorms!.data];
        const end = performance.now() + 1000 * SECONDS;
        let step = 0;
        for (; step < losses.length && (step < LEAST_STEPS || performance.now() < end); step++) {
          const [inputIds, labels] = [batch(file, 'inputIds', step), batch(file, 'labels', step)];
          const loss = optimizer.minimize(() => model.loss(inputIds, labels), true)!;
          await expectClose(loss, losses.slice(step, step + 1), TOLERANCE, `loss of step ${step}`);
          const norm = optimizer.gradientNorm!;
          await expectClose(norm, gradNorms.slice(step, step + 1), TOLERANCE, `norm of the gradients of step ${step}`);
          tf.dispose([inputIds, labels, loss]);
        }
        if (step < losses.length) console.log(`    ${step} of ${losses.length} steps fitted into ${SECONDS} seconds`);
        const final = step === losses.length ? under(file, 'final/') : {};
        for (const [parameter, expected] of Object.entries(final)) {
          await expectClose(model.variables[parameter]!, expected, FINAL_TOLERANCE, `${parameter} at the end`);
        }
        optimizer.dispose();
      }));
  });
}
