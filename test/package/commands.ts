/** How a spec runs each command of README.md. */
import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { root } from '../../scripts/lib/process.mjs';
import { skip } from '../support/backend.js';
import { type Consumer, execute } from './consumer.js';

/** A line of a shell block. */
export interface Command {
  command: string;
  /** What stands after its #. */
  comment: string;
}

export function commandsOf(code: string): Command[] {
  const parts = code.split('\n').map((line) => line.split(/\s+#\s*/));
  return parts.map(([command, comment = '']) => ({ command: command!.trim(), comment }));
}

type Run = (command: Command, context: Mocha.Context, consumer: Consumer) => Promise<void>;

/** Has npm find versions that fit together, in a project that has nothing but what the lines before asked for. */
const resolves: Run = async ({ command }, context, consumer) => {
  const folder = path.join(consumer.folder, 'fresh');
  await mkdir(folder, { recursive: true });
  const manifest = path.join(folder, 'package.json');
  await writeFile(manifest, JSON.stringify({ name: 'fresh', private: true }), { flag: 'wx' }).catch(() => {});
  const [program, install, ...names] = command.split(' ');
  const args = names.map((name) => (name === 'tfjs-liger' ? consumer.tarball : name));
  const quiet = ['--package-lock-only', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'];
  await execute(program!, [install!, ...quiet, '--fetch-retries=0', ...args], { cwd: folder }).catch(({ message }) => {
    const offline = /\b(E(NOTFOUND|AI_AGAIN|CONN\w+|TIMEDOUT|NETUNREACH|NOTCACHED)|ERR_SOCKET_TIMEOUT)\b/.exec(message);
    if (offline) skip(context, `npm's registry cannot be reached (${offline[0]})`);
    throw new Error(message);
  });
  const { packages } = JSON.parse(await readFile(path.join(folder, 'package-lock.json'), 'utf8'));
  expect(packages).to.include.all.keys(names.map((name) => `node_modules/${name}`));
};

/** Has the program print its help instead, which must list the options that README.md mentions. */
const printsHelp: Run = async ({ command, comment }) => {
  const [program, ...args] = `${command} -- --help`.split(' ');
  const help = await execute(program!, args);
  for (const [option] of comment.matchAll(/--\w[\w-]*/g)) expect(help).to.include(option);
};

/** The specs or `npm run lint` itself run it as it stands. */
const isScript: Run = async ({ command }) => {
  const { scripts } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));
  expect(scripts).to.include.keys(command.split(' ').at(-1)!);
};

/** Serves the example, and fetches its page and script. */
const servesExample: Run = async ({ command }) => {
  const child = spawn(command, { cwd: root, shell: true, detached: true }); // esbuild ends with its stdin
  const ended = new Promise<string>((resolve) => child.once('close', (code) => resolve(`It ended with ${code}`)));
  const kill = () => child.pid && child.exitCode === null && process.kill(-child.pid, 'SIGKILL');
  process.once('exit', kill); // a test that runs out of time gets no further
  try {
    let output = '';
    const address = await new Promise<string>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text) => {
          output += text;
          const local = /http:\/\/127\.0\.0\.1:\d+\//.exec(output)?.[0];
          if (local) resolve(local);
        });
      }
      ended.then((reason) => reject(new Error(`${reason}\n${output}`)));
    });
    const get = async (file: string) => (await fetch(new URL(file, address))).text();
    expect(await get('')).to.include('<script type="module" src="main.js">');
    expect(await get('main.js')).to.include('registerWebGPUBackend');
  } finally {
    process.off('exit', kill);
    kill();
    await ended;
  }
};

const RUNS: [pattern: RegExp, run: Run][] = [
  [/^npm install /, resolves],
  [/^npx esbuild .* --servedir=/, servesExample],
  [/^npm (test|run adopters|run bench|run demo|run distill|run dpo|run fuzz|run packing|run soak)$/, printsHelp],
  [/^npm run (docs|lint|check:package)$/, isScript],
];

export const runCommand: Run = async (command, context, consumer) => {
  const run = RUNS.find(([pattern]) => pattern.test(command.command))?.[1];
  if (!run) throw new Error(`no spec runs this line: ${command.command}`);
  await run(command, context, consumer);
};
