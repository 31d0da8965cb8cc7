import { type Tensor2D, tensor2d } from '@tensorflow/tfjs-core';
import { type ConfigOf, defaultsOf, integer, resolveConfig } from '../checks/config_schema.js';
import { fail } from '../checks/errors.js';

const name = 'packSequences';

const schema = {
  /** Tokens of a row: no sequence may be longer. Default the longest sequence. */
  length: integer(undefined, { min: 1 }),
  /** What stands in rows where no sequence is. Default 0. */
  padToken: integer(0, { min: 0 }),
  /** The label of tokens that have no next one. Default −100. */
  ignoreIndex: integer(-100),
} as const;

/** Options of {@link packSequences}. */
export interface PackSequencesConfig extends ConfigOf<typeof schema> {}

/** Sequences in rows. All tensors are int32, [rows, length]. */
export interface PackedSequences {
  tokens: Tensor2D;
  /** Each token's next one in its sequence, for a loss that shifts nothing. */
  labels: Tensor2D;
  /** What sequence of its row a token is of, from 1 on, and 0 where there is none: for `flashAttention`. */
  segmentIds: Tensor2D;
  /** A token's place in its sequence, from 0 on: for embeddings or angles of positions. */
  positions: Tensor2D;
  /** Where each sequence is, in their order. */
  places: Array<{ row: number; start: number; length: number }>;
}

const defaults = defaultsOf(schema);

/**
 * Packs sequences of different lengths into as few rows as first-fit decreasing finds, instead of padding each to the longest.
 * With the segments in `flashAttention` and the positions in the embedding, losses and gradients are those of the padded ones.
 *
 * @param sequences Lists of tokens, none empty.
 * @throws If a sequence is empty or longer than a row.
 */
export function packSequences(
  sequences: ReadonlyArray<ArrayLike<number>>,
  config?: PackSequencesConfig,
): PackedSequences {
  const { length: wanted, padToken, ignoreIndex } = resolveConfig(name, schema, defaults, config);
  if (!Array.isArray(sequences) || sequences.length === 0)
    fail(name, 'sequences', 'a list of lists of tokens', sequences);
  const length = wanted ?? Math.max(...sequences.map((sequence) => sequence.length));
  for (const [i, sequence] of sequences.entries()) {
    if (sequence.length === 0) throw new Error(`${name}: sequences[${i}] is empty`);
    if (sequence.length > length) {
      throw new Error(`${name}: sequences[${i}] has ${sequence.length} tokens, and a row only ${length}`);
    }
  }
  const { places, rows } = placesOf(
    sequences.map((sequence) => sequence.length),
    length,
  );
  const filled = (value: number) => new Int32Array(rows * length).fill(value);
  const [tokens, labels, segmentIds, positions] = [filled(padToken), filled(ignoreIndex), filled(0), filled(0)];
  const segmentsOfRow = new Int32Array(rows);
  for (const [i, { row, start }] of places.entries()) {
    const sequence = sequences[i]!;
    const segment = ++segmentsOfRow[row]!;
    for (let t = 0; t < sequence.length; t++) {
      const at = row * length + start + t;
      tokens[at] = sequence[t]!;
      if (t + 1 < sequence.length) labels[at] = sequence[t + 1]!;
      segmentIds[at] = segment;
      positions[at] = t;
    }
  }
  const tensor = (values: Int32Array) => tensor2d(values, [rows, length], 'int32');
  return {
    tokens: tensor(tokens),
    labels: tensor(labels),
    segmentIds: tensor(segmentIds),
    positions: tensor(positions),
    places,
  };
}

/** First-fit decreasing: the longest sequence first, each into the first row that has room for it. */
function placesOf(lengths: readonly number[], rowLength: number): { places: PackedSequences['places']; rows: number } {
  const used: number[] = [];
  const places: PackedSequences['places'] = new Array(lengths.length);
  const longestFirst = lengths.map((_, i) => i).sort((a, b) => lengths[b]! - lengths[a]! || a - b);
  for (const i of longestFirst) {
    const length = lengths[i]!;
    let row = used.findIndex((taken) => taken + length <= rowLength);
    if (row < 0) row = used.push(0) - 1;
    places[i] = { row, start: used[row]!, length };
    used[row]! += length;
  }
  return { places, rows: used.length };
}
