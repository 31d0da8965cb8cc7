// Written by `npm run lists`.
export * from './batch_mat_mul.js';
export * from './reductions.js';
export * from './softmax.js';
export * from './tile.js';
export * from './transpose.js';
