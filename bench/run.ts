/**
 * Measures every op against the same from stock tfjs ops and against what the device can do:
 *   npm run bench -- [--only=rmsNorm,linear] [--backend=webgpu] [--quick] [--stock=false] [--json=FILE]
 * Results are printed, and written as JSON, as they come.
 */
import { InvalidArgumentError, Option, program } from 'commander';
import { type Backend, backends } from '../examples/support/choose_backend.js';
import { allCases } from './cases/all_cases.js';
import { openBackend } from './harness/backends.js';
import { measureLimits } from './harness/limits.js';
import { type BenchReport, formatTable, writeReport } from './harness/report.js';
import { runCase } from './harness/run_cases.js';

interface Options {
  only?: string[];
  backend: Backend;
  quick?: boolean;
  stock: boolean;
  json: string;
  seconds?: number;
  maxMemory: number;
}

function parseNames(text: string): string[] {
  const names = text.split(',');
  const unknown = names.find((name) => !Object.hasOwn(allCases, name));
  if (unknown !== undefined) {
    throw new InvalidArgumentError(`There is no '${unknown}'; there are ${Object.keys(allCases).join(', ')}.`);
  }
  return names;
}

function parsePositive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('It has to be a number above 0.');
  return value;
}

function parseBoolean(text: string): boolean {
  if (text !== 'true' && text !== 'false') throw new InvalidArgumentError('It has to be true or false.');
  return text === 'true';
}

async function main(options: Options): Promise<void> {
  const { only = Object.keys(allCases), quick = false, stock, json, maxMemory } = options;
  const seconds = options.seconds ?? (quick ? 0.2 : 1.5);
  const budget = { seconds, batchMs: quick ? 20 : 200 };
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
  const limits = await measureLimits(device, budget, quick);
  report.limits = limits;
  console.log(
    `copies ${(limits.bytesPerSecond / 1e9).toFixed(0)} GB/s, ` +
      `multiplies ${(limits.operationsPerSecond / 1e12).toPrecision(3)} TFLOP/s\n`,
  );
  writeReport(json, report);
  for (const name of only) {
    for (const benchCase of allCases[name]!(quick)) {
      report.cases.push(await runCase(benchCase, device, limits, { budget, stock, maxBytes: maxMemory * 1e9 }));
      writeReport(json, report);
    }
  }
  console.log(`\n${formatTable(report.cases)}\nWritten to ${json}`);
  if (report.cases.some(({ failed }) => failed)) process.exitCode = 1;
}

program
  .name('bench')
  .option('--only <ops>', 'the ops to measure, with commas between them', parseNames)
  .addOption(new Option('--backend <name>', "tfjs's backend").choices(backends).default('webgpu'))
  .option('--quick', 'small shapes, for a software GPU')
  .option('--stock <boolean>', 'whether to measure the stock variants, too', parseBoolean, true)
  .option('--json <file>', 'where the results go', 'out/bench.json')
  .option('--seconds <number>', 'how long to measure each variant', parsePositive)
  .option('--max-memory <gigabytes>', 'leave out stock variants that need more', parsePositive, 40)
  .parse();

await main(program.opts<Options>());
// Dawn and TensorFlow leave threads behind.
process.exit();
