import { contract } from './shared/contract.js';
import {
  type DivergenceAttrs,
  type DivergenceGradInputs,
  type DivergenceInputs,
  divisorOutput,
} from './shared/divergence.js';

export interface JsdAttrs extends DivergenceAttrs {
  beta: number;
}
/**
 * With P = exp(target), Q = exp(input) and M = beta · P + (1 − beta) · Q: the loss is beta · KL(P, M) + (1 − beta) · KL(Q, M), KL(P, Q)
 * for beta 0 and KL(Q, P) for beta 1.
 */
export const Jsd = contract<DivergenceInputs, JsdAttrs>()('LigerJsd', ['loss'], divisorOutput);

/** dinput. */
export const JsdGrad = contract<DivergenceGradInputs, JsdAttrs>()('LigerJsdGrad', ['dinput']);
