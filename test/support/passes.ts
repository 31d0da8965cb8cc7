/** What one pass of `npm test` tries for the others, because it is the same there. CONTRIBUTING.md says what a pass is for. */
import { pass } from './platform_node.js';

/** The WebGPU matmul in each of its tiles: they ask for no subgroups, and take SwiftShader longer to compile than all else. */
export const triesEveryTile = pass === 'webgpu';

/** How many of a property's runs: the browser has the programs that Node.js has, and tries a third of the sizes. */
export const runsOf = (numRuns: number): number => (pass === 'karma-webgpu' ? Math.ceil(numRuns / 3) : numRuns);

/** tf.layers, our own and patched ones one by one: they are made of ops, which every pass tries. */
export const triesLayers = pass !== 'webgpu-shared' && pass !== 'karma-webgpu';
