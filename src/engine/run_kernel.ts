import {
  engine,
  getKernel,
  type KernelConfig,
  type NamedAttrMap,
  type NamedTensorMap,
  Tensor,
} from '@tensorflow/tfjs-core';
import type { Contract, Tensors } from '../kernels/contracts/shared/contract.js';
import { registerFallbackKernels } from './fallback_kernels.js';
import { type Gradient, gradients } from './gradient.js';
import { type EngineInternals, engineInternals } from './internals.js';
import { SavedTensors } from './saved_tensors.js';
import { ShapeOnly } from './shape_only.js';
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
  const outputs = gradient && isRecording() ? runRecorded(call, gradient) : run(call);
  return outputs as Tensors<Outputs, Tensor>;
}

/** Runs a kernel whose gradient may be asked for. */
function runRecorded(call: Call, gradient: Gradient): Record<string, Tensor> | Tensor[] {
  const wants: Record<string, boolean> = {};
  let isWanted = false;
  for (const name in call.inputs) {
    wants[name] = mayNeedGradient(call.inputs[name]!);
    isWanted ||= wants[name];
  }
  return isWanted && !gradient.hides(call.attrs) ? run(call) : runSaving(call, gradient, wants, isWanted);
}

/** The current backend's kernel, which is the composed one where it has none of its own. */
function kernelOf({ name }: Contract): KernelConfig {
  const current = engine();
  // The getter initialises a backend that was chosen but not used yet.
  if (current.backendName == null) current.backend;
  const kernel = getKernel(name, current.backendName);
  if (kernel) return kernel;
  registerFallbackKernels(current.backendName);
  return getKernel(name, current.backendName);
}

interface Call {
  contract: Contract;
  inputs: NamedTensorMap;
  attrs: NamedAttrMap;
}

/** Runs a kernel, and gives its outputs by their names, or as a list where they have none. */
function run({ contract, inputs, attrs }: Call): Record<string, Tensor> | Tensor[] {
  kernelOf(contract);
  const result: Tensor | Tensor[] = engine().runKernel(contract.name, inputs, attrs);
  const list = Array.isArray(result) ? result : [result];
  return contract.isList ? list : byName(contract.outputsOf(attrs), list);
}

/**
 * Runs a kernel some of whose outputs the tape only saves for the backward pass: as outputs of a node of the tape each would get a
 * gradient of zeros of its size, made in JavaScript. Where no gradient is wanted, as of a frozen layer ahead of those that train, it
 * saves shapes alone.
 */
function runSaving(
  { contract, inputs, attrs }: Call,
  gradient: Gradient,
  wants: Readonly<Record<string, boolean>>,
  isWanted: boolean,
): Record<string, Tensor> {
  const current = engine();
  const internals = engineInternals();
  const { kernelFunc } = kernelOf(contract);
  const names = contract.outputsOf(attrs);
  const visible = names.filter((name) => !gradient.hidden.has(name));
  const hidden = names.filter((name) => gradient.hidden.has(name));
  const savedNames = gradient.savedBy(inputs, attrs);
  const forwardFunc = (_: unknown, save: (tensors: Tensor[]) => void) => {
    const result = kernelFunc({ inputs, attrs, backend: current.backend });
    const list = Array.isArray(result) ? result : [result];
    const tensors = list.map((info) => (info instanceof Tensor ? info : current.makeTensorFromTensorInfo(info)));
    const made = byName(names, tensors);
    const all: Record<string, Tensor> = { ...made, ...inputs };
    if (!isWanted) {
      for (const name of savedNames) all[name] = new ShapeOnly(all[name]!);
      for (const name of hidden) made[name]!.dispose();
    }
    const saved = SavedTensors.make(savedNames, all, wants, visible);
    if (isWanted && internals.shouldCheckForMemLeaks()) saveWithoutLeak(internals, () => save(saved), hidden.length);
    else save(saved);
    return visible.map((name) => made[name]!);
  };
  // The engine names such a kernel after the scope that it runs in, and finds its gradient by that name.
  const activeScope = internals.state.activeScope!;
  const { name } = activeScope;
  activeScope.name = contract.name;
  try {
    return byName(visible, internals.runKernelFunc({ inputs, attrs, forwardFunc }));
  } finally {
    activeScope.name = name;
  }
}

/** Has the engine's check for leaks know that what is saved remains: `hidden` outputs, or copies where clones are copies. */
function saveWithoutLeak({ backend, state }: EngineInternals, save: () => void, hidden: number): void {
  const before = backend.numDataIds();
  save();
  const copies = backend.numDataIds() - before;
  state.numDataMovesStack[state.numDataMovesStack.length - 1]! += copies > 0 ? copies : hidden;
}

function byName(names: readonly string[], tensors: readonly Tensor[]): Record<string, Tensor> {
  const record: Record<string, Tensor> = {};
  for (let i = 0; i < names.length; i++) record[names[i]!] = tensors[i]!;
  return record;
}

/** The inputs that were given. */
function presentOnes(inputs: Record<string, Tensor | undefined>): Record<string, Tensor> {
  const present: Record<string, Tensor> = {};
  for (const name in inputs) {
    const tensor = inputs[name];
    if (tensor) present[name] = tensor;
  }
  return present;
}
