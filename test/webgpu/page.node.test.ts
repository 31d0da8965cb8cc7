import path from 'node:path';
import { expect } from 'chai';
import { build } from 'esbuild';
import { root } from '../../scripts/lib/process.mjs';
import { textsOfPage } from '../support/chromium.js';

describe('a page that trains', () => {
  it('goes on beside a frame that is taken away, with another backend, behind another tab, and after it was left in a step', async function () {
    const { outputFiles } = await build({
      entryPoints: [path.join(root, 'test/webgpu/page.ts')],
      bundle: true,
      write: false,
      format: 'iife',
      platform: 'browser',
      logLevel: 'warning',
    });
    const pages = ['/', '/frame/', '/leave/', '/other/'];
    const site = (address: string) =>
      pages.includes(address)
        ? '<!doctype html><meta charset="utf-8" /><body><script src="/main.js"></script></body>'
        : outputFiles.find(() => address === '/main.js')?.text;
    const texts = await textsOfPage(this, site, { count: 4 });
    expect(texts).to.deep.equal(['losses true', 'backends 2,3 true', 'behind a tab true', 'again true']);
  });
});
