import { expect } from 'chai';
import { registerWebGPUBackend, rmsNorm } from '../../src/index.js';
import { target, tf, webgpuDevice } from '../support/backend.js';
import { expectClose, expectError } from '../support/golden.js';

/** Runs `body` on a backend with a device of its own, then goes back to the one of the other specs. */
async function onAnotherDevice(body: () => Promise<void>, onDeviceLost?: (info: GPUDeviceLostInfo) => void) {
  const device = webgpuDevice();
  try {
    await registerWebGPUBackend({ fitDevice: false, force: true, onDeviceLost });
    await body();
  } finally {
    await registerWebGPUBackend({ fitDevice: false, device });
  }
}

const rejection = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => expect.fail('the promise was fulfilled'),
    (error) => error,
  );

if (target === 'webgpu') {
  describe('faults of a device', () => {
    it('are errors of the next op, and the one after it works', async () => {
      await onAnotherDevice(async () => {
        const x = tf.tensor1d([1, -2]);
        for (const op of [() => tf.relu(x), () => rmsNorm(x)]) {
          const isTold = new Promise((resolve) =>
            webgpuDevice().addEventListener('uncapturederror', resolve, { once: true }),
          );
          webgpuDevice().createBuffer({ label: 'of no use', size: 16, usage: 0 });
          // A browser sends what was asked of the device once it waits for it, and tells of the error in a task of its own.
          await webgpuDevice().queue.onSubmittedWorkDone();
          await isTold;
          expectError(op, /^WebGPU: .*usage/s);
          tf.dispose(op());
        }
        await expectClose(tf.relu(x), [1, 0], 0);
      });
    });

    it('are errors of a read that was under way', async () => {
      await onAnotherDevice(async () => {
        const y = tf.relu(tf.tensor1d([1, -2]));
        webgpuDevice().createBuffer({ size: 16, usage: 0 });
        expect((await rejection(y.data())).message).to.match(/^WebGPU: /);
        await expectClose(y, [1, 0], 0);
      });
    });

    it('that end it reject the reads that were under way, and are told', async () => {
      const told: string[] = [];
      await onAnotherDevice(
        async () => {
          const reads = [tf.fill([1000], 2), rmsNorm(tf.ones([4, 8]))].map((tensor) => tensor.data());
          webgpuDevice().destroy();
          for (const read of reads) {
            expect((await rejection(read)).message).to.match(
              /^The WebGPU device was lost \(destroyed: .*saved weights\.$/,
            );
          }
          expect(told).to.deep.equal(['destroyed']);
          expectError(() => tf.fill([4], 1), /^The WebGPU device was lost/);
        },
        ({ reason }) => told.push(reason),
      );
      await expectClose(tf.fill([2], 3), [3, 3], 0);
    });

    it('do not keep a read waiting whose backend is removed', async () => {
      await onAnotherDevice(async () => {
        const reading = rejection(tf.relu(tf.tensor1d([1, -2])).data());
        tf.removeBackend('webgpu');
        expect((await reading).message).to.match(/could not be read: its backend was removed/);
      });
      await expectClose(tf.relu(tf.tensor1d([1, -2])), [1, 0], 0);
    });
  });
}
