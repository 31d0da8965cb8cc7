/** npm run demo: sets the machine up, then runs examples/llama/train.ts with the same arguments; --help lists them. */
import { spawn } from 'node:child_process';
import { root } from './lib/process.mjs';
import { SetupError, setUpLibtensorflow, setUpPackages } from './setup.mjs';

/** Only other backends remain without libtensorflow. */
async function tryLibtensorflow() {
  try {
    await setUpLibtensorflow();
  } catch (error) {
    console.log(`${error instanceof SetupError ? error.message : error.stack}\nGoing on without TensorFlow.`);
  }
}

const wantsTensorflow = !process.argv.some((argument) => /^(--help|-h|--backend=?(webgpu|wasm|cpu))$/.test(argument));

try {
  await setUpPackages();
  if (wantsTensorflow) {
    await tryLibtensorflow();
  }
  const args = ['--import', 'tsx', 'examples/llama/train.ts', ...process.argv.slice(2)];
  const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
  // A terminal's Ctrl-C reaches the child as well, which then saves what it has.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  process.exitCode = await new Promise((resolve) => child.on('close', (code) => resolve(code ?? 1)));
} catch (error) {
  console.error(error instanceof SetupError ? error.message : error);
  process.exitCode = 1;
}
