import { type PatchOptions, patch, patched } from '../../src/index.js';
import { target } from '../support/backend.js';

/** Runs with a patch, and takes it away again. */
export async function withPatch<T>(run: () => T | Promise<T>, options?: PatchOptions): Promise<T> {
  const { unpatch } = quietly(() => ({ unpatch: patch(options) }));
  try {
    return await run();
  } finally {
    unpatch();
  }
}

/** Without what `patch` says of options that do nothing on the backend under test. */
export function quietly<T>(run: () => T): T {
  const { warn } = console;
  console.warn = () => {};
  try {
    return run();
  } finally {
    console.warn = warn;
  }
}

/** All options but these are off. */
export function only(...names: Array<keyof PatchOptions>): PatchOptions {
  const unpatch = patch();
  const all = patched();
  unpatch();
  return Object.fromEntries(all.map((name) => [name, names.includes(name as keyof PatchOptions)]));
}

/** Runs with tfjs's own: on wasm it lacks the gradient of lookups, without which no embedding trains. */
export async function withoutPatch<T>(run: () => T | Promise<T>): Promise<T> {
  return target === 'wasm' ? withPatch(run, only('embedding')) : run();
}

/** What a function gives without a patch, and with one. */
export async function withAndWithout<T>(run: () => T | Promise<T>, options?: PatchOptions) {
  const expected = await withoutPatch(run);
  return { expected, patched: await withPatch(run, options) };
}
