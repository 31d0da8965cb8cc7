/** examples/browser in a headless Chromium. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { build } from 'esbuild';
import { root } from '../../scripts/lib/process.mjs';
import { textsOfPage } from '../support/chromium.js';

const example = path.join(root, 'examples/browser');

/** Clicks, waits for what is written, and sends what the page says. */
const CLICK_AND_REPORT = `
import './main.ts';
const { train, state, written } = Object.fromEntries(
  ['train', 'state', 'written'].map((id) => [id, document.getElementById(id)]),
);
new MutationObserver(() => {
  if (train.disabled) return;
  const report = { state: state.textContent, written: written.textContent };
  fetch('/', { method: 'POST', body: JSON.stringify(report) });
}).observe(train, { attributeFilter: ['disabled'] });
train.click();
`;

async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: CLICK_AND_REPORT, resolveDir: example },
    bundle: true,
    write: false,
    format: 'esm',
    plugins: [
      {
        name: 'page',
        setup({ onResolve }) {
          // package.json's sideEffects speaks of the library.
          onResolve({ filter: /^\.\/main\.ts$/ }, () => ({ path: path.join(example, 'main.ts'), sideEffects: true }));
        },
      },
    ],
  });
  return outputFiles[0]!.text;
}

describe('examples/browser', function () {
  this.timeout(240_000);

  it('learns its text on WebGPU, and writes', async function () {
    const files = { '/': await readFile(path.join(example, 'index.html'), 'utf8'), '/main.js': await bundle() };
    const site = (address: string) => files[address as keyof typeof files];
    const [report] = await textsOfPage(this, site, { timeoutMs: 220_000 });
    const { state, written } = JSON.parse(report!);
    expect(state).to.match(/^webgpu, step 100 of 100, loss \d\.\d+$/);
    expect(Number(state.split(' ').at(-1))).to.be.below(0.5);
    expect(written).to.match(/^Call me Ishmael\. /);
    expect(written).to.have.length.above(200);
  });
});
