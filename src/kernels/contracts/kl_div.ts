import { contract } from './shared/contract.js';
import {
  type DivergenceAttrs,
  type DivergenceGradInputs,
  type DivergenceInputs,
  divisorOutput,
} from './shared/divergence.js';

export interface KlDivAttrs extends DivergenceAttrs {
  /** Whether target holds log-probabilities. */
  logTarget: boolean;
}
/** The loss is P · (log P − input), P = target or exp(target). */
export const KlDiv = contract<DivergenceInputs, KlDivAttrs>()('LigerKlDiv', ['loss'], divisorOutput);

/** dinput. */
export const KlDivGrad = contract<DivergenceGradInputs, KlDivAttrs>()('LigerKlDivGrad', ['dinput']);
