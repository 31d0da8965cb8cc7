/** Losses differentiate where nothing but tfjs-core and a backend is loaded. */
import { expect } from 'chai';
import { execute } from '../package/consumer.js';
import { expectClose } from '../support/golden.js';
import { everyLoss } from './every_loss.js';

/** Every loss in a process that has tfjs-core and nothing else, after `preparation`. */
async function everyLossAlone(preparation = ''): Promise<Record<string, number[]>> {
  const script = `
      import { getGradient, setBackend } from '@tensorflow/tfjs-core';
      import '@tensorflow/tfjs-backend-cpu';
      if (getGradient('Multiply')) throw new Error('someone has registered gradients');
      const { everyLoss } = await import('./test/engine/every_loss.ts');
      await setBackend('cpu');
      ${preparation}
      console.log(JSON.stringify(await everyLoss()));`;
  const output = await execute(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script]);
  return JSON.parse(output);
}

describe('losses with tfjs-core alone', () => {
  it('have the gradients that they have with @tensorflow/tfjs', async () => {
    const alone = await everyLossAlone();
    const expected = await everyLoss();
    expect(Object.keys(alone)).to.deep.equal(Object.keys(expected));
    for (const [name, numbers] of Object.entries(expected)) {
      expect(numbers.every(Number.isFinite), `${name} is finite`).to.equal(true);
      await expectClose(alone[name]!, numbers, 1e-6, name);
    }
  });

  it('have the same gradients where no more is saved than they read', async () => {
    const saving = `
      const { replaceEverywhere } = await import('./src/engine/stock_kernels.ts');
      replaceEverywhere('gradients', true);
      const { add, engine, grad, ones } = await import('@tensorflow/tfjs-core');
      grad((x) => {
        const [saved] = engine().getTensorsForGradient('Add', { a: x, b: x }, []);
        if (saved === x) throw new Error('all is saved');
        return add(x, x);
      })(ones([2]));`;
    const alone = await everyLossAlone(saving);
    const expected = await everyLossAlone();
    for (const [name, numbers] of Object.entries(expected)) await expectClose(alone[name]!, numbers, 1e-6, name);
  });
});
