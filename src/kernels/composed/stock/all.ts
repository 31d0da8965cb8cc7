// Written by `npm run lists`.
export * from './einsum.js';
