/** A project that has installed the packed package, as a user has, and nothing else of this repository. */
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { root } from '../../scripts/lib/process.mjs';

/** What stands beside the package: links, so that nothing is fetched. */
const BESIDE = [
  ...readdirSync(path.join(root, 'node_modules/@tensorflow')).map((name) => `@tensorflow/${name}`),
  ...['@webgpu', '@types', 'webgpu'],
];

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

/** Builds the package where its sources or its build are newer. */
export async function buildIfStale(): Promise<void> {
  const [built, changed] = await Promise.all(['dist', 'src'].map((folder) => lastChange(path.join(root, folder))));
  const configured = (await stat(path.join(root, 'tsup.config.ts'))).mtimeMs;
  if (built! <= Math.max(changed!, configured)) await execute('npm', ['run', 'build']);
}

export interface Consumer {
  readonly folder: string;
  /** The packed package. */
  readonly tarball: string;
  write(file: string, text: string): Promise<void>;
  /** Runs Node.js in the project. */
  node(args: string[], env?: Record<string, string | undefined>): Promise<string>;
  remove(): Promise<void>;
}

/** Packs the package and installs it into an empty project, without the network. */
export async function makeConsumer(): Promise<Consumer> {
  await buildIfStale();
  const folder = await makeFolder();
  const [{ filename }] = JSON.parse(await execute('npm', ['pack', '--json', '--pack-destination', folder]));
  return install(folder, path.join(folder, filename), BESIDE);
}

/** Another project with the same package, in which one that usually stands beside it is missing. */
export async function makeConsumerWithout(missing: string, { tarball }: Consumer): Promise<Consumer> {
  const beside = BESIDE.filter((name) => name !== missing);
  return install(await makeFolder(), tarball, beside);
}

const makeFolder = () => mkdtemp(path.join(tmpdir(), 'tfjs-liger-consumer-'));

async function install(folder: string, tarball: string, beside: readonly string[]): Promise<Consumer> {
  const write = async (file: string, text: string) => {
    await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
    await writeFile(path.join(folder, file), text);
  };
  await write('package.json', JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
  const quiet = ['--offline', '--legacy-peer-deps', '--ignore-scripts', '--no-audit', '--no-fund'];
  await execute('npm', ['install', ...quiet, tarball], { cwd: folder });
  await mkdir(path.join(folder, 'node_modules/@tensorflow'));
  for (const name of beside) {
    await symlink(path.join(root, 'node_modules', name), path.join(folder, 'node_modules', name), 'junction');
  }
  return {
    folder,
    tarball,
    write,
    node: (args, env) => execute(process.execPath, args, { cwd: folder, env }),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
