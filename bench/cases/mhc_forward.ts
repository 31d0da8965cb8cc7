import type * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { noise } from '../harness/inputs.js';
import { coefficientInputs, shapeText, stockCoeffs, stockPostRes, stockPre, streamSizes } from './shared/streams.js';

/** A layer that costs next to nothing beside the connections. */
const layer = (x: tf.Tensor) => liger.reluSquared(x);

export function mhcForward(quick: boolean): BenchCase[] {
  const sizes = streamSizes(quick);
  const { tokens, streams, columns } = sizes;
  const inputs = () => ({ ...coefficientInputs(sizes), dy: noise([tokens, streams, columns], 7) });
  const differentiated = ['x', 'phi', 'b', 'alphaPre', 'alphaPost', 'alphaRes'] as const;
  return [
    {
      op: 'mhcForward',
      shape: shapeText(sizes),
      timed: 'forward and backward',
      // Those of mhcCoeffs, mhcPre and mhcPostRes, of the layer between them, and of adding the three gradients of x.
      bytes: (4 * streams + (3 * streams + 2) + (5 * streams + 3) + 5 + 6 * streams) * tokens * columns * 4,
      ours: forwardAndBackward(inputs, differentiated, ({ x, phi, b, alphaPre, alphaPost, alphaRes }) =>
        liger.mhcForward(x, layer, phi, b, alphaPre, alphaPost, alphaRes),
      ),
      stock: forwardAndBackward(inputs, differentiated, (given) => {
        const { hPre, hPost, hRes } = stockCoeffs(given);
        return stockPostRes(given.x, layer(stockPre(given.x, hPre)), hPost, hRes);
      }),
    },
  ];
}
