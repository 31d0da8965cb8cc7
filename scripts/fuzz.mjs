/**
 * Runs random programs of tensors, variables and captured steps on WebGPU and on the CPU, and compares what they compute:
 * npm run fuzz -- [--programs=10000] [--seed=1]
 */
import { ArgumentError, integer, readArguments } from './lib/arguments.mjs';
import { runSpec } from './lib/spec.mjs';

const program = {
  command: 'npm run fuzz --',
  about:
    'Runs random programs on WebGPU and on the CPU, and compares what they compute. One that differs is made shorter, and printed.',
  options: {
    programs: { takes: integer({ min: 1 }), default: 1000, description: 'how many' },
    seed: { takes: integer({ min: 0 }), default: 1, description: 'which: the same seed gives the same programs' },
  },
};

try {
  const { programs, seed } = readArguments(program);
  const env = { LIGER_FUZZ_PROGRAMS: String(programs), LIGER_FUZZ_SEED: String(seed) };
  process.exitCode = await runSpec('random programs', env);
} catch (error) {
  console.error(error instanceof ArgumentError ? error.message : error);
  process.exitCode = 1;
}
