import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import type { RmsNormAttrs, RmsNormGradAttrs, RmsNormGradInputs, RmsNormInputs } from './rms_norm.js';
import { contract } from './shared/contract.js';

export interface ModulatedRmsNormInputs extends RmsNormInputs {
  /** [C], [B, C] or [B, ..., C], where x is [B, ..., C]. */
  scale: TensorInfo;
  /** Of scale's shape. */
  shift?: TensorInfo;
}
/** y [..., C] = x · rstd · (gamma + offset) · (1 + scale) + shift, rstd [...] = 1 / √(mean(x²) + epsilon). */
export const ModulatedRmsNorm = contract<ModulatedRmsNormInputs, RmsNormAttrs>()('LigerModulatedRmsNorm', [
  'y',
  'rstd',
]);

export interface ModulatedRmsNormGradInputs extends RmsNormGradInputs {
  /** As LigerModulatedRmsNorm took it. */
  scale: TensorInfo;
}
export interface ModulatedRmsNormGradAttrs extends RmsNormGradAttrs {
  /** Whether dshift is there: where rows of x share a row of scale. Where each has its own, dshift is dy. */
  dshift: boolean;
}
/** dx [..., C], dscale and dshift of scale's shape, dgamma [C]. */
export const ModulatedRmsNormGrad = contract<ModulatedRmsNormGradInputs, ModulatedRmsNormGradAttrs>()(
  'LigerModulatedRmsNormGrad',
  ['dx', 'dscale'],
  { dgamma: ({ dgamma }) => dgamma, dshift: ({ dshift }) => dshift },
);

/** x as segments, each of consecutive rows that share a row of scale. */
export function segmentsOf(
  x: readonly number[],
  scale: readonly number[],
): [segments: number, rows: number, columns: number] {
  const segments = util.sizeFromShape(scale.slice(0, -1));
  const rows = util.sizeFromShape(x.slice(0, -1));
  return [segments, segments === 0 ? 1 : rows / segments, x[x.length - 1]!];
}
