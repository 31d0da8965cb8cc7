/** Pages in a headless Chromium, whose WebGPU is SwiftShader's. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findBrowser, swiftShaderFlags } from '../../scripts/lib/browser.mjs';
import { skip } from './backend.js';

/** The text at an address of the server, such as `/` or `/main.js`; undefined where there is none. */
export type Site = (address: string) => string | undefined | Promise<string | undefined>;

/** Serves a site on this machine alone, and hands over what its pages POST. */
async function serve(site: Site, receive: (text: string) => void) {
  const server = createServer(async (request, response) => {
    const address = new URL(request.url!, 'http://localhost').pathname;
    if (request.method === 'POST') {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      receive(Buffer.concat(chunks).toString());
      return response.end();
    }
    const text = await site(address);
    response.statusCode = text === undefined ? 404 : 200;
    response.setHeader('content-type', `text/${address.endsWith('/') ? 'html' : 'javascript'}; charset=utf-8`);
    return response.end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

/** Opens the site's page, and gives the first `count` texts that it POSTs. Without a Chromium the test is skipped. */
export async function textsOfPage(
  context: Mocha.Context,
  site: Site,
  { count = 1, timeoutMs = 60_000 }: { count?: number; timeoutMs?: number } = {},
): Promise<string[]> {
  const browser = (await findBrowser()) ?? skip(context, 'no Chromium');
  const texts: string[] = [];
  let done = () => {};
  const { server, address } = await serve(site, (text) => {
    if (texts.push(text) === count) done();
  });
  const profile = await mkdtemp(path.join(tmpdir(), 'tfjs-liger-browser-'));
  const flags = [
    ...['--headless=new', '--no-sandbox', '--disable-dev-shm-usage', '--disable-popup-blocking'],
    `--user-data-dir=${profile}`,
    ...swiftShaderFlags,
  ];
  const child = spawn(browser, [...flags, address], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill); // a test that runs out of time gets no further
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      done = resolve;
      if (texts.length >= count) resolve();
      ended.then((code) => reject(new Error(`Chromium ended with ${code}`)));
      const late = () => reject(new Error(`In ${timeoutMs / 1000} s the page sent ${JSON.stringify(texts)} alone`));
      timer = setTimeout(late, timeoutMs);
    });
    return texts;
  } finally {
    clearTimeout(timer);
    process.off('exit', kill);
    kill();
    await ended;
    server.closeAllConnections();
    server.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
