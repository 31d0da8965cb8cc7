import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, onInputs } from '../harness/bench_case.js';
import { noise } from '../harness/inputs.js';
import { rotaryTables, stockRope } from './shared/rotary.js';

/** Of [3, B, T, D], in each half the temporal angles, those of the height and those of the width, as [B, 1, T, D]. */
function bySection(angles: tf.Tensor, sections: readonly number[]): tf.Tensor {
  const parts = tf.split(angles, [...sections, ...sections], -1);
  return tf.concat(
    parts.map((part, i) => tf.expandDims(tf.squeeze(tf.slice(part, i % 3, 1), [0]), 1)),
    -1,
  );
}

export function qwen2vlMrope(quick: boolean): BenchCase[] {
  const [batch, queryHeads, keyHeads, length, width] = quick ? [1, 2, 1, 32, 16] : [4, 12, 2, 1024, 128];
  const shapeOf = (heads: number) => [batch, heads, length, width];
  const mropeSection = quick ? ([4, 2, 2] as const) : ([16, 24, 24] as const);
  const inputs = () => {
    const { cos, sin } = rotaryTables(length, width);
    // The places of a picture change more slowly than time.
    const spread = (table: tf.Tensor) =>
      tf.stack(
        [1, 8, 8].map((step) => tf.tile(tf.gather(table, tf.range(0, length).div(step).toInt(), 1), [batch, 1, 1])),
      );
    return {
      q: noise(shapeOf(queryHeads), 1),
      k: noise(shapeOf(keyHeads), 3),
      cos: spread(cos),
      sin: spread(sin),
    };
  };
  return [
    {
      op: 'qwen2vlMrope',
      shape: `q [${shapeOf(queryHeads).join(', ')}], k [${shapeOf(keyHeads).join(', ')}]`,
      timed: 'forward',
      // Queries and keys are read and written, cosines and sines read.
      bytes: (2 * (queryHeads + keyHeads) + 2) * batch * length * width * 4,
      ours: onInputs(inputs, ({ q, k, cos, sin }) => {
        const rotated = liger.qwen2vlMrope(q, k, cos, sin, { mropeSection });
        return [rotated.q, rotated.k];
      }),
      stock: onInputs(inputs, ({ q, k, cos, sin }) =>
        tf.tidy(() => {
          const [ownCos, ownSin] = [bySection(cos, mropeSection), bySection(sin, mropeSection)];
          return [stockRope(q, ownCos, ownSin), stockRope(k, ownCos, ownSin)];
        }),
      ),
    },
  ];
}
