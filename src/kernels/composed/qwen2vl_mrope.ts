import { Qwen2vlMrope } from '../contracts/qwen2vl_mrope.js';
import { composedKernel } from './shared/composed_kernel.js';
import { anglesBySection, rotateHalves } from './shared/rotation.js';

export const qwen2vlMrope = composedKernel(Qwen2vlMrope, ({ q, k, cos, sin }, { mropeSection, transposed }) => {
  const [ownCos, ownSin] = [anglesBySection(cos, mropeSection), anglesBySection(sin, mropeSection)];
  const rotation = { layout: 'bhtd', transposed } as const;
  return { rotatedQ: rotateHalves(q, ownCos, ownSin, rotation), rotatedK: rotateHalves(k, ownCos, ownSin, rotation) };
});
