/** What the examples and the benchmark run on in Node.js; examples/support/choose_backend.ts loads them. */
export const backends = ['webgpu', 'tensorflow', 'wasm', 'cpu'];
