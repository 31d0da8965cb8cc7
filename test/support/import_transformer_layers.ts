import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { serialization } from '@tensorflow/tfjs-core';
import { build } from 'esbuild';
import { root } from '../../scripts/lib/process.mjs';
import { target } from './platform_node.js';

type TransformerLayers = typeof import('../patch/transformer_layers.js');

async function load(): Promise<TransformerLayers> {
  const outfile = path.join(root, `.cache/transformer_layers/${target}.mjs`);
  await build({
    entryPoints: [path.join(root, 'test/patch/transformer_layers.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    mainFields: ['module', 'main'],
    logLevel: 'warning',
    plugins: [
      {
        name: 'one-tfjs-core',
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /^@tensorflow\/tfjs-core$/ }, ({ path }) => ({ path, external: true }));
          // Which are registered already.
          onResolve({ filter: /^@tensorflow\/tfjs-core\// }, ({ path }) => ({ path, namespace: 'nothing' }));
          onLoad({ filter: /.*/, namespace: 'nothing' }, () => ({ contents: '' }));
          const library = pathToFileURL(path.join(root, 'src/index.ts')).href;
          onResolve({ filter: /\/src\/index\.js$/ }, () => ({ path: library, external: true }));
        },
      },
    ],
  });
  const { classNameMap } = serialization.SerializationMap.getMap();
  const known = { ...classNameMap };
  const layers: TransformerLayers = await import(pathToFileURL(outfile).href);
  const all = { ...classNameMap };
  const withKnown = () => {
    for (const name in all) if (!(name in known)) delete classNameMap[name];
    Object.assign(classNameMap, known);
  };
  withKnown();
  const among =
    <Args extends unknown[], Result>(run: (...args: Args) => Promise<Result>) =>
    async (...args: Args) => {
      Object.assign(classNameMap, all);
      return run(...args).finally(withKnown);
    };
  return { outputAndGradients: among(layers.outputAndGradients), trainAndReload: among(layers.trainAndReload) };
}

let loaded: Promise<TransformerLayers> | undefined;

/**
 * Imports test/patch/transformer_layers.ts, bundled with a tfjs-layers of its own: in Node.js `@tensorflow/tfjs` brings one in a single file,
 * without these layers. While it runs, the classes that
 * saved models know are its own.
 */
export function importTransformerLayers(): Promise<TransformerLayers> {
  loaded ??= load();
  return loaded;
}
