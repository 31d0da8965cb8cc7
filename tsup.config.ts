import { defineConfig } from 'tsup';

// `register` is an entry of its own, so that package.json can declare it as the one module with a side effect
// and bundlers may drop everything else that an application does not import.
export default defineConfig({
  entry: ['src/index.ts', 'src/register.ts'],
  format: ['esm', 'cjs'],
  target: 'es2022',
  platform: 'neutral',
  dts: true,
  sourcemap: true,
  splitting: true,
  treeshake: false,
  clean: true,
});
