import { type KernelFunc, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { Contract, Tensors } from '../../contracts/shared/contract.js';
import { kernelFuncOf } from '../../contracts/shared/kernel_func.js';

/** A kernel as a few tfjs ops, for any backend. */
export interface ComposedKernel<Inputs, Attrs, Outputs> {
  readonly contract: Contract<Inputs, Attrs, Outputs>;
  readonly kernelFunc: KernelFunc;
  /** The computation, for other composed kernels. */
  run(inputs: Tensors<Inputs, Tensor>, attrs: Attrs): Tensors<Outputs, Tensor>;
}

/** The composed kernel of a contract. `run` is called in a tidy. */
export function composedKernel<Inputs, Attrs, Outputs>(
  contract: Contract<Inputs, Attrs, Outputs>,
  run: (inputs: Tensors<NoInfer<Inputs>, Tensor>, attrs: NoInfer<Attrs>) => Tensors<NoInfer<Outputs>, Tensor>,
): ComposedKernel<Inputs, Attrs, Outputs> {
  const kernelFunc = kernelFuncOf<Inputs, Attrs, Outputs, Tensor>(contract, (inputs, attrs) =>
    tidy(() => run(inputs, attrs)),
  );
  return { contract, run, kernelFunc };
}
