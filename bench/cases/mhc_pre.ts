import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { noise } from '../harness/inputs.js';
import { shapeText, stockPre, streamSizes } from './shared/streams.js';

export function mhcPre(quick: boolean): BenchCase[] {
  const sizes = streamSizes(quick);
  const { tokens, streams, columns } = sizes;
  const inputs = () => ({
    x: noise([tokens, streams, columns], 1),
    hPre: noise([tokens, streams], 3),
    dy: noise([tokens, columns], 5),
  });
  const differentiated = ['x', 'hPre'] as const;
  return [
    {
      op: 'mhcPre',
      shape: shapeText(sizes),
      timed: 'forward and backward',
      // Forward reads x and writes y, backward reads dy and x and writes dx.
      bytes: (3 * streams + 2) * tokens * columns * 4,
      ours: forwardAndBackward(inputs, differentiated, ({ x, hPre }) => liger.mhcPre(x, hPre)),
      stock: forwardAndBackward(inputs, differentiated, ({ x, hPre }) => stockPre(x, hPre)),
    },
  ];
}
