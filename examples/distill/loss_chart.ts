import { drawLineChart, type Point } from '../support/line_chart.js';

/** Held-out losses over the steps of the student. */
export interface Curves {
  /** The same at each step: the teacher has been trained before. */
  teacher: Point[];
  alone: Point[];
  distilled: Point[];
}

/** Draws them to an SVG. */
export function drawLossChart(title: string, { teacher, alone, distilled }: Curves): string {
  return drawLineChart(
    title,
    [{ name: 'held-out loss (nats per token)' }],
    [
      { name: 'teacher', data: teacher, color: '#8a8a8a', thin: true },
      { name: 'student alone', data: alone, color: '#4a7bb7' },
      { name: 'distilled student', data: distilled, color: '#c8431d' },
    ],
  );
}
