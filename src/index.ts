import './register.js';

export { type RegisterWebGPUBackendOptions, registerWebGPUBackend } from './backend/register_webgpu_backend.js';
export { type FusedAddRmsNormConfig, type FusedAddRmsNormResult, fusedAddRmsNorm } from './ops/fused_add_rms_norm.js';
export { type RmsNormConfig, rmsNorm } from './ops/rms_norm.js';
