/**
 * A character model that trains in a page. To see it:
 *   npx esbuild examples/browser/main.ts --bundle --format=esm --servedir=examples/browser --outdir=examples/browser
 */
import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type CharacterModel, CONTEXT, makeModel } from './model.js';

const STEPS = 100;
const BATCH = 64;

const element = <E extends HTMLElement>(id: string) => document.getElementById(id) as E;
const say = (text: string) => {
  element('state').textContent = text;
};

async function chooseBackend(): Promise<void> {
  try {
    await liger.registerWebGPUBackend();
  } catch {
    await tf.ready(); // tfjs's next best
  }
}

/** Some places of the text: the characters before each, and the one that comes next. */
function sampleBatch(text: Int32Array) {
  const contexts = new Int32Array(BATCH * CONTEXT);
  const next = new Int32Array(BATCH);
  for (let i = 0; i < BATCH; i++) {
    const at = CONTEXT + Math.floor(Math.random() * (text.length - CONTEXT));
    contexts.set(text.subarray(at - CONTEXT, at), i * CONTEXT);
    next[i] = text[at]!;
  }
  return { contexts: tf.tensor2d(contexts, [BATCH, CONTEXT], 'int32'), next: tf.tensor1d(next, 'int32') };
}

async function train(model: CharacterModel, text: Int32Array): Promise<void> {
  const optimizer = liger.train.adamW({ learningRate: 3e-3, weightDecay: 0.01, clipNorm: 1 });
  for (let step = 1; step <= STEPS; step++) {
    const { contexts, next } = sampleBatch(text);
    const loss = optimizer.minimize(() => model.loss(contexts, next), step % 10 === 0, model.variables);
    // Reading a value back waits for the device, so it is done now and then.
    if (loss) say(`${tf.getBackend()}, step ${step} of ${STEPS}, loss ${(await loss.data())[0]!.toFixed(3)}`);
    loss?.dispose();
    tf.dispose([contexts, next]);
  }
  optimizer.dispose();
}

/** Goes on from the beginning of the text, character by character. */
async function write(model: CharacterModel, text: Int32Array, length: number): Promise<number[]> {
  const written = [...text.subarray(0, CONTEXT)];
  for (let i = 0; i < length; i++) {
    const probabilities = tf.tidy(() => {
      const context = tf.tensor2d(written.slice(-CONTEXT), [1, CONTEXT], 'int32');
      return liger.softmax(tf.div(model.logits(context), 0.5));
    });
    written.push(draw(await probabilities.data()));
    probabilities.dispose();
  }
  return written;
}

function draw(probabilities: ArrayLike<number>): number {
  let rest = Math.random();
  for (let i = 0; i < probabilities.length; i++) {
    rest -= probabilities[i]!;
    if (rest < 0) return i;
  }
  return probabilities.length - 1;
}

async function trainAndWrite(): Promise<void> {
  const characters = [...element<HTMLTextAreaElement>('text').value];
  if (characters.length <= CONTEXT) return say(`Give it more than ${CONTEXT} characters.`);
  const alphabet = [...new Set(characters)];
  const text = Int32Array.from(characters, (character) => alphabet.indexOf(character));
  const model = makeModel(alphabet.length);
  await train(model, text);
  const written = await write(model, text, 200);
  element('written').textContent = written.map((index) => alphabet[index]).join('');
  tf.dispose(model.variables);
}

await chooseBackend();
say(`Ready, on ${tf.getBackend()}.`);
const button = element<HTMLButtonElement>('train');
button.addEventListener('click', async () => {
  button.disabled = true;
  try {
    await trainAndWrite();
  } catch (error) {
    say(String(error));
  }
  button.disabled = false;
});
