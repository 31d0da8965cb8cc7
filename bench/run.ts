/**
 * Measures every op against the same from stock tfjs ops and against what the device can do:
 *   npm run bench -- [--only=rmsNorm,linear] [--backend=webgpu] [--quick] [--stock=false] [--json=FILE]
 * Results are printed, and written as JSON, as they come. bench/options.mjs has all options.
 */
import { ArgumentError, readArguments } from '../scripts/lib/arguments.mjs';
import * as allCases from './cases/all.js';
import { openBackend } from './harness/backends.js';
import { measureLimits } from './harness/limits.js';
import { type BenchReport, formatTable, writeReport } from './harness/report.js';
import { runCase } from './harness/run_cases.js';
import { type BenchOptions, bench } from './options.mjs';

const cases = new Map(Object.entries(allCases));

function chooseNames(only: string | undefined): string[] {
  const names = only?.split(',') ?? [...cases.keys()];
  const unknown = names.find((name) => !cases.has(name));
  if (unknown !== undefined) {
    throw new ArgumentError(`--only takes ops out of ${[...cases.keys()].join(', ')}, not '${unknown}'.`);
  }
  return names;
}

async function main(options: BenchOptions): Promise<void> {
  const { quick = false, json } = options;
  const names = chooseNames(options.only);
  const seconds = options.seconds ?? (quick ? 0.2 : 1.5);
  const budget = { seconds, batchMs: quick ? 20 : 200 };
  const stock = options.stock === 'true';
  const maxBytes = options['max-memory'] * 1e9;
  const device = await openBackend(options.backend);
  const report: BenchReport = {
    date: new Date().toISOString(),
    device: device.description,
    backend: options.backend,
    node: process.version,
    quick,
    cases: [],
  };
  console.log(`${report.device}, backend ${report.backend}, Node.js ${report.node}`);
  let limits = { bytesPerSecond: Infinity, operationsPerSecond: Infinity };
  if (options.backend !== 'webgpu-null') {
    limits = await measureLimits(device, budget, quick);
    report.limits = limits;
    console.log(
      `copies ${(limits.bytesPerSecond / 1e9).toFixed(0)} GB/s, ` +
        `multiplies ${(limits.operationsPerSecond / 1e12).toPrecision(3)} TFLOP/s\n`,
    );
  }
  writeReport(json, report);
  for (const name of names) {
    for (const benchCase of cases.get(name)!(quick)) {
      report.cases.push(await runCase(benchCase, device, limits, { budget, stock, maxBytes }));
      writeReport(json, report);
    }
  }
  console.log(`\n${formatTable(report.cases)}\nWritten to ${json}`);
  if (report.cases.some(({ failed }) => failed)) process.exitCode = 1;
}

try {
  await main(readArguments(bench));
} catch (error) {
  console.error(error instanceof ArgumentError ? error.message : error);
  process.exitCode = 1;
}
// Dawn and TensorFlow leave threads behind.
process.exit();
