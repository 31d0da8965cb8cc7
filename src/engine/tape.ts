/** The tape of tfjs's engine: whether it records, and what it will be asked for. */
import { engine, type Tensor } from '@tensorflow/tfjs-core';
import { disposeSaved, gradientsOf } from './backward_pass.js';

/** Whether the tape records the kernel that would run now. */
export function isRecording(): boolean {
  return engine().isTapeOn();
}

/** The tensors that gradients are computed for, and what was computed from them. */
const differentiated = new Set<number>();
/** The calls of tf.grads and their kind that are under way, one within the other. */
let depth = 0;
/** Nodes of the tape whose outputs were looked at. */
let seen = 0;

/**
 * Has the engine's `gradients`, which tf.grad, tf.variableGrads and their kind call, be ours: it holds less memory, and notes for
 * which tensors gradients are computed. A kernel that computes gradients ahead of the backward pass can then leave out those of a
 * frozen weight.
 */
export function replaceGradients(): void {
  const target = engine();
  target.gradients = (f, xs, dy, allowNoGradients) => {
    depth++;
    try {
      seen = 0;
      for (const { id } of xs) differentiated.add(id);
      return gradientsOf(f, xs, dy, allowNoGradients ?? false) as never;
    } catch (error) {
      clearTape();
      throw error;
    } finally {
      if (--depth === 0) differentiated.clear();
    }
  };
}

/** After an error the engine would keep what its tape has saved. */
function clearTape(): void {
  const { state } = engine();
  if (state.gradientDepth > 0) return; // there is a tape around this one
  for (const node of state.activeTape ?? []) disposeSaved(node);
  state.activeTape = [];
}

/** Whether the tape may ask for the gradient of `tensor`; not, if it does not record. */
export function isDifferentiated(tensor: Tensor | undefined): boolean {
  return tensor !== undefined && isRecording() && mayNeedGradient(tensor);
}

/** Whether the tape may ask for the gradient of an input of a kernel that it records. */
export function mayNeedGradient(tensor: Tensor): boolean {
  if (depth === 0) return true; // a recording that was not begun by `gradients`
  const { activeTape } = engine().state;
  for (; seen < activeTape.length; seen++) {
    const { inputs, outputs } = activeTape[seen]!;
    for (const name in inputs) {
      if (differentiated.has(inputs[name]!.id)) {
        for (const { id } of outputs) differentiated.add(id);
        break;
      }
    }
  }
  return differentiated.has(tensor.id);
}

type Tape = ReturnType<typeof engine>['state']['activeTape'];

/** Runs `f` with another tape in the place of the engine's. */
export function onTape<R>(tape: Tape | undefined, f: () => R): R {
  const { state } = engine();
  const outer = state.activeTape;
  if (tape) state.activeTape = tape;
  seen = 0;
  try {
    return f();
  } finally {
    state.activeTape = outer;
    seen = 0;
  }
}
