// Written by `npm run lists`.
export * from './comparisons.js';
export * from './cumprod.js';
export * from './einsum.js';
export * from './gather_nd.js';
export * from './scatter_nd.js';
export * from './strided_slice.js';
export * from './tensor_scatter_update.js';
export * from './top_k.js';
