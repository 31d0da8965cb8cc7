/** What `npm run distill` can be told. */
import { integer, oneOf, positiveNumber, text } from '../../scripts/lib/arguments.mjs';
import { backends } from '../../scripts/lib/backends.mjs';

export const distill = {
  command: 'npm run distill --',
  about: `Trains a Llama to predict the next token of prose, then a smaller one on the same batches twice, by the tokens alone
and by what the larger one makes of them, and prints the losses of the three on held-out text.`,
  options: {
    pretraining: { takes: integer({ min: 1 }), default: 240, description: 'steps of the teacher' },
    steps: { takes: integer({ min: 1 }), default: 48, description: 'steps of the student, either time' },
    temperature: {
      takes: positiveNumber,
      default: 1,
      description: 'what logits are divided by to compare the student with the teacher',
    },
    backend: { takes: oneOf(['auto', ...backends]), default: 'auto', description: 'what computes' },
    out: { takes: text('folder'), default: 'out/distill', description: 'where losses.svg goes' },
  },
};
