/** examples/browser in a headless Chromium. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { build } from 'esbuild';
import { findBrowser } from '../../scripts/lib/browser.mjs';
import { root } from '../../scripts/lib/process.mjs';
import { skip } from '../support/backend.js';

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
  fetch('/report', { method: 'POST', body: JSON.stringify(report) });
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

interface Report {
  state: string;
  written: string;
}

/** Serves the page, and gives its address and what it will report. */
async function serve(script: string) {
  const page = await readFile(path.join(example, 'index.html'), 'utf8');
  let report!: (report: Report) => void;
  const reported = new Promise<Report>((resolve) => {
    report = resolve;
  });
  const server = createServer(async (request, response) => {
    if (request.method === 'POST') {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      report(JSON.parse(Buffer.concat(chunks).toString()));
      response.end();
    } else {
      const isScript = request.url === '/main.js';
      response.setHeader('content-type', `${isScript ? 'text/javascript' : 'text/html'}; charset=utf-8`);
      response.end(isScript ? script : page);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, reported, server };
}

describe('examples/browser', function () {
  this.timeout(240_000);

  it('learns its text on WebGPU, and writes', async function () {
    const browser = (await findBrowser()) ?? skip(this, 'no Chromium');
    const { address, reported, server } = await serve(await bundle());
    const profile = await mkdtemp(path.join(tmpdir(), 'tfjs-liger-browser-'));
    const flags = [
      ...['--headless=new', '--no-sandbox', '--disable-dev-shm-usage', `--user-data-dir=${profile}`],
      ...['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan'],
    ];
    const child = spawn(browser, [...flags, address], { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('close', resolve));
    const kill = () => child.kill('SIGKILL');
    process.once('exit', kill); // a test that runs out of time gets no further
    try {
      const crashed = ended.then((code) => Promise.reject(new Error(`Chromium ended with ${code}`)));
      const { state, written } = await Promise.race([reported, crashed as Promise<never>]);
      expect(state).to.match(/^webgpu, step 100 of 100, loss \d\.\d+$/);
      expect(Number(state.split(' ').at(-1))).to.be.below(0.5);
      expect(written).to.match(/^Call me Ishmael\. /);
      expect(written).to.have.length.above(200);
    } finally {
      process.off('exit', kill);
      kill();
      await ended;
      server.closeAllConnections();
      server.close();
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    }
  });
});
