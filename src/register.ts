/** The one module with a side effect: it registers the kernels, the gradients, and the optimizer for saved models. */
import { getGradient, serialization } from '@tensorflow/tfjs-core';
import { registerAllGradients } from './gradients/register_all_gradients.js';
import { registerComposedKernels } from './kernels/composed/register_all_kernels.js';
import { RmsNorm } from './kernels/kernel_names.js';
import { registerComposedKernelsFor } from './kernels/run_kernel.js';
import { registerWebGPUKernels } from './kernels/webgpu/register_all_kernels.js';
import { AdamWOptimizer } from './optimizers/adamw.js';

// The ES and the CommonJS build may both be loaded, over one tfjs; the first registers.
if (!getGradient(RmsNorm)) {
  registerWebGPUKernels();
  registerAllGradients();
  serialization.registerClass(AdamWOptimizer);
}
registerComposedKernels();
// So that tf.engine().runKernel finds them before any op has run. Another backend gets them at first use.
for (const backendName of ['cpu', 'wasm', 'webgl', 'webgpu', 'tensorflow']) registerComposedKernelsFor(backendName);
