/** What `npm run dpo` can be told. */
import { integer, oneOf, positiveNumber, text } from '../../scripts/lib/arguments.mjs';
import { backends } from '../../scripts/lib/backends.mjs';

export const dpo = {
  command: 'npm run dpo --',
  about: `Trains a small Llama to predict the next token of prose, then by direct preference optimization to prefer how a text
goes on to the same tokens shuffled, and prints rewards of pairs from held-out text.`,
  options: {
    pretraining: { takes: integer({ min: 1 }), default: 100, description: 'steps of next-token prediction' },
    steps: { takes: integer({ min: 1 }), default: 60, description: 'steps of preference optimization' },
    pairs: { takes: integer({ min: 1 }), default: 8, description: 'pairs of a batch' },
    'held-out': { takes: integer({ min: 1 }), default: 64, description: 'pairs to measure rewards on' },
    beta: {
      takes: positiveNumber,
      default: 0.1,
      description: 'how strongly the model is held to the pretrained one',
    },
    backend: { takes: oneOf(['auto', ...backends]), default: 'auto', description: 'what computes' },
    out: { takes: text('folder'), default: 'out/dpo', description: 'where rewards.svg goes' },
  },
};
