/** Losses differentiate where nothing but tfjs-core and a backend is loaded. */
import { expect } from 'chai';
import { execute } from '../package/consumer.js';
import { expectClose } from '../support/golden.js';
import { everyLoss } from './every_loss.js';

describe('losses with tfjs-core alone', () => {
  it('have the gradients that they have with @tensorflow/tfjs', async () => {
    const script = `
      import { getGradient, setBackend } from '@tensorflow/tfjs-core';
      import '@tensorflow/tfjs-backend-cpu';
      if (getGradient('Multiply')) throw new Error('someone has registered gradients');
      const { everyLoss } = await import('./test/engine/every_loss.ts');
      await setBackend('cpu');
      console.log(JSON.stringify(await everyLoss()));`;
    const output = await execute(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script]);
    const alone = JSON.parse(output) as Record<string, number[]>;
    const expected = await everyLoss();
    expect(Object.keys(alone)).to.deep.equal(Object.keys(expected));
    for (const [name, numbers] of Object.entries(expected)) {
      expect(numbers.every(Number.isFinite), `${name} is finite`).to.equal(true);
      await expectClose(alone[name]!, numbers, 1e-6, name);
    }
  });
});
