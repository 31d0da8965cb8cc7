/** What takes the place of tfjs's own kernels and gradients, on the backends that ask for it. */
import {
  engine,
  type GradConfig,
  type GradFunc,
  getGradient,
  getKernel,
  Identity,
  type KernelConfig,
  type KernelFunc,
  registerGradient,
  registerKernel,
  type Tensor,
  type TensorInfo,
  unregisterGradient,
  unregisterKernel,
} from '@tensorflow/tfjs-core';
import { computedWith } from './read_by_gradients.js';
import { saveWhatIsRead } from './saved_by_kernels.js';
import { withZeros } from './shape_only.js';

/** A kernel under the name of one of tfjs's. It gives nothing for a call that is left to tfjs's. */
export interface KernelReplacement {
  readonly kernelName: string;
  /** The backends that it works on. Default WebGPU alone. */
  readonly backends?: readonly string[];
  readonly run: (call: Parameters<KernelFunc>[0]) => TensorInfo | undefined;
}

/** A gradient under the name of a kernel of tfjs's. It gives nothing for a call that is left to tfjs's. */
export interface GradientReplacement {
  readonly kernelName: string;
  readonly gradFunc: (...call: Parameters<GradFunc>) => ReturnType<GradFunc> | undefined;
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

/** A backend that may ask for replacements. */
export interface ReplacingBackend {
  replacesStockKernels: boolean;
}

const isReplacing = (backend: unknown) => (backend as Partial<ReplacingBackend>).replacesStockKernels === true;

/** Whether replacements are used on backends that did not ask for them, too. */
const everywhere = { kernels: false, gradients: false };

/** Has replacements used on every backend, or no longer. */
export function replaceEverywhere(what: keyof typeof everywhere, isOn: boolean): void {
  if (isOn) replaceStockKernels();
  everywhere[what] = isOn;
}

/** A backend that is there, but has no kernel of the name, gets one. */
function replaceKernel(kernelName: string, backendName: string, run: KernelReplacement['run']): void {
  const stock: KernelConfig | undefined = getKernel(kernelName, backendName);
  if (stock && IS_REPLACED in stock) return;
  // Before a backend is there it has kernels of this library alone.
  if (!stock && !getKernel(Identity, backendName)) return;
  const kernelFunc: KernelFunc = (call) => {
    const replaced = (everywhere.kernels || isReplacing(call.backend)) && run(call);
    if (replaced) return replaced;
    if (!stock) throw new Error(`Kernel '${kernelName}' not registered for backend '${backendName}'`);
    return stock.kernelFunc(call);
  };
  if (stock) unregisterKernel(kernelName, backendName);
  registerKernel(Object.assign({ ...stock, kernelName, backendName, kernelFunc }, { [IS_REPLACED]: true }));
}

const replacesGradients = () => everywhere.gradients || isReplacing(engine().backend);

/** Puts the replacements where tfjs's own kernels and gradients are. What was replaced already stays as it is. */
export function replaceStockKernels(): void {
  for (const { kernelName, backends = ['webgpu'], run } of kernels) {
    for (const backendName of backends) replaceKernel(kernelName, backendName, run);
  }
  for (const { kernelName, gradFunc } of gradients) replaceGradient(kernelName, gradFunc);
  for (const kernelName of computedWith) replaceGradient(kernelName);
  saveWhatIsRead(replacesGradients);
}

/** Puts a gradient in the place of tfjs's own, which serves the calls that it gives nothing for. */
function replaceGradient(kernelName: string, gradFunc?: GradientReplacement['gradFunc']): void {
  const stock: GradConfig | undefined = getGradient(kernelName);
  if (!stock || IS_REPLACED in stock) return;
  // What was saved may have a shape alone, even where nothing is replaced any more.
  const given = computedWith.has(kernelName) ? (saved: Tensor[]) => saved.map(withZeros) : (saved: Tensor[]) => saved;
  const either: GradFunc = (dy, saved, attrs) =>
    (replacesGradients() && gradFunc?.(dy, saved, attrs)) || stock.gradFunc(dy, given(saved), attrs);
  unregisterGradient(kernelName);
  registerGradient(Object.assign({ ...stock, gradFunc: either }, { [IS_REPLACED]: true }));
}
