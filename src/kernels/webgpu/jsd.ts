import { Jsd, JsdGrad } from '../contracts/jsd.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { divergenceKernels } from './shared/divergence.js';
import { type JsdBeta, jsdBeta, jsdTerms } from './shared/jsd_terms.js';

const kernels = divergenceKernels('jsd', (type, { beta }: { beta: JsdBeta }) => {
  const { common, ...terms } = jsdTerms(type, beta);
  return {
    ...terms,
    common: `let logP = target_; let logQ = input; let p = exp(logP); let q = exp(logQ); ${common}`,
  };
});

export const jsd = webgpuKernel(Jsd, (gpu, inputs, { beta, ...attrs }) =>
  kernels.forward(gpu, inputs, attrs, { beta: jsdBeta(beta) }, { beta }),
);

export const jsdGrad = webgpuKernel(JsdGrad, (gpu, inputs, { beta, ...attrs }) =>
  kernels.backward(gpu, inputs, attrs, { beta: jsdBeta(beta) }, { beta }),
);
