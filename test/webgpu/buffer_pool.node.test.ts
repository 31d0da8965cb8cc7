import { expect } from 'chai';
import fc from 'fast-check';
import { BufferPool } from '../../src/backend/buffer_pool.js';
import { type PooledBuffer, sizeClass } from '../../src/backend/free_buffers.js';

const MOST = 2 ** 32;
const STORAGE = 128;
const MB = 2 ** 20;

/** A device whose buffers are no memory, and that has no more than `capacity` bytes. */
function fakeDevice(capacity = Number.POSITIVE_INFINITY) {
  const device = {
    bytes: 0,
    destroyed: 0,
    scopes: [] as Array<{ error: object | null }>,
    pushErrorScope() {
      device.scopes.push({ error: null });
    },
    async popErrorScope() {
      return device.scopes.pop()!.error;
    },
    createBuffer({ size, usage }: { size: number; usage: number }) {
      const fits = device.bytes + size <= capacity;
      if (fits) device.bytes += size;
      else device.scopes.at(-1)!.error = { message: 'out of memory' };
      let isThere = fits;
      const destroy = () => {
        device.destroyed++;
        if (isThere) device.bytes -= size;
        isThere = false;
      };
      return { size, usage, destroy, fits };
    },
  };
  return device;
}

function makePool({
  capacity,
  memoryLimit = Number.MAX_SAFE_INTEGER,
}: {
  capacity?: number;
  memoryLimit?: number;
} = {}) {
  const device = fakeDevice(capacity);
  const order = {
    batchNumber: 0,
    submissions: 0,
    errors: [] as Error[],
    submit() {
      order.batchNumber++;
      order.submissions++;
    },
    onOutOfMemory(error: Error) {
      order.errors.push(error);
    },
  };
  const pool = new BufferPool(device as unknown as GPUDevice, order, MOST, memoryLimit);
  return { device, order, pool, acquire: (bytes: number, isIdle = false) => pool.acquire(bytes, STORAGE, isIdle) };
}

/** Expects the pool's counts to be those of the device. */
function expectTrueCounts({ pool, device }: ReturnType<typeof makePool>, used: readonly PooledBuffer[]) {
  expect(pool.numBytesAllocated, 'allocated').to.equal(device.bytes);
  expect(pool.numBytesUsed, 'used').to.equal(used.reduce((sum, { size }) => sum + size, 0));
  expect(pool.numUsedBuffers, 'used buffers').to.equal(used.length);
  expect(pool.numFreeBuffers, 'free buffers').to.be.at.least(0);
}

describe("a buffer's size", () => {
  it('is at least what is asked for, a multiple of 4, and wastes at most a sixteenth from 4 KB on', () => {
    fc.assert(
      fc.property(fc.oneof(fc.integer({ min: 0, max: 2 ** 14 }), fc.integer({ min: 0, max: 2 ** 31 })), (bytes) => {
        const size = sizeClass(bytes, MOST);
        expect(size).to.be.at.least(Math.max(bytes, 4));
        expect(size % 4).to.equal(0);
        if (bytes >= 4096) expect(size - bytes).to.be.at.most(bytes / 16);
        expect(sizeClass(size, MOST), 'of its own size').to.equal(size);
      }),
      { numRuns: 1000, seed: 1 },
    );
  });

  it('is one of sixteen between powers of two', () => {
    for (const power of [4096, 2 ** 20, 2 ** 30]) {
      const sizes = new Set(Array.from({ length: 5000 }, (_, i) => sizeClass(power + ((i + 1) * power) / 5000, MOST)));
      expect(sizes.size).to.equal(16);
    }
  });

  it('is what is asked for where no larger one can be made', () => {
    expect(sizeClass(1_000_001, 1_000_004)).to.equal(1_000_004);
  });
});

describe('a buffer pool', () => {
  it('uses buffers again at once, for tensors of other sizes too', () => {
    const made = makePool();
    const { pool, device, acquire } = made;
    const first = acquire(100_000);
    pool.release(first);
    expect(acquire(99_000)).to.equal(first);
    pool.release(first);
    pool.release(first); // once is enough
    expectTrueCounts(made, []);
    expect(acquire(60_000), 'at most twice too large').to.equal(first);
    const second = acquire(99_000);
    expect(second).not.to.equal(first);
    expect(pool.acquire(99_000, 8), 'of another usage').not.to.equal(second);
    expect(device.bytes).to.equal(first.size + 2 * second.size);
  });

  it('keeps large buffers for tensors that waste at most a quarter', () => {
    const { pool, acquire } = makePool();
    acquire(500 * MB);
    const first = acquire(100 * MB);
    pool.release(first);
    expect(acquire(70 * MB)).not.to.equal(first);
    expect(acquire(85 * MB)).to.equal(first);
  });

  it('gives no buffer to an upload that commands which wait may use', () => {
    const { pool, order, acquire } = makePool();
    const first = acquire(1000);
    pool.release(first);
    const uploaded = acquire(1000, true);
    expect(uploaded, 'released in this batch').not.to.equal(first);
    order.submit();
    expect(acquire(1000, true), 'submitted').to.equal(first);
    // The batch may have ended between the time when a command found its buffers and its recording.
    order.submit();
    pool.release(first);
    expect(acquire(1000, true)).not.to.equal(first);
    expect(acquire(1000), 'for a command').to.equal(first);
  });

  it('keeps pinned buffers from others until the last pin is gone', () => {
    const made = makePool();
    const { pool, acquire } = made;
    const first = acquire(1000);
    pool.pin(first);
    pool.pin(first);
    pool.release(first);
    expectTrueCounts(made, []);
    expect(acquire(1000)).not.to.equal(first);
    pool.unpin(first);
    expect(acquire(1000)).not.to.equal(first);
    pool.reclaim(first);
    pool.unpin(first);
    expect(pool.numUsedBuffers).to.equal(3);
    pool.release(first);
    expect(acquire(1000)).to.equal(first);
  });

  it('gives an arena back to all', () => {
    const { pool, device, acquire } = makePool();
    const arena = pool.newArena(() => {});
    pool.arena = arena;
    const [first, second] = [acquire(1000), acquire(1000)];
    pool.release(first);
    pool.arena = null;
    const outside = acquire(1000);
    expect(outside).not.to.equal(first);
    pool.arena = arena;
    expect(acquire(1000)).to.equal(first);
    pool.arena = null;
    pool.release(first);
    pool.dissolve(arena);
    pool.release(second);
    for (const pooled of [first, second]) expect([first, second]).to.include(acquire(pooled.size));
    expect(pool.numFreeBuffers).to.equal(0);
    expect(device.bytes).to.equal(3 * first.size);
  });

  it('takes the buffers of recorded steps where there is no more memory', () => {
    const { pool, device, acquire } = makePool();
    pool.memoryLimit = 100 * MB;
    let givenUp = 0;
    const arena = pool.newArena(() => givenUp++);
    pool.arena = arena;
    pool.release(acquire(60 * MB));
    pool.arena = null;
    acquire(30 * MB);
    expect(givenUp).to.equal(0);
    acquire(60 * MB);
    expect(givenUp).to.equal(1);
    expect(device.bytes).to.equal(90 * MB);
    expect(() => acquire(20 * MB)).to.throw('Out of memory');
  });

  it('binds what a tensor takes of a buffer, each part under a number of its own', () => {
    const { pool, acquire } = makePool();
    const pooled = acquire(1000);
    const [whole, part] = [pool.bindingOf(pooled, 1000), pool.bindingOf(pooled, 900)];
    expect([whole.size, part.size]).to.deep.equal([1000, 900]);
    expect(whole.id).not.to.equal(part.id);
    expect(pool.bindingOf(pooled, 1000)).to.equal(whole);
    expect(pool.bindingOf(pooled, 900)).to.equal(part);
    const ids = new Set(Array.from({ length: 300 }, (_, i) => pool.bindingOf(pooled, 4 * i + 4).id));
    expect(ids.size).to.equal(300);
  });

  it('ends training over ever-changing lengths with at most twice the largest step', () => {
    const made = makePool();
    const { pool, device, order, acquire } = made;
    /** As a step: weights, activations of a length that are kept until the backward pass, and what is there for a moment. */
    const step = (length: number) => {
      const kept: PooledBuffer[] = [];
      for (let layer = 0; layer < 12; layer++) {
        for (const width of [768, 2304, 3072]) kept.push(acquire(length * width * 4));
        pool.release(acquire(length * 4000 * 4));
      }
      for (const pooled of kept.reverse()) {
        const gradient = acquire(pooled.size);
        pool.release(pooled);
        pool.release(gradient);
      }
      order.submit();
    };
    const weights = Array.from({ length: 12 }, () => acquire(12 * MB));
    step(8192);
    const largest = device.bytes;
    let most = 0;
    for (let i = 0; i < 3000; i++) {
      step(64 + ((i * 2654435761) % 8128));
      most = Math.max(most, device.bytes);
    }
    expect(most).to.be.at.most(2 * largest);
    expectTrueCounts(made, weights);
    for (let i = 0; i < 600; i++) step(64);
    expect(device.bytes, 'after many small ones').to.be.at.most(0.5 * largest);
  });

  it('stays within its limit, says why it can not, and goes on', () => {
    const made = makePool({ memoryLimit: 100 * MB });
    const { pool, device, acquire } = made;
    const held = acquire(50 * MB);
    pool.release(acquire(20 * MB));
    pool.release(acquire(26 * MB));
    const next = acquire(40 * MB);
    expect(device.bytes, 'what was free is given up').to.equal(90 * MB);
    expect(() => acquire(20 * MB)).to.throw(
      `Out of memory: a buffer of ${20 * MB} bytes was asked for where tensors hold ${90 * MB} bytes in 2 buffers and 0 bytes ` +
        `are kept for reuse, of at most ${100 * MB}.`,
    );
    expectTrueCounts(made, [held, next]);
    pool.release(next);
    const last = acquire(20 * MB);
    expectTrueCounts(made, [held, last]);
  });

  it('submits before it destroys what commands that wait may use', () => {
    const { pool, order, acquire } = makePool();
    pool.release(acquire(1000));
    pool.shrink(0);
    expect(order.submissions).to.equal(1);
    const pooled = acquire(1000);
    pool.release(pooled);
    order.submit();
    pool.shrink(0);
    expect(order.submissions).to.equal(2);
  });

  it('counts the most bytes that were allocated, and that were used', () => {
    const { pool, acquire } = makePool();
    const first = acquire(10 * MB);
    pool.release(acquire(20 * MB));
    expect([pool.peakAllocated, pool.peakUsed]).to.deep.equal([30 * MB, 30 * MB]);
    pool.resetPeak();
    expect([pool.peakAllocated, pool.peakUsed]).to.deep.equal([30 * MB, 10 * MB]);
    pool.shrink(0);
    pool.resetPeak();
    expect([pool.numBytesAllocated, pool.peakAllocated]).to.deep.equal([10 * MB, 10 * MB]);
    pool.release(first);
  });

  describe('where the device has no more memory', () => {
    it('learns the limit, trims itself, tells it once, and goes on', async () => {
      const made = makePool({ capacity: 1000 * MB });
      const { pool, device, order, acquire } = made;
      const held = acquire(608 * MB);
      pool.release(acquire(320 * MB));
      const broken = acquire(208 * MB);
      expect((broken.buffer as unknown as { fits: boolean }).fits).to.equal(false);
      await Promise.resolve();
      expect(order.errors.map(({ message }) => message)).to.deep.equal([
        `Out of memory: the device has none for a buffer of ${208 * MB} bytes where tensors hold ${608 * MB} bytes in 2 buffers and ` +
          `${320 * MB} bytes are kept for reuse. What was computed with it is lost; other tensors are as they were.`,
      ]);
      expect(device.bytes, 'trimmed').to.equal(608 * MB);
      expect(pool.memoryLimit).to.equal((928 + 64) * MB);
      pool.release(broken);
      expectTrueCounts(made, [held]);
      const again = acquire(208 * MB);
      expect(again, 'not the one that has no memory').not.to.equal(broken);
      expect((again.buffer as unknown as { fits: boolean }).fits).to.equal(true);
      expect(() => acquire(208 * MB)).to.throw(`, of at most ${(928 + 64) * MB}.`);
      await Promise.resolve();
      expect(order.errors).to.have.lengthOf(1);
      expectTrueCounts(made, [held, again]);
    });

    it('does not give a buffer out again that was free by the time it was told', async () => {
      const made = makePool({ capacity: 100 * MB });
      const { pool, order, acquire } = made;
      const held = acquire(60 * MB);
      const broken = acquire(50 * MB);
      pool.release(broken);
      await Promise.resolve();
      expect(order.errors).to.have.lengthOf(1);
      expectTrueCounts(made, [held]);
      expect(pool.memoryLimit).to.be.within(60 * MB, 110 * MB);
    });

    it('still gives what there is where one tensor alone was too large', async () => {
      const made = makePool({ capacity: 100 * MB });
      const { pool, device, acquire } = made;
      const broken = acquire(400 * MB);
      await Promise.resolve();
      pool.release(broken);
      const held = acquire(80 * MB);
      expect(device.bytes).to.equal(80 * MB);
      expect(() => acquire(400 * MB)).to.throw('Out of memory: a buffer of ');
      expectTrueCounts(made, [held]);
    });
  });
});
