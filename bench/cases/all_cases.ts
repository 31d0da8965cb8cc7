import type { BenchCase } from '../harness/bench_case.js';
import { adamW } from './adam_w.js';
import { configCheck } from './config_check.js';
import { crossEntropy } from './cross_entropy.js';
import { embedding } from './embedding.js';
import { fusedAddRmsNorm } from './fused_add_rms_norm.js';
import { fusedLinearCrossEntropy } from './fused_linear_cross_entropy.js';
import { geglu, swiglu } from './gated_activations.js';
import { gpt2 } from './gpt2.js';
import { layerNorm } from './layer_norm.js';
import { linear } from './linear.js';
import { rmsNorm } from './rms_norm.js';
import { rope } from './rope.js';
import { softmax } from './softmax.js';

/** The cases of each op, at their real shapes or, quick, at ones that a software GPU gets through. */
export const allCases: Record<string, (quick: boolean) => BenchCase[]> = {
  configCheck,
  rmsNorm,
  fusedAddRmsNorm,
  layerNorm,
  softmax,
  swiglu,
  geglu,
  rope,
  embedding,
  linear,
  crossEntropy,
  fusedLinearCrossEntropy,
  adamW,
  gpt2,
};
