import { expect } from 'chai';
import { fusedLinearCrossEntropy, rmsNorm, train } from '../../src/index.js';
import { Gpu } from '../../src/kernels/webgpu/runtime/gpu.js';
import { defineProgram, type Limits } from '../../src/kernels/webgpu/runtime/program.js';
import { random } from '../support/against_composed.js';
import { backendName, submit, target, tf, webgpuBackend, webgpuDevice } from '../support/backend.js';
import { expectClose, expectError, expectNoLeak, OUTPUT_TOLERANCE } from '../support/golden.js';
import { countCalls, gpu, toTensor } from '../support/webgpu.js';

const fillProgram = defineProgram('testFill', ({ size }: { size: number }) => ({
  workgroupSize: 1,
  reads: {},
  writes: { y: 'f32' },
  uniforms: { value: 'f32' },
  body: `for (var i = 0u; i < ${size}u; i++) { y[i] = u.value; }`,
}));

/** A runtime over the real device that claims smaller limits. */
function withLimits(limits: Partial<Limits>): Gpu {
  const device = new Proxy(webgpuDevice(), {
    get(target, key) {
      if (key === 'limits') return { ...gpu().limits, ...limits };
      const value = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return Gpu.of(Object.create(tf.backend(), { device: { value: device } }));
}

if (backendName === 'webgpu') {
  describe('the WebGPU runtime', () => {
    if (target === 'webgpu') {
      it('reuses the buffers of disposed tensors within a submission', async () => {
        await expectNoLeak(async () => {
          const gamma = random([1024], 2);
          const steps = Array.from({ length: 20 }, (_, i) => random([8, 1024], i + 3));
          const allocated = () => (tf.memory() as unknown as { numBytesAllocatedInGPU: number }).numBytesAllocatedInGPU;
          const run = () => tf.dispose(tf.tidy(() => rmsNorm(steps[0]!, gamma)));
          submit();
          run();
          const before = allocated();
          for (let i = 0; i < 5; i++) run();
          expect(allocated()).to.equal(before);
          // Uploads take such buffers too, while the commands that read them still wait.
          const sums = tf.tidy(() => steps.map((x) => tf.sum(rmsNorm(tf.add(rmsNorm(x, gamma), x), gamma))));
          const again = steps.map((x) => tf.tidy(() => tf.sum(rmsNorm(tf.add(rmsNorm(x, gamma), x), gamma))));
          for (const [i, sum] of sums.entries()) await expectClose(again[i]!, sum, 0);
          tf.dispose([gamma, steps, sums, again]);
        });
      });
    }

    it('gives back what a kernel made before it failed', async () => {
      const [x, weight, labels] = [random([8, 64]), random([100, 64], 2), tf.zeros([8], 'int32')];
      const limits = gpu().limits as { maxStorageBufferBindingSize: number };
      const { maxStorageBufferBindingSize } = limits;
      try {
        limits.maxStorageBufferBindingSize = 4 * 64 * 50;
        expectError(
          () => fusedLinearCrossEntropy(x, weight, labels, { chunkSize: 8 }),
          /^matmul: b of shape \[100,64\] needs 25600 bytes; this WebGPU device binds at most 12800\.$/,
        );
      } finally {
        limits.maxStorageBufferBindingSize = maxStorageBufferBindingSize;
      }
      await expectNoLeak(async () => {
        const loss = fusedLinearCrossEntropy(x, weight, labels);
        expect(Number.isFinite((await loss.data())[0]!)).to.equal(true);
        loss.dispose();
      });
      tf.dispose([x, weight, labels]);
    });

    it('runs more than 65,535 workgroups', async () => {
      await expectNoLeak(async () => {
        const x = random([70_000, 4]);
        const y = rmsNorm(x);
        const values = await x.data();
        const expected = Float64Array.from(values);
        for (let row = 0; row < expected.length; row += 4) {
          const meanSquare = expected.subarray(row, row + 4).reduce((sum, value) => sum + value * value, 0) / 4;
          for (let i = row; i < row + 4; i++) expected[i]! /= Math.sqrt(meanSquare + 1e-6);
        }
        await expectClose(y, expected, OUTPUT_TOLERANCE);
        tf.dispose([x, y]);
      });
    });

    it('compiles nothing for another number of rows', () => {
      expectNoLeak(() => {
        const run = (rows: number) => () => tf.tidy(() => void rmsNorm(tf.fill([rows, 52], 1), tf.fill([52], 1)));
        run(2)();
        expect(countCalls(run(5)).createComputePipeline).to.equal(0);
        expect(countCalls(run(300)).createComputePipeline).to.equal(0);
      });
    });

    it('makes no buffers and bind groups when a call is repeated', () => {
      expectNoLeak(() => {
        const x = tf.fill([3, 56], 1);
        const run = () => {
          rmsNorm(x).dispose();
          submit(); // gives the outputs' buffers back
        };
        run();
        expect(countCalls(run)).to.deep.equal({ createComputePipeline: 0, createBuffer: 0, createBindGroup: 0 });
        x.dispose();
      });
    });

    it('makes no buffers and bind groups in a step of adamW but the first', () => {
      expectNoLeak(() => {
        const variables = [5, 8, 12].map((size) => tf.tidy(() => tf.variable(tf.fill([size], 1))));
        const gradients = variables.map(({ name, shape }) => ({ name, tensor: tf.fill(shape, 0.5) }));
        const optimizer = train.adamW({ clipNorm: 1 });
        const step = () => {
          optimizer.learningRate *= 0.9;
          optimizer.applyGradients(gradients);
          submit();
        };
        // Uniforms that change take turns among eight buffers.
        for (let i = 0; i < 10; i++) step();
        expect(countCalls(step)).to.deep.equal({ createComputePipeline: 0, createBuffer: 0, createBindGroup: 0 });
        optimizer.dispose();
        tf.dispose([variables, gradients.map(({ tensor }) => tensor)]);
      });
    });

    it('keeps uniforms apart that change in every call', async () => {
      await expectNoLeak(async () => {
        const values = Array.from({ length: 20 }, (_, i) => i + 0.5);
        const outputs = values.map((value) => {
          const y = gpu().output([2]);
          gpu().run(fillProgram, { size: 2 }, { y }, { value: () => value }, 1);
          return toTensor(y);
        });
        for (const [i, output] of outputs.entries())
          await expectClose(output, [values[i]!, values[i]!], 0, `call ${i}`);
        tf.dispose(outputs);
      });
    });

    it('sets its pipeline again after a dispatch of tfjs', async () => {
      await expectNoLeak(async () => {
        const x = tf.tensor1d([-1, 2]);
        tf.dispose(tf.relu(x)); // uploads x, which would end the pass
        const fill = (value: number) => {
          const y = gpu().output([1]);
          gpu().run(fillProgram, { size: 1 }, { y }, { value }, 1);
          return toTensor(y);
        };
        const [first, second, relu, third] = [fill(1), fill(2), tf.relu(x), fill(3)];
        await expectClose(relu, [0, 2], 0);
        for (const [i, y] of [first, second, third].entries()) await expectClose(y, [i + 1], 0);
        tf.dispose([x, first, second, relu, third]);
      });
    });

    it('keeps the values of uniforms that wait to be submitted', async () => {
      await expectNoLeak(async () => {
        const outputs = [1, 2, 1].map((value) => {
          const y = gpu().output([1]);
          gpu().run(fillProgram, { size: 1 }, { y }, { value }, 1);
          return toTensor(y);
        });
        for (const [i, output] of outputs.entries()) await expectClose(output, [[1, 2, 1][i]!], 0, `call ${i}`);
        tf.dispose(outputs);
      });
    });

    it('writes in place only what no one else holds', async () => {
      await expectNoLeak(async () => {
        const x = tf.fill([3], 1);
        expect(gpu().writable(x)).to.equal(x);
        const clone = x.clone();
        const copy = toTensor(gpu().writable(x));
        expect(copy.dataId).not.to.equal(x.dataId);
        gpu().run(fillProgram, { size: 3 }, { y: copy }, { value: 7 }, 1);
        await expectClose(copy, [7, 7, 7], 0, 'copy');
        await expectClose(clone, [1, 1, 1], 0, 'clone');
        clone.dispose();

        // A read that is under way is of what was there, and later ones are of what is.
        const reading = x.data();
        gpu().run(fillProgram, { size: 3 }, { y: gpu().writable(x) }, { value: 9 }, 1);
        await expectClose(await reading, [1, 1, 1], 0, 'read before');
        await expectClose(x, [9, 9, 9], 0, 'read after');
        tf.dispose([x, copy]);
      });
    });

    it('has an output in the place of a tensor that nothing else holds, if it may', async () => {
      await expectNoLeak(async () => {
        const x = tf.fill([3], 1);
        const place = (inPlace: boolean) => {
          const { source, output } = gpu().outputOver(x, inPlace);
          expect(source, 'what is left to read').to.equal(output.dataId === x.dataId ? undefined : x);
          gpu().run(fillProgram, { size: 3 }, { y: output }, { value: 7 }, 1);
          return toTensor(output);
        };
        const clone = x.clone();
        const beside = [place(false), place(true)];
        await expectClose(clone, [1, 1, 1], 0, 'clone');
        clone.dispose();
        beside.push(place(false));
        for (const output of beside) expect(output.dataId).not.to.equal(x.dataId);
        await expectClose(x, [1, 1, 1], 0);

        const failing = () =>
          gpu().kernel(() => {
            gpu().outputOver(x, true);
            throw new Error('of the kernel');
          });
        expectError(failing, /^of the kernel$/);
        const over = place(true);
        expect(over.dataId).to.equal(x.dataId);
        x.dispose();
        await expectClose(over, [7, 7, 7], 0);
        tf.dispose([beside, over]);
      });
    });

    it('refuses a dispatch without one of its uniforms', () => {
      const y = toTensor(gpu().output([1]));
      expectError(
        () => gpu().run(fillProgram, { size: 1 }, { y }, {}, 1),
        /^testFill: there is no value for the uniform 'value'$/,
      );
      y.dispose();
    });

    it('refuses tensors that are too large', () => {
      expectError(
        () => withLimits({ maxBufferSize: 1024 }).output([257]),
        /^A tensor of shape \[257\] needs 1028 bytes; this WebGPU device has buffers of at most 1024\.$/,
      );
      const y = toTensor(gpu().output([257]));
      expectError(
        () => withLimits({ maxStorageBufferBindingSize: 1024 }).run(fillProgram, { size: 257 }, { y }, { value: 1 }, 1),
        /^testFill: y of shape \[257\] needs 1028 bytes; this WebGPU device binds at most 1024\.$/,
      );
      expectError(
        () => gpu().run(fillProgram, { size: 1 }, {}, { value: 1 }, 1),
        /^testFill: nothing is bound to 'y'$/,
      );
      y.dispose();
    });

    it('appears in tf.profile and tf.time', async () => {
      await expectNoLeak(async () => {
        const x = tf.fill([4, 60], 1);
        const { kernels } = await tf.profile(() => rmsNorm(x).dispose());
        const kernel = kernels.find(({ name }) => name === 'LigerRmsNorm')!;
        expect(kernel.kernelTimeMs).to.be.at.least(0);
        expect(kernel.extraInfo).to.match(/^rmsNorm: [\d.]+$/);
        const time = await tf.time(() => rmsNorm(x).dispose());
        expect(time.kernelMs).to.be.at.least(0);
        x.dispose();
      });
    });

    it('gives memory back', () => {
      const bytes = () => (tf.memory() as unknown as { numBytesInGPU: number }).numBytesInGPU;
      submit();
      const before = bytes();
      const gradients = tf.tidy(() => {
        const [x, gamma] = [tf.fill([64, 64], 1), tf.fill([64], 1)];
        const loss = (x: tf.Tensor, gamma: tf.Tensor) => tf.sum(rmsNorm(x, gamma));
        return tf.grads(loss as (...inputs: tf.Tensor[]) => tf.Tensor)([x, gamma]);
      });
      expect(bytes()).to.be.above(before);
      tf.dispose(gradients);
      submit();
      expect(bytes()).to.equal(before);
      expect(webgpuBackend().commandEncoder).to.equal(null);
    });
  });
}
