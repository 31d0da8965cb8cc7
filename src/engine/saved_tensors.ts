import type { Tensor } from '@tensorflow/tfjs-core';
import { mayNeedGradient } from './tape.js';

/**
 * The `inputsToSave` of a GradConfig.
 *
 * tfjs saves `inputsToSave.map((name) => inputs[name]).concat(outputs)`, clones each by another `map`, and gives that list to
 * the gradient: it has no names, and can't have a hole where a call lacks an input. This list and the one that it is mapped to
 * leave out what a call lacks, and keep the names of the inputs that are there.
 */
export class SavedNames extends Array<string> {
  override map<U>(tensorOf: (name: string, index: number, all: string[]) => U): U[] {
    const tensors = Array.from(this, (name, i) => [name, tensorOf(name, i, this) as Tensor | undefined] as const);
    const present = tensors.filter((entry): entry is readonly [string, Tensor] => entry[1] !== undefined);
    return SavedTensors.ofInputs(present) as unknown as U[];
  }
}

/** What was saved of a call: inputs, by their names, then outputs. */
export class SavedTensors extends Array<Tensor> {
  private inputNames: readonly string[] = [];
  /** Whether the gradient of each input may be asked for. */
  wants: Readonly<Record<string, boolean>> = {};

  static ofInputs(inputs: ReadonlyArray<readonly [name: string, Tensor]>): SavedTensors {
    const saved = new SavedTensors();
    saved.push(...inputs.map(([, tensor]) => tensor));
    saved.inputNames = inputs.map(([name]) => name);
    saved.wants = Object.fromEntries(inputs.map(([name, tensor]) => [name, mayNeedGradient(tensor)]));
    return saved;
  }

  override concat(...outputs: Array<ConcatArray<Tensor> | Tensor>): SavedTensors {
    return this.holding([...this, ...(outputs.flat() as Tensor[])]);
  }

  /** tfjs maps tensors to clones of theirs. */
  override map<U>(callback: (tensor: Tensor, index: number, all: Tensor[]) => U): U[] {
    return this.holding(Array.from(this, (tensor, i) => callback(tensor, i, this) as Tensor)) as unknown as U[];
  }

  byName(outputNames: readonly string[]): Record<string, Tensor> {
    return Object.fromEntries([...this.inputNames, ...outputNames].map((name, i) => [name, this[i]!]));
  }

  private holding(tensors: readonly Tensor[]): SavedTensors {
    const saved = new SavedTensors();
    saved.push(...tensors);
    saved.inputNames = this.inputNames;
    saved.wants = this.wants;
    return saved;
  }
}
