import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { noise } from '../harness/inputs.js';
import { coefficientInputs, shapeText, stockCoeffs, streamSizes } from './shared/streams.js';

/** The coefficients side by side, as one value to differentiate. */
function joined({ hPre, hPost, hRes }: liger.MhcCoeffsResult): tf.Tensor {
  const [tokens, streams] = hPre.shape as [number, number];
  return tf.concat([hPre, hPost, tf.reshape(hRes, [tokens, streams ** 2])], 1);
}

export function mhcCoeffs(quick: boolean): BenchCase[] {
  const sizes = streamSizes(quick);
  const { tokens, streams, columns } = sizes;
  const coefficients = streams ** 2 + 2 * streams;
  const inputs = () => ({ ...coefficientInputs(sizes), dy: noise([tokens, coefficients], 7) });
  const differentiated = ['x', 'phi', 'b', 'alphaPre', 'alphaPost', 'alphaRes'] as const;
  return [
    {
      op: 'mhcCoeffs',
      shape: shapeText(sizes),
      timed: 'forward and backward',
      // Forward reads x, backward reads it for its own gradient and for that of phi, and writes dx.
      bytes: 4 * tokens * streams * columns * 4,
      // Three products with phi, its gradient and the gradient of x.
      operations: 6 * tokens * streams * columns * coefficients,
      ours: forwardAndBackward(inputs, differentiated, ({ x, phi, b, alphaPre, alphaPost, alphaRes }) =>
        joined(liger.mhcCoeffs(x, phi, b, alphaPre, alphaPost, alphaRes)),
      ),
      stock: forwardAndBackward(inputs, differentiated, (given) => joined(stockCoeffs(given))),
    },
  ];
}
