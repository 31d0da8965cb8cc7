import { engine } from '@tensorflow/tfjs-core';
import { isWebGPUBackend } from '../backend/tfjs_webgpu_backend.js';

/** Whether the current backend is one of WebGPU: ours, or tfjs's own. */
export const runsOnWebGPU = (): boolean => isWebGPUBackend(engine().backend);
