import './register.js';

export { type RegisterWebGPUBackendOptions, registerWebGPUBackend } from './backend/register_webgpu_backend.js';
export { type RmsNormConfig, rmsNorm } from './ops/rms_norm.js';
