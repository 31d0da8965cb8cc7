import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { Qwen2vlMrope } from '../kernels/contracts/qwen2vl_mrope.js';

export const qwen2vlMropeGradient = gradientOf(Qwen2vlMrope, {
  save: ['cos', 'sin'],
  backward: ({ rotatedQ, rotatedK }, { cos, sin }, { mropeSection, transposed }) => {
    const inputs = { q: rotatedQ, k: rotatedK, cos, sin };
    const attrs = { mropeSection, transposed: !transposed };
    const { rotatedQ: dq, rotatedK: dk } = runKernel(Qwen2vlMrope, inputs, attrs);
    return { q: () => dq, k: () => dk };
  },
});
