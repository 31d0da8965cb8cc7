import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { dpo } from '../../examples/dpo/options.mjs';
import { run } from '../../scripts/lib/process.mjs';

const train = (...args: string[]) =>
  run(process.execPath, ['--import', 'tsx', 'examples/dpo/train.ts', ...args], { timeoutMs: 55_000 });

describe('npm run dpo', () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'dpo-'));
  });

  after(() => rm(folder, { recursive: true }));

  it('raises the margin and the accuracy on held-out pairs, and draws them', async () => {
    const out = `--out=${path.join(folder, 'new')}`;
    const { code, output } = await train('--pretraining=12', '--steps=16', '--held-out=32', out);
    expect(code, output).to.equal(0);
    const rows = [...output.matchAll(/│ +(\d+) │ +(-?[\d.]+) │ +(-?[\d.]+) │ +(-?[\d.]+) │ +(\d+) % │/g)];
    const [before, after] = [rows.at(0)!, rows.at(-1)!].map((row) => row.slice(1).map(Number));
    expect(before, output).to.deep.equal([0, 0, 0, 0, 50]); // the model is its own reference
    const [step, chosen, rejected, margin, accuracy] = after!;
    expect(step).to.equal(16);
    expect(margin, output)
      .to.be.above(0)
      .and.closeTo(chosen! - rejected!, 0.011);
    expect(accuracy, output).to.be.above(50);
    const svg = await readFile(path.join(folder, 'new', 'rewards.svg'), 'utf8');
    for (const name of ['margin', 'accuracy']) expect(svg).to.include(`>${name}</text>`);
  });

  it('lists its options', async () => {
    const { code, output } = await train('--help');
    expect(code, output).to.equal(0);
    for (const option of Object.keys(dpo.options)) expect(output).to.include(`  --${option}=`);
  });

  it('refuses a wrong option', async () => {
    const { code, output } = await train('--beta=0');
    expect(code).to.equal(1);
    expect(output.trim()).to.equal("--beta takes a number above 0, not '0'.");
  });
});
