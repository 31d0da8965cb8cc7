import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import type { BenchReport } from '../../bench/harness/report.js';
import { run } from '../../scripts/lib/process.mjs';

describe('npm run bench', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'bench-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function node(...args: string[]): Promise<string> {
    const { code, output } = await run(process.execPath, args);
    expect(code, output).to.equal(0);
    return output;
  }

  /** The report of a run of the quick cases. */
  async function bench(program: string, ...args: string[]): Promise<{ output: string; report: BenchReport }> {
    const json = path.join(folder, 'bench.json');
    const quick = ['--quick', '--seconds=0.05', '--only=rmsNorm,configCheck', `--json=${json}`];
    const output = await node(program, ...quick, ...args);
    return { output, report: JSON.parse(await readFile(json, 'utf8')) };
  }

  it('measures ours and stock on WebGPU, with the limits and the errors', async () => {
    const { output, report } = await bench('scripts/bench.mjs');
    expect(output).to.match(/│ rmsNorm +│ 64×256 +│ forward +│/);
    expect(report.backend).to.equal('webgpu');
    expect(report.limits?.bytesPerSecond).to.be.above(0);
    expect(report.limits?.operationsPerSecond).to.be.above(0);
    const [forward, backward, check] = report.cases;
    expect(report.cases).to.have.length(3);
    for (const result of [forward!, backward!]) {
      expect(result.failed, result.notes.join()).to.equal(false);
      expect(result.relativeError).to.be.below(1e-5);
      expect(result.ours?.ms).to.be.above(0);
      expect(result.stock?.ms).to.be.above(0);
      expect(result.limitMs).to.be.above(0);
      expect(result.ours!.peakBytes).to.be.above(result.ours!.inputBytes!);
    }
    // y, and one reciprocal root for each row.
    expect(forward!.ours!.peakBytes! - forward!.ours!.inputBytes!).to.equal(4 * (64 * 256 + 64));
    expect(check!.op).to.equal('configCheck');
    expect(check!.stock).to.equal(undefined);
  });

  it('makes one file that measures', async () => {
    const file = path.join(folder, 'bench.mjs');
    await node('scripts/bench.mjs', '--bundle', file);
    const { report } = await bench(file, '--backend=cpu', '--stock=false');
    expect(report.cases.map(({ op, failed }) => [op, failed])).to.deep.equal([
      ['rmsNorm', false],
      ['rmsNorm', false],
      ['configCheck', false],
    ]);
    expect(report.cases.every(({ stock }) => stock === undefined)).to.equal(true);
  });

  it('names the cases where there is none of that name', async () => {
    const { code, output } = await run(process.execPath, ['--import', 'tsx', 'bench/run.ts', '--only=rmsnorm']);
    expect(code).to.equal(1);
    expect(output).to.match(/^--only takes ops out of .*rmsNorm.*, not 'rmsnorm'\.$/m);
  });
});
