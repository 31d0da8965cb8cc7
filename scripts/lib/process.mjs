import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The folder that holds package.json. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Runs a program in the project's root and resolves to {code, output}, with stdout and stderr as one text.
 * It never rejects: a program that cannot be started has code -1, one that ran past timeoutMs is killed with everything
 * it started and has code 124.
 */
export function run(program, args, { env, timeoutMs } = {}) {
  return new Promise((resolve) => {
    let output = '';
    let timer;
    // A process group of its own, so that a hung browser goes together with its parent.
    const detached = process.platform !== 'win32';
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached,
      shell: process.platform === 'win32' && program === 'npm',
    });
    const kill = () => {
      try {
        detached ? process.kill(-child.pid, 'SIGKILL') : child.kill('SIGKILL');
      } catch {
        // It has ended already.
      }
    };
    const finish = (code) => {
      clearTimeout(timer);
      process.off('exit', kill);
      resolve({ code, output });
    };
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    child.on('error', (error) => finish(error.code === 'ENOENT' ? -1 : 1));
    child.on('close', (code, signal) => finish(code ?? (signal === 'SIGKILL' ? 137 : 1)));
    process.once('exit', kill);
    if (timeoutMs) {
      timer = setTimeout(() => {
        kill();
        output += `\nKilled after ${Math.round(timeoutMs / 1000)} s.\n`;
        finish(124);
      }, timeoutMs);
    }
  });
}
