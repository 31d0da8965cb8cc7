import { engine, Tensor } from '@tensorflow/tfjs-core';
import { type ConfigOf, defaultsOf, resolveConfig } from '../checks/config_schema.js';
import { runsOnWebGPU } from '../engine/backends.js';
import { type Feature, features, type Keyword } from './features.js';
import { patchOptions } from './options.js';

/** Options of {@link patch}. */
export interface PatchOptions extends ConfigOf<typeof patchOptions> {}

const defaults = defaultsOf(patchOptions);

/** How to undo what is on, also for another copy of this module. */
const ON = Symbol.for('tfjs-liger.patched');

function installed(): Map<Keyword, () => void> {
  const global = globalThis as { [ON]?: Map<Keyword, () => void> };
  global[ON] ??= new Map();
  return global[ON];
}

/**
 * Has tfjs code that exists run on this library's kernels, with the same numbers to float32 rounding. Call it once, when tfjs and its
 * backend are there; models may be made before and after. Everything is on unless an option is false; what is on already stays on.
 *
 * What applies on every backend saves memory and time there, too; the rest falls back on tfjs's own where the backend is not WebGPU. An
 * option that is asked for and can't do anything, for that reason or since there is no tfjs-layers, says so on the console.
 *
 * @returns A function that undoes it: what this call asked for is tfjs's own again.
 * @throws If an option is unknown, or there are two copies of tfjs-core.
 */
export function patch(options?: PatchOptions): () => void {
  const config = resolveConfig('patch', patchOptions, defaults, options);
  checkOneCopy();
  const on = installed();
  const asked: Keyword[] = [];
  for (const keyword of Object.keys(features) as Keyword[]) {
    const value = config[keyword];
    if (value === undefined || value === false) continue;
    asked.push(keyword);
    // Anew where it is on already, since there may be more to replace by now, or another norm.
    on.get(keyword)?.();
    on.delete(keyword);
    const feature: Feature<never> = features[keyword];
    const undo = feature.install(value as never);
    if (typeof undo === 'function') on.set(keyword, undo);
    if (options?.[keyword]) sayWhereIdle(keyword, feature, undo);
  }
  return () => {
    for (const keyword of asked) {
      on.get(keyword)?.();
      on.delete(keyword);
    }
  };
}

/** What {@link patch} has switched on, by its options. */
export function patched(): string[] {
  const on = installed();
  return Object.keys(features).filter((keyword) => on.has(keyword as Keyword));
}

function sayWhereIdle(keyword: Keyword, { onEveryBackend }: Feature<never>, undo: unknown): void {
  const { backendName } = engine();
  if (typeof undo === 'string') console.warn(`patch: '${keyword}' is not on: ${undo}`);
  else if (!onEveryBackend && backendName && !runsOnWebGPU()) {
    console.warn(`patch: '${keyword}' changes nothing on the backend '${backendName}', only on WebGPU`);
  }
}

/** tfjs keeps the class of its tensors globally: that of the copy which was loaded first. */
function checkOneCopy(): void {
  const { _tfGlobals } = globalThis as { _tfGlobals?: ReadonlyMap<string, unknown> };
  const first = _tfGlobals?.get('Tensor');
  if (first && first !== Tensor) {
    throw new Error(
      'patch: there are two copies of @tensorflow/tfjs-core, and the one that tfjs-liger imports is not the one that makes ' +
        'tensors. Have the bundler resolve both to one file (`npm ls @tensorflow/tfjs-core` shows where they come from).',
    );
  }
}
