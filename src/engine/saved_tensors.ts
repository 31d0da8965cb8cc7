import type { Tensor } from '@tensorflow/tfjs-core';
import { isShapeOnly } from './shape_only.js';
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
    const tensors: Record<string, Tensor> = {};
    const wants: Record<string, boolean> = {};
    for (let i = 0; i < this.length; i++) {
      const tensor = tensorOf(this[i]!, i, this) as Tensor | undefined;
      if (!tensor) continue;
      tensors[this[i]!] = tensor;
      wants[this[i]!] = mayNeedGradient(tensor);
    }
    return SavedTensors.make(Object.keys(tensors), tensors, wants) as unknown as U[];
  }
}

/** What was saved of a call: tensors whose names are known, then outputs. */
export class SavedTensors extends Array<Tensor> {
  private names: readonly string[] = [];
  wants: Readonly<Record<string, boolean>> = {};
  visible: readonly string[] | undefined;
  /**
   * Whether no one reads these after the gradient that is computed now. The backward pass says so where no tape is around its own: it
   * comes to a node once, and gives back what the node saved.
   */
  isLastUse = false;

  /**
   * @param names What is saved of `tensors`.
   * @param wants Whether the gradient of each input may be asked for.
   * @param visible The outputs that the tape sees; undefined for all.
   */
  static make(
    names: readonly string[],
    tensors: Readonly<Record<string, Tensor>>,
    wants: Readonly<Record<string, boolean>>,
    visible?: readonly string[],
  ): SavedTensors {
    const saved = new SavedTensors();
    for (const name of names) saved.push(tensors[name]!);
    saved.names = names;
    saved.wants = wants;
    saved.visible = visible;
    return saved;
  }

  /** tfjs appends outputs. */
  override concat(...outputs: Array<ConcatArray<Tensor> | Tensor>): SavedTensors {
    return this.holding([...this, ...(outputs.flat() as Tensor[])]);
  }

  /** tfjs maps tensors to clones of theirs. What has a shape alone stays as it is. */
  override map<U>(callback: (tensor: Tensor, index: number, all: Tensor[]) => U): U[] {
    const clones: Tensor[] = [];
    for (const [i, tensor] of this.entries()) {
      clones.push(isShapeOnly(tensor) ? tensor : (callback(tensor, i, this) as Tensor));
    }
    return this.holding(clones) as unknown as U[];
  }

  /** @param outputNames The names of the outputs that tfjs appended. */
  byName(outputNames: readonly string[]): Record<string, Tensor> {
    const byName: Record<string, Tensor> = {};
    for (let i = 0; i < this.length; i++) byName[this.names[i] ?? outputNames[i - this.names.length]!] = this[i]!;
    return byName;
  }

  private holding(tensors: readonly Tensor[]): SavedTensors {
    const saved = new SavedTensors();
    saved.push(...tensors);
    saved.names = this.names;
    saved.wants = this.wants;
    saved.visible = this.visible;
    return saved;
  }
}
