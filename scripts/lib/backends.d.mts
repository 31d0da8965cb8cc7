export type Backend = 'webgpu' | 'tensorflow' | 'wasm' | 'cpu';
export const backends: readonly Backend[];
