/**
 * Trains a small model for many steps of ever-changing lengths, as it is and captured, and looks whether memory grows:
 * npm run soak -- [--steps=2000]
 */
import { ArgumentError, integer, readArguments } from './lib/arguments.mjs';
import { runSpec } from './lib/spec.mjs';

const program = {
  command: 'npm run soak --',
  about: 'Trains a small model on WebGPU for many steps of ever-changing lengths, and looks whether memory grows.',
  options: {
    steps: { takes: integer({ min: 100 }), default: 2000, description: 'how many, each way' },
  },
};

try {
  const { steps } = readArguments(program);
  process.exitCode = await runSpec('a long training', { LIGER_SOAK_STEPS: String(steps) });
} catch (error) {
  console.error(error instanceof ArgumentError ? error.message : error);
  process.exitCode = 1;
}
