import {
  engine,
  getKernel,
  type KernelFunc,
  type NamedAttrMap,
  type NamedTensorMap,
  registerKernel,
  type Tensor,
} from '@tensorflow/tfjs-core';

const composedKernels = new Map<string, KernelFunc>();

/** Declares the kernel that serves every backend which has none of its own for `kernelName`. */
export function registerComposedKernel(kernelName: string, kernelFunc: KernelFunc): void {
  composedKernels.set(kernelName, kernelFunc);
}

/** The composed kernel of `kernelName`: the reference for every other. */
export function composedKernel(kernelName: string): KernelFunc {
  const kernel = composedKernels.get(kernelName);
  if (!kernel) throw new Error(`There is no composed kernel '${kernelName}'`);
  return kernel;
}

/** Registers the composed kernels for `backendName` where it has none of its own. */
export function registerComposedKernelsFor(backendName: string): void {
  for (const [kernelName, kernelFunc] of composedKernels) {
    if (!getKernel(kernelName, backendName)) registerKernel({ kernelName, backendName, kernelFunc });
  }
}

/**
 * Runs a kernel of this library on the current backend: its own where it has one, otherwise the composed one.
 * Inputs that are undefined are left out, as the tape expects. Inputs may also be an array, as tfjs's AddN takes them.
 */
export function runKernel(
  kernelName: string,
  inputs: Record<string, Tensor | undefined> | readonly Tensor[],
  attrs: object,
): Tensor[] {
  const present = Array.isArray(inputs) ? inputs : presentOnes(inputs as Record<string, Tensor | undefined>);
  // The getter initialises a backend that was chosen but not used yet.
  if (engine().backendName == null) engine().backend;
  if (!getKernel(kernelName, engine().backendName)) registerComposedKernelsFor(engine().backendName);
  const result = engine().runKernel(kernelName, present as NamedTensorMap, attrs as NamedAttrMap) as unknown as
    | Tensor
    | Tensor[];
  return Array.isArray(result) ? result : [result];
}

/** The inputs that were given. */
export function presentOnes(inputs: Record<string, Tensor | undefined>): Record<string, Tensor> {
  const present: Record<string, Tensor> = {};
  for (const name in inputs) {
    const tensor = inputs[name];
    if (tensor) present[name] = tensor;
  }
  return present;
}
