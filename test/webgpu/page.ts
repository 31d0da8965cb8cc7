/** A page that trains, beside a frame that is taken away and a backend of another kind, and is left in the middle of a step. */
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-webgpu';
import { fusedLinearCrossEntropy, registerWebGPUBackend, train } from '../../src/index.js';

const send = (...values: unknown[]) => fetch('/', { method: 'POST', body: values.join(' ') });

/** A step of a model of one weight, each time it is called. */
function makeStep(): () => Promise<number> {
  const weight = tf.variable(tf.zeros([8, 4]));
  const optimizer = train.adamW({ learningRate: 0.1 });
  const [x, labels] = [tf.ones([6, 4]), tf.tensor1d([1, 2, 3, 4, 5, 6], 'int32')];
  return async () => {
    const loss = optimizer.minimize(() => fusedLinearCrossEntropy(x, weight, labels), true)!;
    const [value] = await loss.data();
    loss.dispose();
    return value!;
  };
}

const message = () =>
  new Promise<string>((resolve) => addEventListener('message', ({ data }) => resolve(data), { once: true }));

/** Trains until it is taken away. */
async function frame(): Promise<void> {
  await registerWebGPUBackend({ fitDevice: false });
  const step = makeStep();
  await step();
  parent.postMessage('training', '*');
  for (;;) await step();
}

async function main(): Promise<void> {
  const inner = document.createElement('iframe');
  inner.src = '/frame/';
  const isTraining = message();
  document.body.append(inner);
  await isTraining;

  await registerWebGPUBackend({ fitDevice: false });
  const step = makeStep();
  const losses = [await step(), await step()];
  inner.remove();
  losses.push(await step(), await step());
  await send(
    'losses',
    losses.every((loss, i) => i === 0 || loss < losses[i - 1]!),
  );

  const x = tf.tidy(() => tf.add(tf.tensor1d([1, 2]), 1));
  await tf.setBackend('webgl');
  const y = tf.tidy(() => tf.mul(x, 2));
  await tf.setBackend('webgpu');
  const z = tf.tidy(() => tf.sub(y, x));
  await send('backends', await z.data(), (await step()) < losses[0]!);

  await send('behind a tab', await trainBehindTab(step));

  location.href = '/leave/';
}

const isHidden = (hidden: boolean) =>
  new Promise<void>((resolve) => {
    const look = () => document.hidden === hidden && resolve();
    document.addEventListener('visibilitychange', look);
    look();
  });

/** Trains while another tab is in front, and after it is closed. */
async function trainBehindTab(step: () => Promise<number>): Promise<boolean> {
  const other = open('/other/')!;
  await isHidden(true);
  const losses = [await step(), await step()];
  const stillHidden = document.hidden;
  other.close();
  await isHidden(false);
  losses.push(await step());
  return stillHidden && losses.every((loss, i) => i === 0 || loss < losses[i - 1]!);
}

/** Leaves the page in the middle of a step, once. */
async function leave(): Promise<void> {
  await registerWebGPUBackend({ fitDevice: false });
  const step = makeStep();
  await step();
  if (sessionStorage.left) {
    await send('again', (await step()) < Math.log(8));
    return;
  }
  sessionStorage.left = 'yes';
  void step();
  location.reload();
}

addEventListener('unhandledrejection', ({ reason }) => void send('failed:', reason));
addEventListener('error', (event) => void send('failed:', event.message));
const other = () => {};
void ({ '/frame/': frame, '/leave/': leave, '/other/': other }[location.pathname] ?? main)();
