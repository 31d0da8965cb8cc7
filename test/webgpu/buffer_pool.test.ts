import { expect } from 'chai';
import type { LigerWebGPUBackend } from '../../src/backend/webgpu_backend.js';
import { fusedLinearCrossEntropy, rmsNorm, train } from '../../src/index.js';
import { random } from '../support/against_composed.js';
import { submit, target, tf, webgpuDevice } from '../support/backend.js';
import { expectClose, expectError, expectNoLeak } from '../support/golden.js';

interface DeviceMemory extends tf.MemoryInfo {
  numBytesInGPU: number;
  numBytesAllocatedInGPU: number;
  numBytesPooledInGPU: number;
  peakBytesInGPU: number;
}

const backend = () => tf.backend() as unknown as LigerWebGPUBackend;
const memory = () => tf.memory() as DeviceMemory;

/** Runs `body` where the pool may hold so many bytes more than it does. */
function withRoomFor<T>(bytes: number, body: () => T): T {
  const { pool } = backend();
  const { memoryLimit } = pool;
  submit();
  pool.shrink(0);
  pool.memoryLimit = pool.numBytesAllocated + bytes;
  try {
    return body();
  } finally {
    pool.memoryLimit = memoryLimit;
  }
}

if (target === 'webgpu') {
  describe('buffers of tensors', () => {
    it('are counted by tf.memory', async () => {
      await expectNoLeak(async () => {
        submit();
        backend().pool.shrink(0);
        backend().resetPeakMemory();
        const before = memory();
        expect(before.numBytesPooledInGPU).to.equal(0);
        expect(before.peakBytesInGPU).to.equal(before.numBytesInGPU);
        const bytes = 16_000 * 4;
        const size = 64_000 + (-64_000 % 2048) + 2048; // sixteen sizes from 32 KB to 64 KB
        const x = tf.fill([16_000], 1);
        expect(memory().numBytesInGPU - before.numBytesInGPU).to.be.within(bytes, size);
        const y = tf.tidy(() => tf.add(tf.mul(x, 2), 1));
        const during = memory();
        expect(during.numBytesInGPU - before.numBytesInGPU).to.be.within(2 * bytes, 2 * size + 1024);
        tf.dispose([x, y]);
        const after = memory();
        expect(after.numBytesInGPU).to.equal(before.numBytesInGPU);
        expect(after.numBytesPooledInGPU).to.equal(after.numBytesAllocatedInGPU - after.numBytesInGPU);
        expect(after.peakBytesInGPU).to.be.at.least(during.numBytesInGPU);
        expect(after.unreliable).to.equal(false);
      });
    });

    it('are bound as far as the tensor goes, though they are larger', async () => {
      await expectNoLeak(async () => {
        for (const length of [1, 5, 1001, 70_001]) {
          tf.dispose(tf.fill([length + 200], 7)); // leaves other numbers behind
          const x = tf.fill([length], 2);
          const { size, buffer } = backend().storageOf(x, length * 4);
          expect(size).to.equal(length * 4);
          expect(buffer.size).to.be.above(length * 4);
          const sums = tf.tidy(() => [tf.sum(x), tf.sum(tf.concat([x, tf.mul(x, 2)]))]);
          await expectClose(sums[0]!, [2 * length], 0);
          await expectClose(sums[1]!, [6 * length], 0);
          expect((await x.data()).length).to.equal(length);
          tf.dispose([x, sums]);
        }
      });
    });

    it('are of the very size where the user sees them', async () => {
      await expectNoLeak(async () => {
        const x = tf.fill([5], 3);
        const { tensorRef, buffer } = x.dataToGPU();
        expect(buffer!.size).to.equal(20);
        await expectClose(tensorRef, Array(5).fill(3), 0);
        const copied = tf.tensor({ buffer: buffer! }, [5], 'float32');
        tensorRef.dispose();
        await expectClose(copied, Array(5).fill(3), 0);
        const upload = tf.tensor1d([1, 2]);
        expectError(() => upload.dataToGPU(), /^Data is not on GPU but on CPU\.$/);
        tf.dispose([x, copied, upload]);
      });
    });

    it('are not overwritten by uploads while commands wait that read them', async () => {
      await expectNoLeak(async () => {
        const outputs: tf.Tensor[] = [];
        submit();
        for (let i = 0; i < 50; i++) {
          const x = tf.tensor1d(new Float32Array(500).fill(i));
          backend().uploadToGPU(x.dataId);
          outputs.push(tf.mul(x, 2));
          x.dispose();
        }
        for (const [i, output] of outputs.entries())
          await expectClose(output, Array(500).fill(2 * i), 0, `number ${i}`);
        tf.dispose(outputs);
      });
    });

    it('are not overwritten where commands were submitted while one was being recorded', async () => {
      await expectNoLeak(async () => {
        const w = tf.tidy(() => tf.variable(tf.zeros([100])));
        const optimizer = train.adamW({ clipNorm: 1 });
        const gradient = tf.fill([100], 3);
        optimizer.applyGradients({ [w.name]: gradient });
        await optimizer.gradientNorm!.data();
        backend().pool.shrink(0);
        const norms: tf.Tensor[] = [];
        const uploads: tf.Tensor[] = [];
        // Uniforms that change take turns in a few buffers, and commands are submitted where these are in use.
        for (let i = 0; i < 20; i++) {
          optimizer.applyGradients({ [w.name]: gradient });
          const upload = tf.tensor1d(new Float32Array(8).fill(1e6));
          backend().uploadToGPU(upload.dataId);
          uploads.push(upload);
          norms.push(tf.neg(optimizer.gradientNorm!));
        }
        for (const [i, norm] of norms.entries()) await expectClose(norm, [-30], 1e-6, `norm ${i}`);
        optimizer.dispose();
        tf.dispose([w, gradient, norms, uploads]);
      });
    });

    it('are of other sizes in each step, and do not add up', async () => {
      await expectNoLeak(async () => {
        const weight = random([64, 256], 1);
        const step = (length: number) =>
          tf.tidy(() => {
            const x = tf.fill([length, 256], 0.5);
            const { value, grads } = tf.valueAndGrads((input: tf.Tensor, w: tf.Tensor) =>
              tf.sum(tf.square(tf.matMul(rmsNorm(input), w, false, true))),
            )([x, weight]);
            return tf.dispose([value, grads]);
          });
        backend().pool.resetPeak();
        step(256);
        submit();
        const largest = memory().numBytesAllocatedInGPU;
        for (let i = 0; i < 16; i++) step(16 + ((i * 97) % 240));
        expect(memory().numBytesAllocatedInGPU).to.be.at.most(Math.max(2 * largest, 64 * 2 ** 20));
        weight.dispose();
      });
    });
  });

  describe('a limit of memory', () => {
    const message =
      /^Out of memory: a buffer of \d+ bytes was asked for where tensors hold \d+ bytes in \d+ buffers and \d+ bytes are kept for reuse, of at most \d+\.$/;

    it("is told by ops of tfjs's and of ours, and nothing is lost", async () => {
      await expectNoLeak(async () => {
        const [x, weight] = [random([256, 256], 1), random([300, 256], 2)];
        const labels = tf.fill([256], 3, 'int32');
        tf.dispose([tf.add(x, 0), tf.add(weight, 0)]); // which uploads them
        const values = await x.data();
        const ops: Record<string, () => tf.Tensor> = {
          add: () => tf.add(x, 1),
          several: () => tf.mul(tf.add(x, 1), tf.sub(x, 1)),
          transpose: () => tf.transpose(x),
          rmsNorm: () => rmsNorm(x),
          fusedLinearCrossEntropy: () => fusedLinearCrossEntropy(x, weight, labels),
          upload: () => tf.mul(tf.tensor1d(new Float32Array(70_000)), 2),
        };
        for (const [name, op] of Object.entries(ops)) {
          const before = memory().numBytesInGPU;
          withRoomFor(70_000, () => expectError(() => tf.tidy(op), message));
          expect(memory().numBytesInGPU, `${name}: bytes`).to.equal(before);
          const y = tf.tidy(op);
          expect((await y.data()).every(Number.isFinite), name).to.equal(true);
          y.dispose();
        }
        await expectClose(x, values, 0);
        tf.dispose([x, weight, labels]);
      });
    });

    it('is learned from the device, which tells it once', async () => {
      await expectNoLeak(async () => {
        const device = webgpuDevice();
        const { pool } = backend();
        const { memoryLimit } = pool;
        const { popErrorScope } = device;
        const x = tf.fill([100_000], 2);
        await x.data();
        tf.dispose(tf.fill([90_000], 1));
        submit();
        try {
          pool.shrink(0);
          device.popErrorScope = async () => {
            await popErrorScope.call(device);
            return { message: 'out of memory' } as GPUError;
          };
          const broken = tf.fill([60_000], 3);
          device.popErrorScope = popErrorScope;
          await device.queue.onSubmittedWorkDone();
          await new Promise((resolve) => setTimeout(resolve));
          const told =
            /^Out of memory: the device has none for a buffer of \d+ bytes where tensors hold .* are as they were\.$/;
          expectError(() => tf.tidy(() => tf.add(x, 1)), told);
          expect(pool.memoryLimit).to.be.below(memoryLimit);
          broken.dispose();
          expect(pool.numBytesAllocated - pool.numBytesUsed, 'kept for reuse').to.equal(0);
        } finally {
          device.popErrorScope = popErrorScope;
          pool.memoryLimit = memoryLimit;
        }
        const y = tf.add(x, 1);
        await expectClose(y, Array(100_000).fill(3), 0);
        tf.dispose([x, y]);
      });
    });
  });
}
