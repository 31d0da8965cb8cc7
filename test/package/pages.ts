/** README.md's code for browsers in Chromium, on what a consumer has installed. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { build } from 'esbuild';
import { textsOfPage } from '../support/chromium.js';
import type { Consumer } from './consumer.js';

/** Sends what is printed and what goes wrong, in order. */
const SEND_CONSOLE = `<!doctype html>
<meta charset="utf-8" />
<script>
  let sent = Promise.resolve();
  const send = (...values) => {
    sent = sent.then(() => fetch('/', { method: 'POST', body: values.join(' ') }));
  };
  Object.assign(console, { log: send, warn: send, error: send });
  addEventListener('error', ({ message, target }) => send(message ?? target.src + ' is missing'), true);
  addEventListener('unhandledrejection', ({ reason }) => send(reason));
</script>
`;

/** Addresses of jsDelivr: a package, its version, and a file, or else the one that package.json names. */
const CDN = /https:\/\/cdn\.jsdelivr\.net\/npm\/((?:@[\w-]+\/)?[\w-]+)@([\d.]+)(\/[^"]+)?/g;

/** The address of the same file among the consumer's packages. */
function localAddress(consumer: Consumer, name: string, version: string, file?: string): string {
  const manifest = path.join(consumer.folder, 'node_modules', name, 'package.json');
  const installed = JSON.parse(readFileSync(manifest, 'utf8'));
  if (!`${installed.version}.`.startsWith(`${version}.`)) {
    throw new Error(`${name}@${version} is not the version ${installed.version} that is installed`);
  }
  return `/node_modules/${name}${file ?? `/${installed.jsdelivr}`}`;
}

/** The first `count` lines that a page prints. `files` are beside it, and node_modules stands for jsDelivr. */
export function printedByPage(
  context: Mocha.Context,
  consumer: Consumer,
  html: string,
  count: number,
  files: Record<string, string> = {},
): Promise<string[]> {
  const local = html.replace(CDN, (_, name, version, file) => localAddress(consumer, name, version, file));
  const all: Record<string, string> = { '/': SEND_CONSOLE + local, ...files };
  const site = async (address: string) => {
    if (!address.startsWith('/node_modules/')) return all[address];
    return readFile(path.join(consumer.folder, address), 'utf8').catch(() => undefined);
  };
  return textsOfPage(context, site, { count });
}

/** The first `count` lines that modules print, each bundled as for an application; the page has `main.js`. */
export async function printedByModules(
  context: Mocha.Context,
  consumer: Consumer,
  modules: Record<string, string>,
  count: number,
): Promise<string[]> {
  for (const [name, code] of Object.entries(modules)) await consumer.write(name, code);
  const { outputFiles } = await build({
    entryPoints: Object.keys(modules),
    absWorkingDir: consumer.folder,
    bundle: true,
    write: false,
    format: 'esm',
    outdir: '/',
    logLevel: 'silent',
  });
  const files = Object.fromEntries(outputFiles.map(({ path: file, text }) => [`/${path.basename(file)}`, text]));
  return printedByPage(context, consumer, '<script type="module" src="main.js"></script>', count, files);
}
