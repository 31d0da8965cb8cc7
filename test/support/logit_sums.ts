/** How far the logits that a loss sums up cancel. */
import type { GoldenOptions } from './golden.js';

/** As many times the terms may be the sum before it has fewer digits than the tolerance asks for. */
const COVERED = 4;

/** The condition of the outputs that are sums or means of logits: how large a random walk of their terms is, of what they are. */
export const conditionOfLogitSums: NonNullable<GoldenOptions['condition']> = (output, expected, golden) => {
  if (!output.includes('Logits')) return 1;
  const [x, weight] = [golden('in', 'x'), golden('in', 'weight')];
  const hidden = x.shape.at(-1)!;
  const norm = ({ data }: { data: ArrayLike<number> }) =>
    Math.sqrt(Array.from(data).reduce((sum, value) => sum + value * value, 0));
  const walk = (norm(x) * norm(weight)) / Math.sqrt(hidden);
  // Means are over the tokens of half of the sequences.
  const terms = output.endsWith('Mean') ? (x.data.length / hidden / 2) * weight.shape[0]! : 1;
  return Math.max(1, walk / (Math.abs(expected.data[0]!) * terms) / COVERED);
};
