/** What `npm run adopters` can be told. */
import { integer, oneOf } from '../../scripts/lib/arguments.mjs';

const models = ['minGpt', 'nanogpt'];
// On wasm tfjs has no gradient of tf.gather.
const backends = ['cpu', 'tensorflow', 'webgpu'];
const presets = ['tiny', 'small'];

export const adopters = {
  command: 'npm run adopters --',
  about: `Trains a model that was written for TensorFlow.js alone on prose, from the same weights on the same batches: as it is, and
after liger.patch(). Prints losses, times and memory of both, and fails where the losses differ by more than 0.0001.`,
  options: {
    model: {
      takes: oneOf(models),
      default: 'minGpt',
      description: `what to train: minGpt, a GPT of tf.layers, or nanogpt,
that of the npm package @genai-fi/nanogpt, which has
no kernels for tensorflow`,
    },
    backend: { takes: oneOf(backends), default: 'cpu', description: `what computes: ${backends.join(', ')}` },
    steps: { takes: integer({ min: 2 }), default: 50, description: 'training steps' },
    preset: { takes: oneOf(presets), default: 'tiny', description: `how large the model is: ${presets.join(', ')}` },
  },
};
