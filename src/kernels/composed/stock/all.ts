// Written by `npm run lists`.
export * from './add_n.js';
export * from './einsum.js';
