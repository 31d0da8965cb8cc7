export { type AdamWConfig, AdamWOptimizer, adamW } from './adam_w.js';
