// Mocha's entry in Node.js. Mocha would require() TypeScript files; imported here they are ES modules, as for users, and
// the backend is set up before the first of them imports the library.
import { readdirSync } from 'node:fs';

await import('./root_hooks.ts');

const folder = new URL('..', import.meta.url);
const nodeOnly = process.env.LIGER_TEST_BACKEND === 'node';
const specs = readdirSync(folder, { recursive: true })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.test.ts') && file.endsWith('.node.test.ts') === nodeOnly)
  .sort();
for (const file of specs) {
  await import(new URL(file, folder).href);
}
