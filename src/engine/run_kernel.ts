import { engine, getKernel, type NamedAttrMap, type NamedTensorMap, type Tensor } from '@tensorflow/tfjs-core';
import type { Contract, Tensors } from '../kernels/contracts/shared/contract.js';
import { registerFallbackKernels } from './fallback_kernels.js';
import { type Gradient, gradients } from './gradient.js';
import { isRecording, mayNeedGradient } from './tape.js';

/**
 * Runs a kernel of this library on the current backend: its own where it has one, otherwise the composed one. Inputs that are
 * undefined are left out.
 */
export function runKernel<Inputs, Attrs, Outputs>(
  contract: Contract<Inputs, Attrs, Outputs>,
  inputs: Tensors<NoInfer<Inputs>, Tensor>,
  attrs: NoInfer<Attrs>,
): Tensors<Outputs, Tensor> {
  const present: object = Array.isArray(inputs) ? inputs : presentOnes(inputs as Record<string, Tensor | undefined>);
  const call: Call = { contract, inputs: present as NamedTensorMap, attrs: attrs as NamedAttrMap };
  const gradient = gradients.get(contract.name);
  const outputs = gradient?.hides(call.attrs) && isRecording() ? runHiding(call, gradient) : run(call);
  return outputs as Tensors<Outputs, Tensor>;
}

interface Call {
  contract: Contract;
  inputs: NamedTensorMap;
  attrs: NamedAttrMap;
}

/** Runs a kernel, and gives its outputs by their names, or as a list where they have none. */
function run({ contract, inputs, attrs }: Call): Record<string, Tensor> | Tensor[] {
  const current = engine();
  // The getter initialises a backend that was chosen but not used yet.
  if (current.backendName == null) current.backend;
  if (!getKernel(contract.name, current.backendName)) registerFallbackKernels(current.backendName);
  const result: Tensor | Tensor[] = current.runKernel(contract.name, inputs, attrs);
  const list = Array.isArray(result) ? result : [result];
  return contract.isList ? list : byName(contract.outputsOf(attrs), list);
}

/** As tfjs's engine has it, which does not declare it. */
interface EngineWithCustomKernels {
  runKernelFunc(kernel: {
    inputs: NamedTensorMap;
    attrs: object;
    forwardFunc(backend: unknown, save: (tensors: Tensor[]) => void): Tensor[];
    backwardsFunc(dys: Tensor | Tensor[], saved: Tensor[]): Record<string, () => Tensor>;
  }): Tensor[];
}

/**
 * Runs a kernel some of whose outputs the tape only saves for the backward pass. As outputs of a node of the tape each would
 * get a gradient of zeros of its size, made in JavaScript.
 */
function runHiding(call: Call, gradient: Gradient): Record<string, Tensor> {
  const { contract, inputs, attrs } = call;
  const visible = contract.outputsOf(attrs).filter((name) => !gradient.hidden.has(name));
  const savedNames = gradient.savedBy(inputs, attrs);
  const wants = Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, mayNeedGradient(tensor)]));
  const outputs = (engine() as unknown as EngineWithCustomKernels).runKernelFunc({
    inputs,
    attrs,
    forwardFunc: (_, save) => {
      const made = run(call) as Record<string, Tensor>;
      save(savedNames.map((name) => inputs[name] ?? made[name]!));
      return visible.map((name) => made[name]!);
    },
    backwardsFunc: (dys, saved) =>
      gradient.backward(byName(visible, Array.isArray(dys) ? dys : [dys]), byName(savedNames, saved), attrs, wants),
  });
  return byName(visible, outputs);
}

const byName = (names: readonly string[], tensors: readonly Tensor[]): Record<string, Tensor> =>
  Object.fromEntries(names.map((name, i) => [name, tensors[i]!]));

/** The inputs that were given. */
function presentOnes(inputs: Record<string, Tensor | undefined>): Record<string, Tensor> {
  const present: Record<string, Tensor> = {};
  for (const name in inputs) {
    const tensor = inputs[name];
    if (tensor) present[name] = tensor;
  }
  return present;
}
