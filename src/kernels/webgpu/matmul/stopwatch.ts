import type { Gpu } from '../runtime/gpu.js';
import type { ProductSize } from './device_model.js';
import { matmul, sumSlices } from './matmul.js';
import type { Plan } from './plans.js';

/** Measures what a device takes, in microseconds. */
export interface Stopwatch {
  /** For a product by a plan. */
  product(size: ProductSize, plan: Plan): Promise<number>;
  /** For the sum of two slices of as many floats. */
  sum(floats: number): Promise<number>;
}

/** A measurement takes at least as long, in microseconds: browsers round time stamps to a hundred of them. */
const LEAST_TIME = 3000;
const MOST_CALLS = 4096;
/** Of as many measurements the shortest counts: a device may be doing something else, or waking up. */
const MEASUREMENTS = 2;

/** Measures by time stamps. What is multiplied does not matter. */
export class DeviceStopwatch implements Stopwatch {
  constructor(private readonly gpu: Gpu) {}

  async product({ m, n, k, batch }: ProductSize, plan: Plan): Promise<number> {
    const { gpu } = this;
    const { a, b, c } = gpu.kernel(() => ({ a: gpu.output([m, k]), b: gpu.output([n, k]), c: gpu.output([m, n]) }));
    const operand = { layout: 'kInner', stride: k } as const;
    try {
      return await this.time(() => {
        matmul(gpu, { m, n, k, batch, a: { ...operand, tensor: a }, b: { ...operand, tensor: b }, c, plan });
      });
    } finally {
      gpu.release(a, b, c);
    }
  }

  async sum(floats: number): Promise<number> {
    const { gpu } = this;
    const { parts, c } = gpu.kernel(() => ({ parts: gpu.output([2, 1, floats]), c: gpu.output([1, floats]) }));
    try {
      return await this.time(() => sumSlices(gpu, { parts, c, rows: 1, columns: floats, slices: 2 }));
    } finally {
      gpu.release(parts, c);
    }
  }

  /** Of one of what `queue` records. */
  private async time(queue: () => void): Promise<number> {
    // It may compile.
    await this.timeOf(1, queue);
    let calls = 1;
    let time = await this.timeOf(calls, queue);
    while (time * calls < LEAST_TIME && calls < MOST_CALLS) {
      calls = Math.min(Math.max(2 * calls, Math.ceil(LEAST_TIME / Math.max(time, 0.1))), 64 * calls);
      time = await this.timeOf(calls, queue);
    }
    if (time === 0) throw new Error('Time stands still on this device.');
    for (let i = 1; i < MEASUREMENTS; i++) time = Math.min(time, await this.timeOf(calls, queue));
    return time;
  }

  private async timeOf(calls: number, queue: () => void): Promise<number> {
    const milliseconds = await this.gpu.timeOnDevice(() => {
      for (let i = 0; i < calls; i++) queue();
    });
    return (1000 * milliseconds) / calls;
  }
}
