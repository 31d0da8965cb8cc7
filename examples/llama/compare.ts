import Table from 'cli-table3';
import type { Backend } from '../support/choose_backend.js';
import { formatBytes } from '../support/format.js';
import { type Measurement, measureInProcess } from './measure.js';
import type { Size } from './presets.js';

/** What each of the two models may take, whatever the backend and the size. */
const STEPS = 5;
const SECONDS = 25;

/** Measures training steps of a model and of the same from stock tfjs ops, one after the other, and prints both. */
export async function compare(backend: Backend, size: Size): Promise<void> {
  console.log(
    `\nMeasuring ${STEPS} steps of this model after a first one that warms up, and the same from stock tfjs ops; ` +
      `fewer where they take more than ${SECONDS} s …`,
  );
  const liger = await measureInProcess({ model: 'liger', backend, size, steps: STEPS }, SECONDS);
  const stock = await measureInProcess({ model: 'stock', backend, size, steps: STEPS }, SECONDS);
  console.log(formatComparison(backend, liger, stock));
}

/** A table, with undefined for a model of which no step was measured in time. */
export function formatComparison(backend: Backend, liger?: Measurement, stock?: Measurement): string {
  const table = new Table({
    head: [backend, 'time per step', 'steps', 'peak memory'],
    colAligns: ['left', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  });
  const row = (result: Measurement | undefined) =>
    result
      ? [`${(1000 * result.secondsPerStep).toFixed(0)} ms`, result.steps, formatBytes(result.peakBytes)]
      : [`none within ${SECONDS} s`, 0, ''];
  table.push(['tfjs-liger', ...row(liger)], ['stock tfjs ops', ...row(stock)]);
  if (liger && stock) {
    const ratio = (of: 'secondsPerStep' | 'peakBytes') => `${(stock[of] / liger[of]).toFixed(1)} ×`;
    table.push(['stock / tfjs-liger', ratio('secondsPerStep'), '', ratio('peakBytes')]);
  }
  return table.toString();
}
