import { expect } from 'chai';
import fc from 'fast-check';
import { fitDevice, provideFit } from '../../src/backend/device_fit.js';
import { registerWebGPUBackend } from '../../src/backend/register_webgpu_backend.js';
import { lastingMemory, recall, remember } from '../../src/backend/remember.js';
import { H200, isDeviceModel, type ProductSize, productTime } from '../../src/kernels/webgpu/matmul/device_model.js';
import { modelOf } from '../../src/kernels/webgpu/matmul/device_timings.js';
import { compareWithFixed, isWorthwhile, timeDevice } from '../../src/kernels/webgpu/matmul/fit_device.js';
import { FIXED_PLANS, type Plan, Plans, planBy, plansOf } from '../../src/kernels/webgpu/matmul/plans.js';
import { DeviceStopwatch, type Stopwatch } from '../../src/kernels/webgpu/matmul/stopwatch.js';
import { TILES } from '../../src/kernels/webgpu/matmul/tile.js';
import { random } from '../support/against_composed.js';
import { tf, webgpuDevice } from '../support/backend.js';
import { expectClose, expectNoLeak, OUTPUT_TOLERANCE } from '../support/golden.js';
import { triesEveryTile } from '../support/passes.js';
import { gpu } from '../support/webgpu.js';

/** A device whose multiprocessors work on tiles in turn, which the model doesn't know. */
interface Machine {
  readonly multiprocessors: number;
  readonly dispatch: number;
  readonly sumFloat: number;
  readonly begin: number;
  /** Of each tile: microseconds for 768 terms when there are many, and how much longer one takes that is alone. */
  readonly busy: readonly number[];
  readonly alone: readonly number[];
}

const machine = (multiprocessors: number, microseconds: number, shares = [1, 1, 1, 1]): Machine => ({
  multiprocessors,
  dispatch: 2,
  sumFloat: microseconds / 1e8,
  begin: 0.03,
  busy: TILES.map(({ rows, columns }, i) => (microseconds * shares[i]! * rows * columns) / 128 ** 2),
  alone: [1, 1, 1.5, 1.9],
});

class Simulated implements Stopwatch {
  measured = 0;

  constructor(private readonly machine: Machine) {}

  timeOf({ m, n, k, batch }: ProductSize, { tile, slices }: Plan): number {
    const { multiprocessors, dispatch, sumFloat, begin, busy, alone } = this.machine;
    const { rows, columns } = TILES[tile]!;
    const tiles = Math.ceil(m / rows) * Math.ceil(n / columns) * slices * batch;
    const rounds = Math.max(alone[tile]!, Math.ceil(tiles / multiprocessors));
    const sum = slices > 1 ? dispatch + m * n * (slices + 1) * sumFloat : 0;
    return dispatch + busy[tile]! * rounds * (k / slices / 768 + begin) + sum;
  }

  async product(size: ProductSize, plan: Plan): Promise<number> {
    this.measured++;
    return this.timeOf(size, plan);
  }

  async sum(floats: number): Promise<number> {
    return this.machine.dispatch + 3 * floats * this.machine.sumFloat;
  }
}

/** From a phone's to one that is larger than any. */
const machines = fc
  .record({
    multiprocessors: fc.integer({ min: 1, max: 200 }),
    microseconds: fc.integer({ min: 60, max: 4000 }),
    shares: fc.array(fc.double({ min: 0.8, max: 1.3, noNaN: true }), { minLength: 4, maxLength: 4 }),
  })
  .map(({ multiprocessors, microseconds, shares }) => machine(multiprocessors, microseconds, shares));

const SIZES = [1, 33, 64, 256, 768, 1024, 4096];

function forEachProduct(visit: (size: ProductSize) => void): void {
  for (const m of SIZES) for (const n of SIZES) for (const k of [64, 768, 4096]) visit({ m, n, k, batch: 1 });
}

const choose = (plans: Plans, { m, n, k }: ProductSize) => plans.choose(m, n, k);

describe('a model of a device', () => {
  it('expects the times that the device takes', async () => {
    await fc.assert(
      fc.asyncProperty(machines, async (made) => {
        const device = new Simulated(made);
        const model = modelOf(await timeDevice(device));
        expect(isDeviceModel(model)).to.equal(true);
        expect(model.atOnce).to.equal(made.multiprocessors);
        expect(model.sumFloat).to.be.closeTo(made.sumFloat, 1e-3 * made.sumFloat);
        forEachProduct((size) => {
          for (const tile of TILES.keys()) {
            const time = device.timeOf(size, { tile, slices: 1 });
            expect(productTime(model, tile, 1, size)).to.be.closeTo(time, 0.15 * time);
          }
        });
      }),
      { numRuns: 50 },
    );
  });

  it('plans products that are hardly ever slower than by the fixed plans, and faster on other devices', async () => {
    await fc.assert(
      fc.asyncProperty(machines, async (made) => {
        const device = new Simulated(made);
        const plans = new Plans(modelOf(await timeDevice(device)), FIXED_PLANS);
        forEachProduct((size) => {
          const fixed = device.timeOf(size, choose(FIXED_PLANS, size));
          expect(device.timeOf(size, choose(plans, size))).to.be.at.most(1.1 * fixed);
        });
      }),
      { numRuns: 50 },
    );
    // Eight multiprocessors are soon busy: small tiles and split sums are in their way.
    const small = new Simulated(machine(8, 400, [1, 1.05, 1.1, 2]));
    const ratios = await compareWithFixed(small, modelOf(await timeDevice(small)));
    expect(isWorthwhile(ratios), `${ratios}`).to.equal(true);
    expect(Math.min(...ratios)).to.be.below(0.8);
  });

  it('keeps to the usual plans where others are not clearly faster', () => {
    const plans = new Plans(H200, FIXED_PLANS);
    forEachProduct((size) => {
      expect(choose(plans, size)).to.deep.equal(choose(FIXED_PLANS, size));
      const { m, n, k } = size;
      expect(plans.chooseTile(m, n, k, () => true)).to.equal(FIXED_PLANS.chooseTile(m, n, k, () => true));
    });
    expect(isWorthwhile([])).to.equal(false);
    expect(isWorthwhile([0.9, 1.2])).to.equal(false);
    expect(isWorthwhile([0.99, 0.98])).to.equal(false);
    expect(isWorthwhile([0.9, 1.02])).to.equal(true);
  });

  it('is found in few measurements, and fewer on a slow device', async () => {
    const fast = new Simulated(machine(132, 75));
    await timeDevice(fast);
    expect(fast.measured).to.be.within(20, 100);
    const slow = new Simulated(machine(2, 30_000));
    const model = modelOf(await timeDevice(slow));
    await compareWithFixed(slow, model);
    expect(slow.measured).to.be.below(fast.measured / 2);
  });

  it('is refused where it is none', () => {
    expect(isDeviceModel(H200)).to.equal(true);
    for (const value of [undefined, null, 1, {}, { ...H200, tiles: [] }, { ...H200, dispatch: Number.NaN }]) {
      expect(isDeviceModel(value)).to.equal(false);
    }
  });
});

describe('a fit', () => {
  let calls = 0;
  let fails = false;
  const used: unknown[] = [];
  const name = `a test at ${Date.now()}`;
  provideFit({
    name,
    accepts: (value): value is number => typeof value === 'number',
    use: (_, found?: number) => used.push(found),
    async measure() {
      calls++;
      if (fails) throw new Error('no time');
      return 7;
    },
  });

  const device = { features: new Set(['timestamp-query']), limits: {} } as unknown as GPUDevice;
  const infoOf = (architecture: string) => ({ vendor: 'none', architecture }) as GPUAdapterInfo;
  const fitKind = async (architecture: string) => (await fitDevice({ device }, infoOf(architecture)))();
  const keyOf = (architecture: string) => `${name}: none|${architecture}|||||`;

  beforeEach(() => {
    calls = 0;
    used.length = 0;
  });

  it('is found once for a kind of device, and remembered', async () => {
    await fitKind('a');
    await fitKind('a');
    expect(calls).to.equal(1);
    expect(used).to.deep.equal([7, 7]);
    await fitKind('b');
    expect(calls).to.equal(2);
    expect(await recall(keyOf('a'))).to.deep.equal({ found: 7 });
    expect(await recall(keyOf('c'))).to.equal(undefined);
  });

  it('is as if there were none where it fails, or is none', async () => {
    fails = true;
    await fitKind('d');
    expect(used).to.deep.equal([]);
    fails = false;
    await fitKind('d');
    expect(calls).to.equal(2);
    expect(used).to.deep.equal([7]);
    await remember(keyOf('e'), { found: 'seven' });
    await fitKind('e');
    expect(calls).to.equal(3);
    await remember(keyOf('f'), { found: null });
    await fitKind('f');
    expect(calls).to.equal(3);
    expect(used.at(-1)).to.equal(undefined);
  });

  it('is not looked for without time stamps', async () => {
    const timeless = { features: new Set(), limits: {} } as unknown as GPUDevice;
    await (await fitDevice({ device: timeless }, infoOf('g')))();
    expect(calls).to.equal(0);
  });
});

describe('what is remembered', () => {
  it('outlasts the program, in the place for it', async function () {
    const memory = lastingMemory();
    if (!memory) return this.skip(); // an old Node.js
    const key = `a test at ${Date.now()}`;
    expect(await memory.get(key)).to.equal(undefined);
    await memory.set(key, { found: [1, 2] });
    await memory.set(`${key}, too`, { found: null });
    expect(await lastingMemory()!.get(key)).to.deep.equal({ found: [1, 2] });
    expect(await lastingMemory()!.get(`${key}, too`)).to.deep.equal({ found: null });
  });
});

if (triesEveryTile) {
  describe('products on a fitted device', () => {
    it('have the same values to rounding, by other plans', async () => {
      const [a, b] = [random([130, 300], 1), random([300, 70], 2)];
      await expectNoLeak(async () => {
        const fixed = tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D);
        // A device where small tiles cost nothing.
        const tiles = H200.tiles.map((cost, i) => (i === 3 ? { begin: 0, times: [1e-3] } : cost));
        planBy(webgpuDevice(), { ...H200, tiles });
        try {
          const { tile } = plansOf(gpu()).choose(130, 70, 300);
          expect(tile).to.equal(3);
          expect(FIXED_PLANS.choose(4096, 4096, 4096).tile).to.equal(0);
          expect(plansOf(gpu()).choose(4096, 4096, 4096).tile).to.equal(3);
          const fitted = tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D);
          await expectClose(fitted, fixed, OUTPUT_TOLERANCE);
          tf.dispose([fixed, fitted]);
        } finally {
          planBy(webgpuDevice());
        }
        expect(plansOf(gpu())).to.equal(FIXED_PLANS);
      });
      tf.dispose([a, b]);
    });

    it('are measured by time stamps, which leaves nothing behind', async function () {
      this.timeout(120_000);
      if (!webgpuDevice().features.has('timestamp-query')) this.skip();
      const held = () => [tf.backend().numDataIds(), (tf.memory() as { numBytesInGPU?: number }).numBytesInGPU];
      const before = held();
      const watch = new DeviceStopwatch(gpu());
      const begin = performance.now();
      const time = await watch.product({ m: 128, n: 128, k: 64, batch: 1 }, { tile: 2, slices: 1 });
      // Microseconds, of one of several calls.
      expect(time).to.be.within(0.01, 1000 * (performance.now() - begin));
      expect(await watch.sum(4)).to.be.above(0);
      expect(held()).to.deep.equal(before);
    });

    it('are measured beside what the program does, once', async function () {
      this.timeout(180_000);
      const device = webgpuDevice();
      try {
        const backend = await registerWebGPUBackend({ device, force: true });
        const [a, b] = [random([40, 30], 1), random([30, 20], 2)] as [tf.Tensor2D, tf.Tensor2D];
        const before = tf.matMul(a, b);
        await backend.fitted;
        const after = tf.matMul(a, b);
        await expectClose(after, before, OUTPUT_TOLERANCE);
        tf.dispose([a, b, before, after]);
        const { numBytesInGPU } = backend.memory();
        expect(numBytesInGPU).to.be.below(2 ** 20);
        // What was found is there when the next registration is through.
        const plans = plansOf(gpu());
        planBy(device);
        const again = await registerWebGPUBackend({ device, force: true });
        expect(plansOf(gpu()).model).to.deep.equal(plans.model);
        const begin = performance.now();
        await again.fitted;
        expect(performance.now() - begin).to.be.below(20);
      } finally {
        await registerWebGPUBackend({ fitDevice: false, device, force: true });
      }
    });

    it('are not measured where that is not wanted', async () => {
      const device = webgpuDevice();
      try {
        for (const options of [{ fitDevice: false }, { memoryLimit: 2 ** 29 }]) {
          planBy(device, H200);
          await (await registerWebGPUBackend({ ...options, device, force: true })).fitted;
          expect(plansOf(gpu())).to.equal(FIXED_PLANS);
        }
      } finally {
        await registerWebGPUBackend({ fitDevice: false, device, force: true });
      }
    });
  });
}
