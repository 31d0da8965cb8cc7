import * as tf from '@tensorflow/tfjs';
import type { SafetensorsTensor } from './safetensors.js';

type Variables = Record<string, tf.Variable>;

/** Gives a model the values of a checkpoint, which must have every parameter in its shape, and may have more. */
export function setParameters(variables: Variables, values: Record<string, SafetensorsTensor>): void {
  for (const [name, variable] of Object.entries(variables)) {
    const value = values[name];
    if (!value) throw new Error(`The checkpoint has no ${name}`);
    if (!tf.util.arraysEqual(variable.shape, value.shape as number[])) {
      throw new Error(`The checkpoint's ${name} has the shape [${value.shape}] instead of [${variable.shape}]`);
    }
    tf.tidy(() => variable.assign(tf.tensor(value.data, variable.shape)));
  }
}

/** The values of a model's parameters, to be saved. */
export async function getParameters(variables: Variables): Promise<Record<string, SafetensorsTensor>> {
  const values: Record<string, SafetensorsTensor> = {};
  for (const [name, variable] of Object.entries(variables)) {
    values[name] = { shape: variable.shape, data: (await variable.data()) as Float32Array };
  }
  return values;
}
