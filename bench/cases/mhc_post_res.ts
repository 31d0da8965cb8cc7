import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { noise } from '../harness/inputs.js';
import { shapeText, stockPostRes, streamSizes } from './shared/streams.js';

export function mhcPostRes(quick: boolean): BenchCase[] {
  const sizes = streamSizes(quick);
  const { tokens, streams, columns } = sizes;
  const inputs = () => ({
    x: noise([tokens, streams, columns], 1),
    fOut: noise([tokens, columns], 3),
    hPost: noise([tokens, streams], 5),
    hRes: noise([tokens, streams, streams], 7),
    dy: noise([tokens, streams, columns], 9),
  });
  const differentiated = ['x', 'fOut', 'hPost', 'hRes'] as const;
  return [
    {
      op: 'mhcPostRes',
      shape: shapeText(sizes),
      timed: 'forward and backward',
      // Forward reads x and fOut and writes y, backward reads dy, x and fOut and writes dx and dfOut.
      bytes: (5 * streams + 3) * tokens * columns * 4,
      ours: forwardAndBackward(inputs, differentiated, ({ x, fOut, hPost, hRes }) =>
        liger.mhcPostRes(x, fOut, hPost, hRes),
      ),
      stock: forwardAndBackward(inputs, differentiated, ({ x, fOut, hPost, hRes }) =>
        stockPostRes(x, fOut, hPost, hRes),
      ),
    },
  ];
}
