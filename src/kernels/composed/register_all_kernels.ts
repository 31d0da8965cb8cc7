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
  Rope,
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
import { rope } from './rope.js';
import { softmax, softmaxGrad } from './softmax.js';
import { swiglu, swigluGrad } from './swiglu.js';

const kernels: Record<string, KernelFunc> = {
  [CrossEntropyGrad]: crossEntropyGrad,
  [CrossEntropy]: crossEntropy,
  [FusedAddRmsNormGrad]: fusedAddRmsNormGrad,
  [FusedAddRmsNorm]: fusedAddRmsNorm,
  [GegluGrad]: gegluGrad,
  [Geglu]: geglu,
  [LayerNormGrad]: layerNormGrad,
  [LayerNorm]: layerNorm,
  [RmsNormGrad]: rmsNormGrad,
  [RmsNorm]: rmsNorm,
  [Rope]: rope,
  [SoftmaxGrad]: softmaxGrad,
  [Softmax]: softmax,
  [SwigluGrad]: swigluGrad,
  [Swiglu]: swiglu,
};

/** Declares the composed kernel of every kernel name. */
export function registerComposedKernels(): void {
  for (const [name, kernel] of Object.entries(kernels)) registerComposedKernel(name, kernel);
}
