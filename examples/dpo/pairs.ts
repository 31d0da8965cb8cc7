import { type Batch, paddedBatch } from '../support/token_batches.js';

/** Tokens of a prompt, and of either way in which it goes on. */
const [PROMPT, CONTINUATION] = [16, 16];

/** Prompts from anywhere in the tokens, each with its true continuation, chosen, and with that one shuffled, rejected. */
export function randomPairs(tokens: readonly number[], count: number, random: () => number): Batch {
  const length = PROMPT + CONTINUATION;
  const chosen = Array.from({ length: count }, () => {
    const start = Math.floor(random() * (tokens.length - length));
    return tokens.slice(start, start + length);
  });
  const rejected = chosen.map((row) => [...row.slice(0, PROMPT), ...shuffle(row.slice(PROMPT), random)]);
  return paddedBatch([...chosen, ...rejected], length, PROMPT);
}

/** Fisher and Yates. */
function shuffle(tokens: readonly number[], random: () => number): number[] {
  const shuffled = [...tokens];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!];
  }
  return shuffled;
}
