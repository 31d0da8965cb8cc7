import { spawn } from 'node:child_process';
import { root } from './process.mjs';

/** Runs the specs whose title has a text, on WebGPU in Node.js, to their exit code. */
export function runSpec(title, env) {
  const child = spawn(process.execPath, ['node_modules/mocha/bin/mocha.js'], {
    cwd: root,
    env: { ...process.env, LIGER_TEST_BACKEND: 'webgpu', LIGER_TEST_GREP: title, ...env },
    stdio: 'inherit',
  });
  return new Promise((resolve) => child.on('error', () => resolve(1)).on('close', (code) => resolve(code ?? 1)));
}
