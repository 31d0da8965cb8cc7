/** What `npm run packing` can be told. */
import { integer, oneOf } from '../../scripts/lib/arguments.mjs';
import { backends } from '../../scripts/lib/backends.mjs';

export const packing = {
  command: 'npm run packing --',
  about: `Trains a small GPT-2 on sentences of prose, once padded to the longest of a batch and once packed into rows, and
prints the losses, which are the same, and the tokens a second.`,
  options: {
    steps: { takes: integer({ min: 2 }), default: 10, description: 'training steps' },
    sentences: { takes: integer({ min: 1 }), default: 64, description: 'sentences of a batch' },
    backend: { takes: oneOf(['auto', ...backends]), default: 'auto', description: 'what computes' },
  },
};
