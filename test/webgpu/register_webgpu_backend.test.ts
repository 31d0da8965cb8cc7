import { expect } from 'chai';
import { registerWebGPUBackend, rmsNorm, train } from '../../src/index.js';
import { random } from '../support/against_composed.js';
import { backendName, target, tf, webgpuDevice } from '../support/backend.js';
import { expectClose, expectError, expectNoLeak } from '../support/golden.js';

/** Saved tensors, in JavaScript's memory. */
type Saved = Array<{ name: string; shape: number[]; values: Float32Array | Int32Array }>;

async function save(tensors: Array<{ name: string; tensor: tf.Tensor }>): Promise<Saved> {
  const values = await Promise.all(tensors.map(({ tensor }) => tensor.data<'float32' | 'int32'>()));
  return tensors.map(({ name, tensor }, i) => ({ name, shape: tensor.shape, values: values[i]!.slice() }));
}

const load = (saved: Saved) =>
  saved.map(({ name, shape, values }) => ({
    name,
    tensor: tf.tensor(values, shape, values instanceof Int32Array ? 'int32' : 'float32'),
  }));

/** Trains gamma for some steps from what was saved, and says what is there then. */
async function trainGamma(steps: number, { gamma, state }: { gamma?: Saved; state?: Saved }) {
  const initial = gamma ? load(gamma)[0]!.tensor : tf.ones([8]);
  const variable = tf.variable(initial, true, 'lost/gamma');
  const optimizer = train.adamW({ learningRate: 0.1 });
  const weights = state ? load(state) : [];
  if (state) await optimizer.setWeights(weights);
  const [x, y] = [random([4, 8]), random([4, 8], 2)];
  for (let step = 0; step < steps; step++) {
    optimizer.minimize(() => tf.sum(tf.squaredDifference(rmsNorm(x, variable), y)) as tf.Scalar);
  }
  const current = await optimizer.getWeights();
  const result = { gamma: await save([{ name: 'gamma', tensor: variable }]), state: await save(current) };
  optimizer.dispose();
  tf.dispose([initial, variable, x, y, current[0]!.tensor, weights.map(({ tensor }) => tensor)]);
  return result;
}

if (backendName === 'webgpu') {
  describe('registerWebGPUBackend', () => {
    it('refuses bad options, and leaves the backend as it is', async () => {
      const backend = tf.backend();
      await expectError(
        () => registerWebGPUBackend({ memoryLimit: 0 }),
        /^registerWebGPUBackend: option 'memoryLimit' must be an integer of at least 1, but got 0$/,
      );
      await expectError(
        () => registerWebGPUBackend({ powerPreference: 'high' as never }),
        /^registerWebGPUBackend: option 'powerPreference' must be one of 'high-performance', 'low-power', but got 'high'$/,
      );
      await expectError(
        () => registerWebGPUBackend({ device: 1 as never }),
        /^registerWebGPUBackend: option 'device' must be an object, but got 1$/,
      );
      await expectError(
        () => registerWebGPUBackend({ Device: webgpuDevice() } as never),
        /^registerWebGPUBackend: unknown option 'Device'; did you mean 'device'\?$/,
      );
      expect(tf.backend()).to.equal(backend);
    });

    if (typeof document !== 'undefined') {
      it('keeps the textures of images until their commands are submitted', async () => {
        await expectNoLeak(async () => {
          const reds = [10, 200, 90, 30].map((red) => {
            const canvas = document.createElement('canvas');
            [canvas.width, canvas.height] = [8, 8];
            const context = canvas.getContext('2d')!;
            context.fillStyle = `rgb(${red}, 0, 0)`;
            context.fillRect(0, 0, 8, 8);
            return tf.tidy(() => tf.max(tf.slice(tf.browser.fromPixels(canvas), [0, 0, 0], [8, 8, 1])));
          });
          for (const [i, red] of reds.entries()) await expectClose(red, [[10, 200, 90, 30][i]!], 0, `image ${i}`);
          tf.dispose(reds);
        });
      });
    }
  });
}

if (target === 'webgpu') {
  describe('registerWebGPUBackend, called again', () => {
    it('gives the backend that is there, whose reads go on', async () => {
      await expectNoLeak(async () => {
        const backend = tf.backend();
        const y = tf.tidy(() => rmsNorm(tf.fill([2, 8], 3)));
        const reading = y.data();
        await tf.setBackend('cpu');
        const backends = await Promise.all([registerWebGPUBackend(), registerWebGPUBackend({ memoryLimit: 1e9 })]);
        for (const again of backends) expect(again).to.equal(backend);
        expect(tf.getBackend()).to.equal('webgpu');
        expect(await registerWebGPUBackend({ fitDevice: false, device: webgpuDevice() })).to.equal(backend);
        await expectClose(await reading, Array(16).fill(1), 1e-6);
        y.dispose();
      });
    });

    it('replaces it when it is told to, and once where it is told twice at a time', async () => {
      const device = webgpuDevice();
      try {
        const [forced, second] = await Promise.all([
          registerWebGPUBackend({ fitDevice: false, force: true }),
          registerWebGPUBackend(),
        ]);
        expect(forced!.device).not.to.equal(device);
        expect(second).to.equal(forced);
        expect(tf.backend()).to.equal(forced);
      } finally {
        await registerWebGPUBackend({ fitDevice: false, device });
      }
      expect(webgpuDevice()).to.equal(device);
    });

    it('makes another where it was removed', async () => {
      const device = webgpuDevice();
      const backend = tf.backend();
      tf.removeBackend('webgpu');
      expect(await registerWebGPUBackend({ fitDevice: false, device })).not.to.equal(backend);
    });
  });

  describe('a lost WebGPU device', () => {
    it('gives a clear error, and training goes on with another device', async () => {
      const device = webgpuDevice();
      try {
        await registerWebGPUBackend({ fitDevice: false, force: true });
        expect(webgpuDevice()).not.to.equal(device);
        const whole = await trainGamma(5, {});
        const first = await trainGamma(3, {});

        const x = tf.ones([2, 8]);
        const lost = webgpuDevice();
        lost.destroy();
        await lost.lost;
        expectError(
          () => rmsNorm(x),
          /^The WebGPU device was lost \(destroyed: .*\)\. Its tensors are gone: call registerWebGPUBackend\(\) and go on from saved weights\.$/,
        );
        tf.dispose(x);

        await registerWebGPUBackend({ fitDevice: false });
        expect(webgpuDevice()).not.to.equal(lost);
        const resumed = await trainGamma(2, first);
        await expectClose(resumed.gamma[0]!.values, whole.gamma[0]!.values, 0);
      } finally {
        await registerWebGPUBackend({ fitDevice: false, device });
      }
    });
  });
}
