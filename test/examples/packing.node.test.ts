import { expect } from 'chai';
import { run } from '../../scripts/lib/process.mjs';

describe('npm run packing', () => {
  it('trains to the same losses, padded and packed, on fuller rows', async () => {
    const args = ['--steps=2', '--sentences=6', '--backend=wasm'];
    const { code, output } = await run(process.execPath, ['--import', 'tsx', 'examples/packing/train.ts', ...args]);
    expect(code, output).to.equal(0);
    const losses = [...output.matchAll(/loss of step \d +│ +([\d.]+) │ +([\d.]+) │/g)];
    expect(losses).to.have.length(2);
    for (const [, padded, packed] of losses) expect(Number(packed)).to.be.closeTo(Number(padded), 2e-5);
    const [, padded, packed] = /tokens in rows +│ +(\d+) % │ +(\d+) % │/.exec(output)!;
    expect(Number(packed)).to.be.above(Number(padded));
  });
});
