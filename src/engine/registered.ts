/** What is registered with tfjs's engine. */
import { engine, type KernelBackend, type Variable } from '@tensorflow/tfjs-core';

/** The variable of a name. */
export function variableNamed(name: string): Variable | undefined {
  return engine().registeredVariables[name];
}

/** The backend of a name, if it was made already: tf.findBackend would make it. */
export function backendNamed(name: string): KernelBackend | undefined {
  return engine().registry[name];
}

/** The op that runs now, for messages. */
export function currentOp(): string {
  const scope = (engine().state as { activeScope?: { name?: string } }).activeScope?.name;
  return scope && scope !== 'unnamed scope' ? scope.replace(/_*__op$/, '') : 'the step';
}
