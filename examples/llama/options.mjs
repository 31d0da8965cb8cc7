/** What `npm run demo` can be told. Plain JavaScript, as scripts/demo.mjs reads it before a package is installed. */
import { readFileSync } from 'node:fs';
import { integer, oneOf, readableFile, text } from '../../scripts/lib/arguments.mjs';
import { backends } from '../../scripts/lib/backends.mjs';

const presets = JSON.parse(readFileSync(new URL('presets.json', import.meta.url), 'utf8'));
const forEachSize = (describe) =>
  Object.entries(presets)
    .map(([size, preset]) => describe(size, preset))
    .join(', ');

export const demo = {
  command: 'npm run demo --',
  about: `Trains a small Llama on prose and saves it, then compares a step with the same model from stock tfjs ops.
Ctrl-C ends the training early, and saves what there is.`,
  options: {
    steps: {
      takes: integer({ min: 1 }),
      description: `training steps (default: ${forEachSize((size, { steps }) => `${size} ${steps}`)})`,
    },
    backend: {
      takes: oneOf(['auto', ...backends]),
      default: 'auto',
      description: `what computes: ${backends.join(', ')}, or auto,
which is webgpu on a GPU, or else the fastest on the CPU`,
    },
    size: {
      takes: oneOf(Object.keys(presets)),
      description: `of the model: ${forEachSize((size, { purpose }) => `${size} (${purpose})`)}
(default: tiny on the backend cpu, medium where auto finds a GPU, small otherwise)`,
    },
    text: { takes: readableFile, description: 'what to train on (default: Moby-Dick)' },
    seed: {
      takes: integer({ min: 0 }),
      default: 1,
      description: 'of the initial parameters, the batches and the text at the end',
    },
    out: {
      takes: text('folder'),
      default: 'out/llama',
      description: 'where model.safetensors, config.json and loss.svg go',
    },
    'no-compare': { description: 'leave out the comparison with stock tfjs ops' },
  },
};
