import { Jsd, JsdGrad } from '../contracts/jsd.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { divergenceKernels } from './shared/divergence.js';

/** p · (a − b), and 0 where p is 0: a logarithm may be −∞ there. */
const surprise = (type: string, p: string, a: string, b: string) =>
  `select(${p} * (${a} - ${b}), ${type}(), ${p} == ${type}())`;

const kernels = divergenceKernels('jsd', (type, { beta }: { beta: 'zero' | 'one' | 'between' }) => {
  const common = 'let p = exp(target_); let q = exp(input);';
  if (beta === 'zero') return { common, loss: surprise(type, 'p', 'target_', 'input'), slope: '-p' };
  if (beta === 'one') {
    const reverse = surprise(type, 'q', 'input', 'target_');
    return { common, loss: reverse, slope: `${reverse} + q` };
  }
  const ofInput = `(1.0 - u.beta) * ${surprise(type, 'q', 'input', 'logM')}`;
  return {
    common: `${common} let logM = log(u.beta * p + (1.0 - u.beta) * q);`,
    loss: `u.beta * ${surprise(type, 'p', 'target_', 'logM')} + ${ofInput}`,
    slope: ofInput,
    uniforms: { beta: 'f32' },
  };
});

const specOf = (beta: number) => ({ beta: beta === 0 ? 'zero' : beta === 1 ? 'one' : 'between' }) as const;

export const jsd = webgpuKernel(Jsd, (gpu, inputs, { beta, ...attrs }) =>
  kernels.forward(gpu, inputs, attrs, specOf(beta), { beta }),
);

export const jsdGrad = webgpuKernel(JsdGrad, (gpu, inputs, { beta, ...attrs }) =>
  kernels.backward(gpu, inputs, attrs, specOf(beta), { beta }),
);
