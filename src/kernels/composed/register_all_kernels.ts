import type { KernelFunc } from '@tensorflow/tfjs-core';
import {
  CrossEntropy,
  CrossEntropyGrad,
  FusedAddRmsNorm,
  FusedAddRmsNormGrad,
  Geglu,
  GegluGrad,
  LayerNorm,
  LayerNormGrad,
  RmsNorm,
  RmsNormGrad,
  Softmax,
  SoftmaxGrad,
  Swiglu,
  SwigluGrad,
} from '../kernel_names.js';
import { registerComposedKernel } from '../run_kernel.js';
import { crossEntropy, crossEntropyGrad } from './cross_entropy.js';
import { fusedAddRmsNorm, fusedAddRmsNormGrad } from './fused_add_rms_norm.js';
import { geglu, gegluGrad } from './geglu.js';
import { layerNorm, layerNormGrad } from './layer_norm.js';
import { rmsNorm, rmsNormGrad } from './rms_norm.js';
import { softmax, softmaxGrad } from './softmax.js';
import { swiglu, swigluGrad } from './swiglu.js';

const kernels: Record<string, KernelFunc> = {
  [CrossEntropy]: crossEntropy,
  [CrossEntropyGrad]: crossEntropyGrad,
  [FusedAddRmsNorm]: fusedAddRmsNorm,
  [FusedAddRmsNormGrad]: fusedAddRmsNormGrad,
  [Geglu]: geglu,
  [GegluGrad]: gegluGrad,
  [LayerNorm]: layerNorm,
  [LayerNormGrad]: layerNormGrad,
  [RmsNorm]: rmsNorm,
  [RmsNormGrad]: rmsNormGrad,
  [Softmax]: softmax,
  [SoftmaxGrad]: softmaxGrad,
  [Swiglu]: swiglu,
  [SwigluGrad]: swigluGrad,
};

/** Declares the composed kernel of every kernel name. */
export function registerComposedKernels(): void {
  for (const [name, kernel] of Object.entries(kernels)) registerComposedKernel(name, kernel);
}
