/** What bench/run.ts can be told. Plain JavaScript, as scripts/bench.mjs reads it before a package is installed. */
import { oneOf, positiveNumber, text } from '../scripts/lib/arguments.mjs';
import { backends } from '../scripts/lib/backends.mjs';

/**
 * Beside those of the examples: tfjs's own WebGPU backend, for code that does not know of this library; and ours on a device that
 * does nothing, which leaves what JavaScript and Dawn take.
 */
const benchBackends = [...backends, 'webgpu-stock', 'webgpu-null'];

export const bench = {
  command: 'npm run bench --',
  about: 'Measures every op against the same from stock tfjs ops, and against what the device can do.',
  options: {
    only: { takes: text('names'), description: 'the ops to measure, with commas between them (default: all)' },
    backend: {
      takes: oneOf(benchBackends),
      default: 'webgpu',
      description: `what computes: ${benchBackends.join(', ')}`,
    },
    quick: { description: 'small shapes, for a software GPU' },
    stock: {
      takes: { ...oneOf(['true', 'false']), placeholder: 'boolean' },
      default: 'true',
      description: 'whether to measure the stock variants, too',
    },
    json: { takes: text('file'), default: 'out/bench.json', description: 'where the results go' },
    seconds: {
      takes: positiveNumber,
      description: 'how long to measure each variant (default: 1.5, with --quick 0.2)',
    },
    'max-memory': {
      takes: positiveNumber,
      default: 40,
      description: 'gigabytes; stock variants that need more are left out',
    },
  },
};
