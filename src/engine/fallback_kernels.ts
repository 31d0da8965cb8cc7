import { getKernel, type KernelFunc, registerKernel } from '@tensorflow/tfjs-core';
import type { Contract } from '../kernels/contracts/shared/contract.js';

const fallbacks = new Map<string, KernelFunc>();

/** Declares the kernel that serves every backend which has none of its own for the name. */
export function setFallbackKernel(kernelName: string, kernelFunc: KernelFunc): void {
  fallbacks.set(kernelName, kernelFunc);
}

/** The fallback of a contract: the reference for every other kernel of it. */
export function fallbackKernel({ name }: Contract): KernelFunc {
  const kernelFunc = fallbacks.get(name);
  if (!kernelFunc) throw new Error(`There is no composed kernel '${name}'`);
  return kernelFunc;
}

/** Registers the fallbacks for `backendName` where it has no kernel of its own. */
export function registerFallbackKernels(backendName: string): void {
  for (const [kernelName, kernelFunc] of fallbacks) {
    if (!getKernel(kernelName, backendName)) registerKernel({ kernelName, backendName, kernelFunc });
  }
}
