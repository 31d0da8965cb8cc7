// Written by `npm run lists`.
export * from './adam_w.js';
export * from './cross_entropy.js';
export * from './dyt.js';
export * from './embedding.js';
export * from './flash_attention.js';
export * from './fused_add_rms_norm.js';
export * from './fused_linear_cross_entropy.js';
export * from './geglu.js';
export * from './layer_norm.js';
export * from './linear.js';
export * from './modulated_rms_norm.js';
export * from './multi_token_attention.js';
export * from './poly_norm.js';
export * from './rms_norm.js';
export * from './rope.js';
export * from './softmax.js';
export * from './swiglu.js';
