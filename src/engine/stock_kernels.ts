/** What takes the place of tfjs's own kernels and gradients, on the backend that registerWebGPUBackend() makes alone. */
import {
  type DataType,
  engine,
  type GradConfig,
  type GradFunc,
  getGradient,
  getKernel,
  type KernelConfig,
  type KernelFunc,
  registerGradient,
  registerKernel,
  type Tensor,
  type TensorInfo,
  unregisterGradient,
  unregisterKernel,
} from '@tensorflow/tfjs-core';

/** A kernel under the name of one of tfjs's. It gives nothing for a call that is left to tfjs's. */
export interface KernelReplacement {
  readonly kernelName: string;
  readonly run: (call: Parameters<KernelFunc>[0]) => TensorInfo | undefined;
}

/** A gradient under the name of a kernel of tfjs's. It gives nothing for a call that is left to tfjs's. */
export interface GradientReplacement {
  readonly kernelName: string;
  readonly gradFunc: (...call: Parameters<GradFunc>) => ReturnType<GradFunc> | undefined;
}

/** A backend that has its kernels replaced. */
export interface ReplacingBackend {
  replacesStockKernels: boolean;
  /** A tensor's data, which is of integers still where they were cast to floats. */
  dataOf(tensor: TensorInfo): { readonly dtype: DataType };
}

/** Marks what was replaced here, also for another copy of this module. */
const IS_REPLACED = Symbol.for('tfjs-liger.replaced');

let kernels: readonly KernelReplacement[] = [];
let gradients: readonly GradientReplacement[] = [];

/** Says what `replaceStockKernels` will put in the place of tfjs's own. */
export function provideReplacements(
  ofKernels: readonly KernelReplacement[],
  ofGradients: readonly GradientReplacement[],
): void {
  kernels = ofKernels;
  gradients = ofGradients;
}

/** Whether a tensor's data are floats, on the current backend, which has its kernels replaced. */
export const holdsFloats = (tensor: Tensor) =>
  (engine().backend as unknown as ReplacingBackend).dataOf(tensor).dtype === 'float32';

const isReplacing = (backend: unknown) => (backend as Partial<ReplacingBackend>).replacesStockKernels === true;

/** Puts the replacements where tfjs's own kernels and gradients are. What was replaced already stays as it is. */
export function replaceStockKernels(): void {
  for (const { kernelName, run } of kernels) {
    const stock: KernelConfig | undefined = getKernel(kernelName, 'webgpu');
    if (!stock || IS_REPLACED in stock) continue;
    const kernelFunc: KernelFunc = (call) => (isReplacing(call.backend) && run(call)) || stock.kernelFunc(call);
    unregisterKernel(kernelName, 'webgpu');
    registerKernel(Object.assign({ ...stock, kernelFunc }, { [IS_REPLACED]: true }));
  }
  for (const { kernelName, gradFunc } of gradients) {
    const stock: GradConfig | undefined = getGradient(kernelName);
    if (!stock || IS_REPLACED in stock) continue;
    const either: GradFunc = (...call) =>
      (isReplacing(engine().backend) && gradFunc(...call)) || stock.gradFunc(...call);
    unregisterGradient(kernelName);
    registerGradient(Object.assign({ ...stock, gradFunc: either }, { [IS_REPLACED]: true }));
  }
}
