import * as tf from '@tensorflow/tfjs';
import type { BenchCase, Subject } from './bench_case.js';
import { relativeError } from './compare.js';
import type { BenchDevice } from './device.js';
import { type Limits, limitMs } from './limits.js';
import { type Budget, type Measurement, measure } from './measure.js';
import { type CaseResult, describeOurs, inMilliseconds, peakMegabytes } from './report.js';

export interface RunOptions {
  budget: Budget;
  stock: boolean;
  /** Stock variants that would take more bytes are left out. */
  maxBytes: number;
}

/** Relative errors above this are no rounding: a wrong kernel is often a fast one. */
const TOLERANCE = 1e-4;

const firstLine = (error: unknown) => String((error as Error).message ?? error).split('\n')[0]!;

/** Measures one case; every line is printed as soon as there is something to say. */
export async function runCase(
  benchCase: BenchCase,
  device: BenchDevice,
  limits: Limits,
  { budget, stock, maxBytes }: RunOptions,
): Promise<CaseResult> {
  const { op, shape, timed, target, bytes, operations, totalMemory } = benchCase;
  const result: CaseResult = {
    ...{ op, shape, timed, target, bytes, operations, failed: false, notes: [] },
    memory: totalMemory ? 'total' : 'above inputs',
    limitMs: bytes || operations ? limitMs(benchCase, limits) : undefined,
  };
  console.log(`${op} ${shape}, ${timed}`);

  // Kept until stock's are there to compare with.
  let outputs: tf.Tensor[] = [];
  result.ours = await measureSubject('ours', benchCase.ours, async (given) => {
    outputs = given;
  });
  if (result.ours) {
    const { ms, deviceMs = ms } = result.ours;
    result.ofLimit = result.limitMs === undefined ? undefined : result.limitMs / deviceMs;
    console.log(`  ours   ${describeOurs(result)}`);
  }
  if (benchCase.stock && stock) {
    if ((benchCase.stockBytes ?? 0) > maxBytes) {
      note(`stock left out: it would need about ${(benchCase.stockBytes! / 1e9).toFixed(1)} GB`);
    } else {
      result.stock = await measureSubject('stock', benchCase.stock, async (given) => {
        if (result.ours) result.relativeError = await relativeError(outputs, given);
        tf.dispose([given, outputs]);
      });
    }
  }
  tf.dispose(outputs.filter((tensor) => !tensor.isDisposed));
  if (result.ours && result.stock) result.speedUp = result.stock.ms / result.ours.ms;
  if (result.stock) console.log(`  stock  ${describeStock(result)}`);
  if (result.relativeError !== undefined && !(result.relativeError <= TOLERANCE))
    fail('ours and stock differ: one of them is wrong');
  return result;

  function fail(text: string): void {
    result.failed = true;
    note(text);
  }

  function note(text: string): void {
    result.notes.push(text);
    console.log(`  ${text}`);
  }

  async function measureSubject(
    which: 'ours' | 'stock',
    make: () => Subject,
    check: (outputs: tf.Tensor[]) => Promise<void>,
  ): Promise<Measurement | undefined> {
    const complain = which === 'ours' ? fail : note;
    device.useReplacements(which === 'ours');
    let subject: Subject | undefined;
    try {
      subject = make();
      // A whole model's step would not fit in memory without a submission, and its wall time is the one that counts.
      const onDevice = which === 'ours' && !totalMemory && result.limitMs !== undefined;
      return await measure(device, subject, budget, check, onDevice);
    } catch (error) {
      complain(`${which} failed: ${firstLine(error)}`);
    } finally {
      subject?.dispose();
      device.useReplacements(true);
      await device.wait([]).catch((error) => complain(`${which} failed: ${firstLine(error)}`));
      device.memory?.resetPeak();
      for (const error of new Set(device.takeErrors())) complain(`${which}: WebGPU says: ${error}`);
    }
  }
}

function describeStock(result: CaseResult): string {
  const { stock, speedUp, relativeError: error } = result;
  const memory = peakMegabytes(result, stock);
  return [
    `${inMilliseconds(stock?.ms)} ms`,
    speedUp !== undefined && `ours is ${inMilliseconds(speedUp)} times as fast`,
    `${inMilliseconds(stock?.jsMicroseconds)} µs of JavaScript`,
    memory !== undefined && `${inMilliseconds(memory)} MB ${result.memory}`,
    error !== undefined && `relative error ${error.toExponential(1)}`,
  ]
    .filter(Boolean)
    .join(', ');
}
