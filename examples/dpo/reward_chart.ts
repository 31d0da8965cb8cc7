import { drawLineChart } from '../support/line_chart.js';
import type { Rewards } from './rewards.js';

/** Draws how rewards change over the steps to an SVG. */
export function drawRewardChart(
  title: string,
  curve: ReadonlyArray<readonly [step: number, rewards: Rewards]>,
): string {
  const data = (value: (rewards: Rewards) => number) =>
    curve.map(([step, rewards]): [number, number] => [step, value(rewards)]);
  return drawLineChart(
    title,
    [{ name: 'reward' }, { name: 'accuracy (%)', min: 0, max: 100 }],
    [
      { name: 'chosen', data: data(({ chosen }) => chosen), color: '#4a7bb7', thin: true },
      { name: 'rejected', data: data(({ rejected }) => rejected), color: '#8a8a8a', thin: true },
      { name: 'margin', data: data(({ margin }) => margin), color: '#c8431d' },
      { name: 'accuracy', data: data(({ accuracy }) => 100 * accuracy), color: '#3f9142', axis: 1 },
    ],
  );
}
