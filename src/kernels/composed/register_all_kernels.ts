import type { KernelFunc } from '@tensorflow/tfjs-core';
import {
  ActivationGrad,
  AdamW,
  AdamWStep,
  BiasGrad,
  CrossEntropy,
  CrossEntropyGrad,
  Embedding,
  EmbeddingGrad,
  FusedAddRmsNorm,
  FusedAddRmsNormGrad,
  FusedLinearCrossEntropy,
  Geglu,
  GegluGrad,
  LayerNorm,
  LayerNormGrad,
  Linear,
  LinearGradWeight,
  LinearGradX,
  RmsNorm,
  RmsNormGrad,
  Rope,
  Softmax,
  SoftmaxGrad,
  SquaredNorms,
  Swiglu,
  SwigluGrad,
} from '../kernel_names.js';
import { registerComposedKernel } from '../run_kernel.js';
import { adamW, adamWStep, squaredNorms } from './adamw.js';
import { crossEntropy, crossEntropyGrad } from './cross_entropy.js';
import { embedding, embeddingGrad } from './embedding.js';
import { fusedAddRmsNorm, fusedAddRmsNormGrad } from './fused_add_rms_norm.js';
import { fusedLinearCrossEntropy } from './fused_linear_cross_entropy.js';
import { geglu, gegluGrad } from './geglu.js';
import { layerNorm, layerNormGrad } from './layer_norm.js';
import { activationGrad, biasGrad, linear, linearGradWeight, linearGradX } from './linear.js';
import { rmsNorm, rmsNormGrad } from './rms_norm.js';
import { rope } from './rope.js';
import { softmax, softmaxGrad } from './softmax.js';
import { swiglu, swigluGrad } from './swiglu.js';

const kernels: Record<string, KernelFunc> = {
  [FusedLinearCrossEntropy]: fusedLinearCrossEntropy,
  [ActivationGrad]: activationGrad,
  [BiasGrad]: biasGrad,
  [Linear]: linear,
  [LinearGradWeight]: linearGradWeight,
  [LinearGradX]: linearGradX,
  [AdamWStep]: adamWStep,
  [AdamW]: adamW,
  [CrossEntropyGrad]: crossEntropyGrad,
  [CrossEntropy]: crossEntropy,
  [EmbeddingGrad]: embeddingGrad,
  [Embedding]: embedding,
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
  [SquaredNorms]: squaredNorms,
  [SwigluGrad]: swigluGrad,
  [Swiglu]: swiglu,
};

/** Declares the composed kernel of every kernel name. */
export function registerComposedKernels(): void {
  for (const [name, kernel] of Object.entries(kernels)) registerComposedKernel(name, kernel);
}
