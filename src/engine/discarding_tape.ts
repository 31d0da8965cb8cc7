import { type engine, type Tensor, type TensorContainer, tidy } from '@tensorflow/tfjs-core';
import { disposeSaved } from './backward_pass.js';
import { isRecording, mayNeedGradient, onTape } from './tape.js';

type Node = ReturnType<typeof engine>['state']['activeTape'][number];

/** A tape that notes what depends on what, and gives back at once what nodes save for a backward pass. */
class DiscardingTape extends Array<Node> {
  override push(...nodes: Node[]): number {
    for (const node of nodes) {
      disposeSaved(node);
    }
    return super.push(...nodes);
  }
}

export interface Discarded<R> {
  readonly value: R;
  /**
   * The tensors from outside of `f`, variables among them, that it read and whose gradients the tape may be asked for. None, if
   * the tape does not record.
   */
  readonly used: Tensor[];
}

/** Runs `f` without recording it: of the tensors that it makes, those that it returns remain. */
export function runDiscarding<R extends TensorContainer>(f: () => R): Discarded<R> {
  if (!isRecording()) return { value: tidy(f), used: [] };
  const tape = new DiscardingTape();
  const value = onTape(tape, () => tidy(f));
  const made = new Set(tape.flatMap(({ outputs }) => outputs.map(({ id }) => id)));
  const used = new Map<number, Tensor>();
  for (const { inputs } of tape) {
    for (const tensor of Object.values(inputs)) {
      // What is disposed was made within f, of values alone.
      if (!made.has(tensor.id) && !tensor.isDisposed) used.set(tensor.id, tensor);
    }
  }
  return { value, used: [...used.values()].filter(mayNeedGradient) };
}
