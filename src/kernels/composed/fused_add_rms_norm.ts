import { add, type KernelFunc, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { rmsNorm, rmsNormGrad } from './rms_norm.js';

export const fusedAddRmsNorm: KernelFunc = ({ inputs, attrs, backend }) => {
  const { x, residual, gamma } = inputs as { x: Tensor; residual: Tensor; gamma: Tensor };
  return tidy(() => {
    const sum = add(x, residual);
    const [y, rstd] = rmsNorm({ inputs: { x: sum, gamma }, attrs, backend }) as Tensor[];
    return [y!, sum, rstd!];
  });
};

export const fusedAddRmsNormGrad: KernelFunc = ({ inputs, attrs, backend }) => {
  const { dy, dresidual, residual, gamma, rstd } = inputs as Record<string, Tensor>;
  return tidy(() => {
    const norm = { dy: dy!, x: residual!, gamma: gamma!, rstd: rstd! };
    const [dx, dgamma] = rmsNormGrad({ inputs: norm, attrs, backend }) as Tensor[];
    return [add(dx!, dresidual!), dgamma!];
  });
};
