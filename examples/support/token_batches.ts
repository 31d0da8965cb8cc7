import * as tf from '@tensorflow/tfjs';

export interface Batch {
  /** [B, T], int32 */
  inputIds: tf.Tensor2D;
  /** [B, T], int32: the tokens that follow. */
  labels: tf.Tensor2D;
}

/** Cuts one sequence out of the tokens at each of the starts. */
export function batchAt(tokens: ArrayLike<number>, starts: readonly number[], length: number): Batch {
  const cut = (shift: number) => {
    const values = new Int32Array(starts.length * length);
    for (const [i, start] of starts.entries()) {
      for (let t = 0; t < length; t++) values[i * length + t] = tokens[start + shift + t]!;
    }
    return tf.tensor2d(values, [starts.length, length], 'int32');
  };
  return { inputIds: cut(0), labels: cut(1) };
}

/** Sequences from anywhere in the tokens. */
export function randomBatch(tokens: ArrayLike<number>, size: number, length: number, random: () => number): Batch {
  const starts = Array.from({ length: size }, () => Math.floor(random() * (tokens.length - length)));
  return batchAt(tokens, starts, length);
}

/** Evenly spread batches, the same each time; fewer where the tokens are few. */
export function spreadBatches(tokens: ArrayLike<number>, size: number, length: number, count: number): Batch[] {
  const sequences = Math.max(1, Math.min(size * count, Math.floor((tokens.length - 1) / length)));
  const starts = Array.from({ length: sequences }, (_, i) =>
    Math.floor((i * (tokens.length - 1 - length)) / Math.max(1, sequences - 1)),
  );
  const batches: Batch[] = [];
  for (let i = 0; i < sequences; i += size) batches.push(batchAt(tokens, starts.slice(i, i + size), length));
  return batches;
}

/**
 * A sequence in each row, filled up to `length` tokens with token 0. Labels are −100 where no token follows, or one of the
 * first `prompt` tokens.
 */
export function paddedBatch(sequences: ReadonlyArray<ArrayLike<number>>, length: number, prompt = 0): Batch {
  const shape: [number, number] = [sequences.length, length];
  const [tokens, labels] = [new Int32Array(shape[0] * length), new Int32Array(shape[0] * length).fill(-100)];
  for (const [row, sequence] of sequences.entries()) {
    for (let t = 0; t < sequence.length; t++) {
      tokens[row * length + t] = sequence[t]!;
      if (t + 1 >= prompt && t + 1 < sequence.length) labels[row * length + t] = sequence[t + 1]!;
    }
  }
  return { inputIds: tf.tensor2d(tokens, shape, 'int32'), labels: tf.tensor2d(labels, shape, 'int32') };
}
