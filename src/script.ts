/** What a script tag has: everything, with the layers as `liger.layers`. */
export * from './index.js';
export * as layers from './layers/index.js';
