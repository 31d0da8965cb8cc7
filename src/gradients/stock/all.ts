// Written by `npm run lists`.
export * from './gather_v2.js';
export * from './reductions.js';
