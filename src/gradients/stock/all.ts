// Written by `npm run lists`.
export * from './batch_mat_mul.js';
export * from './broadcasts.js';
export * from './cumsum.js';
export * from './gather_v2.js';
export * from './one_hot.js';
export * from './outputs.js';
export * from './reductions.js';
export * from './tile.js';
export * from './unsorted_segment_sum.js';
