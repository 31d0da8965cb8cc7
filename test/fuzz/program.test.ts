import fc from 'fast-check';
import type { LigerWebGPUBackend } from '../../src/backend/webgpu_backend.js';
import { submit, target, tf } from '../support/backend.js';
import { relativeError } from '../support/golden.js';
import { type Outcome, type Program, program, runProgram } from './program.js';

// There is none in a browser.
const env = (globalThis as { process?: NodeJS.Process }).process?.env ?? {};
const programs = Number(env.LIGER_FUZZ_PROGRAMS ?? 400);
const seed = Number(env.LIGER_FUZZ_SEED ?? 1);

const TOLERANCE = 1e-4;

class Difference extends Error {
  constructor(
    message: string,
    readonly lines: string[],
  ) {
    super(message);
  }
}

/** Tensors, their data, and bytes of the pool. */
function held(): string {
  submit();
  const { pool } = tf.backend() as unknown as LigerWebGPUBackend;
  const dataIds = (tf.backend() as tf.KernelBackend).numDataIds();
  return `${tf.memory().numTensors} tensors, ${dataIds} data, ${pool.numBytesUsed} bytes in ${pool.numUsedBuffers} buffers`;
}

async function runOn(backend: string, instructions: Program): Promise<Outcome> {
  await tf.setBackend(backend);
  try {
    return await runProgram(instructions);
  } finally {
    await tf.setBackend('webgpu');
  }
}

async function check(instructions: Program): Promise<void> {
  tf.engine().startScope();
  try {
    const before = held();
    const actual = await runOn('webgpu', instructions);
    const after = held();
    if (after !== before) throw new Difference(`left behind: ${after}, after ${before}`, actual.lines);
    const expected = await runOn('cpu', instructions);
    for (const [i, { what, data }] of actual.values.entries()) {
      const reference = expected.values[i]!.data;
      const error = relativeError(data, reference);
      const largest = Math.max(0, ...[...data].map((value, j) => Math.abs(value - reference[j]!)));
      if (!(error <= TOLERANCE || largest < 1e-5)) {
        throw new Difference(`${what}: [${[...data]}] on WebGPU, [${[...reference]}] on the CPU`, actual.lines);
      }
    }
  } finally {
    tf.engine().endScope();
  }
}

if (target === 'webgpu') {
  describe('random programs', () => {
    it('compute the same as on the CPU, and leave nothing behind', async function () {
      this.timeout(env.LIGER_FUZZ_PROGRAMS ? 0 : 120_000);
      const property = fc.asyncProperty(program, check);
      const result = await fc.check(property, { numRuns: programs, seed, interruptAfterTimeLimit: undefined });
      if (!result.failed) return;
      const error = result.errorInstance as Error & { lines?: string[] };
      const lines = (error.lines ?? [JSON.stringify(result.counterexample)]).map((line, i) => `${i + 1}: ${line}`);
      const again = `--seed=${result.seed}, path ${result.counterexamplePath}`;
      throw new Error(`${error.stack}\n${lines.join('\n')}\n(${again}, after ${result.numRuns} programs)`);
    });
  });
}
