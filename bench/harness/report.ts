import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import Table from 'cli-table3';
import type { BenchCase } from './bench_case.js';
import type { Limits } from './limits.js';
import type { Measurement } from './measure.js';

export interface CaseResult extends Pick<BenchCase, 'op' | 'shape' | 'timed' | 'target' | 'bytes' | 'operations'> {
  limitMs?: number;
  /** What peak memory is counted from: the inputs, or nothing. */
  memory: 'above inputs' | 'total';
  ours?: Measurement;
  stock?: Measurement;
  speedUp?: number;
  /** How close ours comes to the limit, by the device's own time where there is one: 1 is at it. */
  ofLimit?: number;
  /** ‖ours − stock‖ / ‖stock‖, the largest of the results. */
  relativeError?: number;
  /** Whether ours threw, upset WebGPU, or differs from stock by more than rounding. */
  failed: boolean;
  /** What went wrong or was left out. */
  notes: string[];
}

export interface BenchReport {
  date: string;
  device: string;
  backend: string;
  node: string;
  quick: boolean;
  limits?: Limits;
  cases: CaseResult[];
}

/** Writes the report as it is so far. */
export function writeReport(file: string, report: BenchReport): void {
  mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
  const part = `${file}.part`;
  writeFileSync(part, `${JSON.stringify(report, null, 2)}\n`);
  renameSync(part, file);
}

const digits = (value: number | undefined, count = 3) =>
  value === undefined ? '' : value >= 10 ** count ? value.toFixed(0) : value.toPrecision(count);

export const inMilliseconds = (value: number | undefined) => digits(value);

/** Megabytes at the peak, as the case counts them. */
export function peakMegabytes({ memory }: CaseResult, measurement: Measurement | undefined): number | undefined {
  if (measurement?.peakBytes === undefined) return undefined;
  const from = memory === 'total' ? 0 : (measurement.inputBytes ?? 0);
  return (measurement.peakBytes - from) / 1e6;
}

/** Ours, or what there is of it, on one line. */
export function describeOurs(result: CaseResult): string {
  const { ours, ofLimit, limitMs } = result;
  if (!ours) return '';
  const memory = peakMegabytes(result, ours);
  return [
    `${digits(ours.ms)} ms`,
    ours.deviceMs !== undefined && `${digits(ours.deviceMs)} on the device`,
    ofLimit !== undefined && `${(100 * ofLimit).toFixed(0)} % of the limit ${digits(limitMs)}`,
    result.target !== undefined && `to reach ${digits(result.target)}`,
    `${digits(ours.jsMicroseconds)} µs of JavaScript`,
    memory !== undefined && `${digits(memory)} MB ${result.memory}`,
  ]
    .filter(Boolean)
    .join(', ');
}

export function formatTable(cases: CaseResult[]): string {
  const table = new Table({
    head: [
      'op',
      'shape',
      'timed',
      'stock ms',
      'ours ms',
      'speed-up',
      'device ms',
      'limit ms',
      '% of limit',
      'to reach',
      'JS µs',
      'peak MB',
      'stock MB',
      'error',
    ],
    colAligns: ['left', 'left', 'left', ...Array<'right'>(11).fill('right')],
    style: { head: [], border: [], compact: true },
  });
  for (const result of cases) {
    const { ours, stock } = result;
    table.push([
      result.op,
      result.shape,
      result.timed,
      digits(stock?.ms),
      digits(ours?.ms),
      result.speedUp === undefined ? '' : `${digits(result.speedUp)}×`,
      digits(ours?.deviceMs),
      digits(result.limitMs),
      result.ofLimit === undefined ? '' : (100 * result.ofLimit).toFixed(0),
      digits(result.target),
      digits(ours?.jsMicroseconds),
      digits(peakMegabytes(result, ours)),
      digits(peakMegabytes(result, stock)),
      result.relativeError === undefined ? '' : result.relativeError.toExponential(1),
    ]);
  }
  return table.toString();
}
