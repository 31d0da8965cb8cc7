import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { distill } from '../../examples/distill/options.mjs';
import { run } from '../../scripts/lib/process.mjs';

const train = (...args: string[]) =>
  run(process.execPath, ['--import', 'tsx', 'examples/distill/train.ts', ...args], { timeoutMs: 55_000 });

describe('npm run distill', () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'distill-'));
  });

  after(() => rm(folder, { recursive: true }));

  it('teaches a student more than it learns alone, and draws the losses', async () => {
    const out = `--out=${path.join(folder, 'new')}`;
    const { code, output } = await train('--pretraining=16', '--steps=4', out);
    expect(code, output).to.equal(0);
    const rows = [...output.matchAll(/│ +(\d+) │ +([\d.]+) │ +([\d.]+) │ +([\d.]+) │/g)];
    const [before, after] = [rows.at(0)!, rows.at(-1)!].map((row) => row.slice(1).map(Number));
    expect(before![3], output).to.equal(before![2]); // the same student
    const [step, teacher, alone, distilled] = after!;
    expect(step).to.equal(4);
    expect(alone, output).to.be.below(before![2]!);
    expect(distilled, output).to.be.below(alone!).and.above(teacher!);
    const svg = await readFile(path.join(folder, 'new', 'losses.svg'), 'utf8');
    for (const name of ['teacher', 'student alone', 'distilled student']) expect(svg).to.include(`>${name}</text>`);
  });

  it('lists its options', async () => {
    const { code, output } = await train('--help');
    expect(code, output).to.equal(0);
    for (const option of Object.keys(distill.options)) expect(output).to.include(`  --${option}=`);
  });

  it('refuses a wrong option', async () => {
    const { code, output } = await train('--temperature=0');
    expect(code).to.equal(1);
    expect(output.trim()).to.equal("--temperature takes a number above 0, not '0'.");
  });
});
