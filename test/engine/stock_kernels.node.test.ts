/** What takes the place of tfjs's kernels waits until they are there. */
import { expect } from 'chai';
import { execute } from '../package/consumer.js';

describe('a backend that is loaded after this library', () => {
  it('finds none of its kernels taken, and has them replaced by the next patch', async () => {
    const script = `
      const warnings = [];
      console.warn = (...words) => warnings.push(words.join(' '));
      const { getKernel } = await import('@tensorflow/tfjs-core');
      const { patch } = await import('./src/index.ts');
      patch();
      const early = getKernel('Einsum', 'cpu') !== undefined;
      await import('@tensorflow/tfjs-backend-cpu');
      const stock = getKernel('Einsum', 'cpu').kernelFunc;
      patch();
      console.log(JSON.stringify({ warnings, early, late: getKernel('Einsum', 'cpu').kernelFunc !== stock }));`;
    const output = await execute(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script]);
    expect(JSON.parse(output)).to.deep.equal({ warnings: [], early: false, late: true });
  });
});
