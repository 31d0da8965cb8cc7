import { drawLineChart, type Point } from './line_chart.js';

export type { Point };

/** Draws loss curves to an SVG. */
export function drawLossChart(title: string, curves: { training: Point[]; heldOut: Point[] }): string {
  return drawLineChart(
    title,
    [{ name: 'loss (nats per token)' }],
    [
      { name: 'training', data: curves.training, color: '#9db8dc', thin: true },
      { name: 'held-out text', data: curves.heldOut, color: '#c8431d' },
    ],
  );
}
