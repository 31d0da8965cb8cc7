import * as tf from '@tensorflow/tfjs';
import { type FusedLinearDpoConfig, fusedLinearDpo } from '../../src/index.js';
import type { Llama } from '../llama/model.js';
import type { Batch } from '../support/token_batches.js';

/** What the reference gives the sequences of each pair, [B]. */
type ReferenceLogps = Pick<FusedLinearDpoConfig, 'refChosenLogps' | 'refRejectedLogps'>;

/** Pairs that a model is trained on or measured by. */
export type PreferenceBatch = Batch & ReferenceLogps;

/** Means over pairs. */
export interface Rewards {
  /** beta · the log-ratio of the model to the reference, of chosen sequences. */
  chosen: number;
  /** The same of rejected ones. */
  rejected: number;
  /** chosen − rejected */
  margin: number;
  /** The share of pairs whose margin is above 0. Half of those where it is 0: a model that is its own reference guesses. */
  accuracy: number;
}

export function lossAndRewards(model: Llama, { inputIds, labels, ...reference }: PreferenceBatch, beta: number) {
  return fusedLinearDpo(model.hiddenStates(inputIds), model.head(), labels, { beta, ...reference });
}

/** Adds what the model gives the pairs now. That is all DPO needs of a reference: no copy of the model is kept. */
export function withReference(model: Llama, pairs: Batch): PreferenceBatch {
  return tf.tidy(() => {
    const { chosenLogps, rejectedLogps } = lossAndRewards(model, pairs, 1);
    return { ...pairs, refChosenLogps: chosenLogps, refRejectedLogps: rejectedLogps };
  });
}

export async function measureRewards(model: Llama, pairs: PreferenceBatch, beta: number): Promise<Rewards> {
  const means = tf.tidy(() => {
    const { chosenRewards, rejectedRewards } = lossAndRewards(model, pairs, beta);
    const margins = tf.sub(chosenRewards, rejectedRewards);
    const right = tf.div(tf.add(tf.sign(margins), 1), 2);
    return tf.stack([chosenRewards, rejectedRewards, margins, right].map((values) => tf.mean(values)));
  });
  const [chosen, rejected, margin, accuracy] = await means.data<'float32'>();
  means.dispose();
  return { chosen: chosen!, rejected: rejected!, margin: margin!, accuracy: accuracy! };
}
