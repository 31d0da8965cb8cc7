/** The one module with a side effect: it registers the kernels, the gradients, and the optimizer for saved models. */
import { getGradient, registerKernel, serialization } from '@tensorflow/tfjs-core';
import { provideFit } from './backend/device_fit.js';
import { registerFallbackKernels, setFallbackKernel } from './engine/fallback_kernels.js';
import { registerGradientOf } from './engine/gradient.js';
import { provideMissingGradients } from './engine/missing_gradients.js';
import { registerStockGradients } from './engine/stock_gradients.js';
import { provideReplacements } from './engine/stock_kernels.js';
import { replaceGradients } from './engine/tape.js';
import * as gradients from './gradients/all.js';
import * as missingGradients from './gradients/missing/all.js';
import * as stockGradients from './gradients/stock/all.js';
import * as composed from './kernels/composed/all.js';
import * as composedStockKernels from './kernels/composed/stock/all.js';
import { RmsNorm } from './kernels/contracts/rms_norm.js';
import * as webgpu from './kernels/webgpu/all.js';
import { matmulFit } from './kernels/webgpu/matmul/fit_device.js';
import * as stockKernels from './kernels/webgpu/stock/all.js';
import { AdamWOptimizer } from './optimizers/adam_w.js';

// The ES and the CommonJS build may both be loaded, over one tfjs; kernels and classes are then the first one's.
const isFirst = !getGradient(RmsNorm.name);

replaceGradients();
for (const gradient of Object.values(gradients)) registerGradientOf(gradient);
for (const { contract, kernelFunc } of Object.values(composed)) setFallbackKernel(contract.name, kernelFunc);
registerStockGradients();
provideMissingGradients(Object.values(missingGradients));
const replacedKernels = [...Object.values(stockKernels), ...Object.values(composedStockKernels)];
provideReplacements(replacedKernels, Object.values(stockGradients));
provideFit(matmulFit);
if (isFirst) {
  for (const kernel of Object.values(webgpu)) registerKernel(kernel);
  serialization.registerClass(AdamWOptimizer);
}
// So that tf.engine().runKernel finds them before any op has run. Another backend gets them at first use.
for (const backendName of ['cpu', 'wasm', 'webgl', 'webgpu', 'tensorflow']) registerFallbackKernels(backendName);
