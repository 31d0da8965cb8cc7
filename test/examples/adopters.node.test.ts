import { expect } from 'chai';
import { adopters } from '../../examples/adopters/options.mjs';
import { run } from '../../scripts/lib/process.mjs';

const train = (...args: string[]) =>
  run(process.execPath, ['--import', 'tsx', 'examples/adopters/train.ts', ...args], { timeoutMs: 55_000 });

/** The cells of the table's row of that title. */
function cellsOf(output: string, title: string): string[] {
  const row = output.split('\n').find((line) => line.startsWith(`│ ${title} `));
  return (row ?? '')
    .split('│')
    .slice(2, -1)
    .map((cell) => cell.trim());
}

describe('npm run adopters', () => {
  const variants = {
    minGpt: ['tfjs', 'liger.patch()', 'liger.applyTo(model)'],
    nanogpt: ['tfjs', 'liger.patch()'],
  };
  for (const [model, names] of Object.entries(variants)) {
    it(`trains ${model} to the same losses with one line more`, async () => {
      const { code, output } = await train(`--model=${model}`, '--backend=cpu', '--steps=50');
      expect(code, output).to.equal(0);
      expect(cellsOf(output, `${model}, tiny`), output).to.deep.equal(names);
      const numbersOf = (title: string) => cellsOf(output, title).map((cell) => Number(cell.replace(/ (ms|MB)$/, '')));
      const [begin, end] = ['loss of step 1', 'loss of step 50'].map(numbersOf);
      const [stock] = end!;
      expect(stock).to.be.below(begin![0]! - 0.2);
      const [, ...differences] = numbersOf('largest difference of losses');
      for (const [i, difference] of differences.entries()) {
        expect(difference, names[i + 1]).to.be.at.least(Math.abs(end![i + 1]! - stock!) - 1e-6);
        expect(difference, names[i + 1]).to.be.at.most(1e-4);
      }
      expect(numbersOf('median time of a step')).to.have.length(names.length);
      // In a model as small as this what is saved is little.
      const [stockBytes, ...bytes] = numbersOf('peak memory of a step');
      expect(bytes).to.have.length(names.length - 1);
      for (const each of bytes) expect(each).to.be.within(1e-6, 1.5 * stockBytes!);
    });
  }

  it('says where a model cannot run', async () => {
    const { code, output } = await train('--model=nanogpt', '--backend=tensorflow');
    expect(code).to.equal(1);
    expect(output.trim()).to.equal('nanogpt has no kernels for tensorflow, only for cpu and webgpu.');
  });

  it('lists its options', async () => {
    const { code, output } = await train('--help');
    expect(code, output).to.equal(0);
    for (const option of Object.keys(adopters.options)) expect(output).to.include(`  --${option}=`);
  });
});
