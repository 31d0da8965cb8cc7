import * as tf from '@tensorflow/tfjs';
import type { LanguageModel } from './language_model.js';

export interface GenerateOptions {
  /** The longest sequence that the model takes. The text goes on when it is full, with the tokens before forgotten. */
  contextLength: number;
  /** What logits are divided by; 0 takes the most probable token each time. */
  temperature?: number;
  random?: () => number;
}

/** Continues a text by `count` tokens. */
export async function generate(
  model: LanguageModel,
  prompt: readonly number[],
  count: number,
  { contextLength, temperature = 0, random = Math.random }: GenerateOptions,
): Promise<number[]> {
  const tokens = [...prompt];
  for (let i = 0; i < count; i++) {
    const context = tokens.slice(-contextLength);
    const logits = tf.tidy(() => {
      // The shape is always the same, so that no backend compiles anything anew: attention does not look ahead, to the zeros.
      const padded = Int32Array.from({ length: contextLength }, (_, t) => context[t] ?? 0);
      const all = model.logits(tf.tensor2d(padded, [1, contextLength], 'int32'));
      return tf.slice(all, [0, context.length - 1, 0], [1, 1, -1]);
    });
    tokens.push(chooseToken(await logits.data(), temperature, random));
    logits.dispose();
  }
  return tokens.slice(prompt.length);
}

function chooseToken(logits: ArrayLike<number>, temperature: number, random: () => number): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  if (temperature === 0) return best;
  const weights = Float64Array.from(logits, (logit) => Math.exp((logit - logits[best]!) / temperature));
  let rest = random() * weights.reduce((a, b) => a + b);
  const chosen = weights.findIndex((weight) => {
    rest -= weight;
    return rest < 0;
  });
  return chosen === -1 ? best : chosen;
}
