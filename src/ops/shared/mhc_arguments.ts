import type { Tensor } from '@tensorflow/tfjs-core';
import { integer, number } from '../../checks/config_schema.js';
import { fail } from '../../checks/errors.js';
import { float32 } from '../../checks/signature.js';
import { mhcShape } from '../../kernels/contracts/shared/mhc_shape.js';

/** The tensors that coefficients of hyper-connections are computed from. */
export const mhcTensors = {
  x: float32('...', 'HC', 'C'),
  phi: float32('HC·C', 'HC²+2HC'),
  b: float32('HC²+2HC'),
  alphaPre: float32(),
  alphaPost: float32(),
  alphaRes: float32(),
} as const;

/** How they are computed. */
export const mhcOptions = {
  /** Rounds of Sinkhorn's iteration that make hRes doubly stochastic. Default 20. */
  tmax: integer(20, { min: 1 }),
  /** Added to the mean square of x before its root. Default 1e-6. */
  rmsEpsilon: number(1e-6, { min: 0 }),
  /** Added to hPre. Default 0. */
  preEpsilon: number(0, { min: 0 }),
  /** Added to the entries of hRes before the iteration, and to each sum that it divides by. Default 1e-6. */
  sinkhornEpsilon: number(1e-6, { min: 0 }),
  /** What hPost is multiplied by. Default 2. */
  postMult: number(2),
} as const;

/** Checks the sizes of phi and b that follow from those of x, which is [..., HC, C]. */
export function checkPhi(op: string, { x, phi }: { readonly x: Tensor; readonly phi: Tensor }): void {
  const { streams, columns, coefficients } = mhcShape(x);
  if (phi.shape[0] !== streams * columns || phi.shape[1] !== coefficients) {
    fail(op, 'phi', `of shape [HC·C, HC²+2HC] = [${streams * columns},${coefficients}] (as x says)`, phi);
  }
}
