export { type AdamWConfig, AdamWOptimizer, adamW } from './adamw.js';
