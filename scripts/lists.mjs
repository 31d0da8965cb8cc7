/**
 * Writes the lists of what there is one file an op of, from the files: node scripts/lists.mjs [--check]
 * A list can't forget a file then, and is in the order of the names. With --check it only says whether they are current.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { root } from './lib/process.mjs';

const folders = [
  'src/kernels/contracts',
  'src/kernels/composed',
  'src/kernels/composed/stock',
  'src/kernels/webgpu',
  'src/kernels/webgpu/stock',
  'src/gradients',
  'src/gradients/missing',
  'src/gradients/stock',
  'bench/cases',
];

const HEAD = '// Written by `npm run lists`.\n';

async function listOf(folder) {
  const files = await readdir(path.join(root, folder));
  const modules = files.filter((file) => file.endsWith('.ts') && file !== 'all.ts').sort();
  return HEAD + modules.map((file) => `export * from './${file.replace(/\.ts$/, '.js')}';\n`).join('');
}

for (const folder of folders) {
  const file = path.join(root, folder, 'all.ts');
  const wanted = await listOf(folder);
  const current = await readFile(file, 'utf8').catch(() => '');
  if (current === wanted) continue;
  if (process.argv.includes('--check')) {
    console.error(`${folder}/all.ts does not have what the folder has: npm run lists`);
    process.exitCode = 1;
  } else {
    await writeFile(file, wanted);
    console.log(`${folder}/all.ts`);
  }
}
