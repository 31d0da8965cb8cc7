/** A project that has installed the packed package, as a user has, and nothing else of this repository. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { root } from '../../scripts/lib/process.mjs';

/** What stands beside the package: links, so that nothing is fetched. */
const BESIDE = ['@tensorflow', '@webgpu', '@types', 'webgpu'];

const TIMEOUT_MS = 120_000;

/** Runs a program and gives what it printed. Fails, with all that it printed, unless it ends with 0. */
export function execute(
  program: string,
  args: string[],
  { cwd = root, env = {} }: { cwd?: string; env?: Record<string, string | undefined> } = {},
): Promise<string> {
  const options = { cwd, env: { ...process.env, ...env }, maxBuffer: 1 << 26, timeout: TIMEOUT_MS };
  return new Promise((resolve, reject) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      reject(new Error(`${program} ${args.join(' ')}: ${error.code ?? error.signal}\n${stdout}\n${stderr}`));
    });
  });
}

/** When a file below a folder last changed. */
async function lastChange(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile());
  const times = await Promise.all(
    files.map(async (file) => (await stat(path.join(file.parentPath, file.name))).mtimeMs),
  );
  return Math.max(0, ...times);
}

/** Builds the package where its sources are newer. */
export async function buildIfStale(): Promise<void> {
  const [built, changed] = await Promise.all(['dist', 'src'].map((folder) => lastChange(path.join(root, folder))));
  if (built! <= changed!) await execute('npm', ['run', 'build']);
}

export interface Consumer {
  readonly folder: string;
  write(file: string, text: string): Promise<void>;
  /** Runs Node.js in the project. */
  node(args: string[], env?: Record<string, string | undefined>): Promise<string>;
  remove(): Promise<void>;
}

/** Packs the package and installs it into an empty project, without the network. */
export async function makeConsumer(): Promise<Consumer> {
  await buildIfStale();
  const folder = await mkdtemp(path.join(tmpdir(), 'tfjs-liger-consumer-'));
  const write = (file: string, text: string) => writeFile(path.join(folder, file), text);
  const [{ filename }] = JSON.parse(await execute('npm', ['pack', '--json', '--pack-destination', folder]));
  await write('package.json', JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
  const quiet = ['--offline', '--legacy-peer-deps', '--ignore-scripts', '--no-audit', '--no-fund'];
  await execute('npm', ['install', ...quiet, `./${filename}`], { cwd: folder });
  for (const name of BESIDE) {
    await symlink(path.join(root, 'node_modules', name), path.join(folder, 'node_modules', name), 'junction');
  }
  return {
    folder,
    write,
    node: (args, env) => execute(process.execPath, args, { cwd: folder, env }),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
