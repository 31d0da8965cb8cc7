import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import type { Contract, Tensors } from './contract.js';

/**
 * tfjs's kernel function for one that takes and gives tensors by their names. Outputs that are undefined are left out. The
 * inputs are tensors, as tfjs gives them, though its types promise no more than TensorInfo.
 *
 * @throws When it is called, if `body` does not give the outputs that the contract promises for the call.
 */
export function kernelFuncOf<Inputs, Attrs, Outputs, T extends TensorInfo>(
  contract: Contract<Inputs, Attrs, Outputs>,
  body: (inputs: Tensors<Inputs, T>, attrs: Attrs, backend: object) => Tensors<Outputs, TensorInfo>,
): KernelFunc {
  return ({ inputs, attrs = {}, backend }) => {
    const outputs = body(inputs as Tensors<Inputs, T>, attrs as Attrs, backend as object) as Record<
      string,
      TensorInfo | undefined
    >;
    if (contract.isList) return Object.values(outputs) as TensorInfo[];
    const list = contract.outputsOf(attrs).map((name) => {
      const output = outputs[name];
      if (!output) throw new Error(`${contract.name}: the kernel gave no '${name}'`);
      return output;
    });
    return contract.outputs.length === 1 ? list[0]! : list;
  };
}
