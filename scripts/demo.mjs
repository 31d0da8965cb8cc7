/** npm run demo: sets the machine up, then runs examples/llama/train.ts with the same arguments; --help lists them. */
import { spawn } from 'node:child_process';
import { demo } from '../examples/llama/options.mjs';
import { ArgumentError, readArguments } from './lib/arguments.mjs';
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

async function setUp(backend) {
  await setUpPackages();
  if (backend === 'tensorflow') await setUpLibtensorflow();
  if (backend === 'auto') await tryLibtensorflow();
}

// A Ctrl-C comes more than once: from the terminal to each process of its group, and from npm, which passes its own on.
const SAME_INTERRUPT_MS = 1000;

/** Runs the training to its exit code. It gets each interrupt once, and ends where this process is killed. */
function train(args) {
  // Out of the terminal's process group, so that signals come from here alone; its channel closes with this process.
  // Windows has no groups: all processes of a console get its Ctrl-C.
  const detached = process.platform !== 'win32';
  const stdio = ['inherit', 'inherit', 'inherit', 'ipc'];
  const child = spawn(process.execPath, ['--import', 'tsx', 'examples/llama/train.ts', ...args], { stdio, detached });
  let lastInterrupt = Number.NEGATIVE_INFINITY;
  process.on('SIGINT', () => {
    if (detached && performance.now() - lastInterrupt > SAME_INTERRUPT_MS) {
      lastInterrupt = performance.now();
      child.kill('SIGINT');
    }
  });
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  // Ctrl-Z, which stops nothing out of the terminal's group, and fg.
  process.on('SIGTSTP', () => {
    child.kill('SIGSTOP');
    process.kill(process.pid, 'SIGSTOP');
  });
  process.on('SIGCONT', () => child.kill('SIGCONT'));
  return new Promise((resolve, reject) => child.on('error', reject).on('close', (code) => resolve(code ?? 1)));
}

// Node.js runs its exit handlers, which kill what a set-up has started, only where the program itself exits.
const exit = () => process.exit(1);

try {
  process.chdir(root);
  const { backend } = readArguments(demo);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, exit);
  await setUp(backend);
  for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, exit);
  process.exitCode = await train(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof SetupError || error instanceof ArgumentError ? error.message : error);
  process.exitCode = 1;
}
