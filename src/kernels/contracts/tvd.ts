import { contract } from './shared/contract.js';
import {
  type DivergenceAttrs,
  type DivergenceGradInputs,
  type DivergenceInputs,
  divisorOutput,
} from './shared/divergence.js';

/** The loss is |input − target| / 2. */
export const Tvd = contract<DivergenceInputs, DivergenceAttrs>()('LigerTvd', ['loss'], divisorOutput);

/** dinput. */
export const TvdGrad = contract<DivergenceGradInputs, DivergenceAttrs>()('LigerTvdGrad', ['dinput']);
