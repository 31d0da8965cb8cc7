/** Gradients of stock ops for which tfjs has none. */
import { type GradConfig, getGradient, registerGradient, unregisterGradient } from '@tensorflow/tfjs-core';

let missing: readonly GradConfig[] = [];

/** Says which gradients `registerMissingGradients` will register. */
export function provideMissingGradients(configs: readonly GradConfig[]): void {
  missing = configs;
}

/** Registers those gradients that no one has. Returns what takes them away again. */
export function registerMissingGradients(): () => void {
  const added = missing.filter(({ kernelName }) => !getGradient(kernelName));
  for (const config of added) registerGradient(config);
  return () => {
    for (const config of added) if (getGradient(config.kernelName) === config) unregisterGradient(config.kernelName);
  };
}
