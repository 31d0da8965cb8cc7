import { addN, engine, mul, sum, type Tensor, zerosLike } from '@tensorflow/tfjs-core';
import { engineInternals } from './internals.js';
import { onTape } from './tape.js';

interface RecordedNode {
  readonly inputs: readonly Tensor[];
  readonly outputs: Tensor[];
  /** Copies of these, which outlive them, are given to `backward`. */
  readonly save: readonly Tensor[];
  /** The gradients of the inputs, in their order, of those of the outputs. */
  backward(dys: readonly Tensor[], saved: readonly Tensor[]): readonly Tensor[];
}

/** Puts a node on the engine's tape for outputs that were computed already. */
export function recordNode({ inputs, outputs, save, backward }: RecordedNode): void {
  engineInternals().runKernelFunc({
    inputs: Object.fromEntries(inputs.map((tensor, i) => [`${i}`, tensor])),
    forwardFunc: (_, keep) => {
      keep([...save]);
      return outputs;
    },
    backwardsFunc: (dys, saved) => {
      const gradients = backward(Array.isArray(dys) ? dys : [dys], saved);
      return Object.fromEntries(gradients.map((gradient, i) => [`${i}`, () => gradient]));
    },
  });
}

/**
 * The gradients of what `f` computes, given those of its outputs: f runs once, recorded on a tape of its own, so that a backward
 * pass may call this.
 */
export function gradientsThrough(f: () => readonly Tensor[], xs: readonly Tensor[], dys: readonly Tensor[]): Tensor[] {
  const { value, grads } = onTape(undefined, () =>
    dys.length === 1
      ? engine().gradients(() => f()[0]!, [...xs], dys[0]!, true)
      : engine().gradients(() => weightedSum(f(), dys), [...xs], undefined as unknown as Tensor, true),
  );
  value.dispose();
  return grads.map((gradient: Tensor | undefined, i) => gradient ?? zerosLike(xs[i]!));
}

/** A scalar whose gradients in `ys` are `dys`. */
function weightedSum(ys: readonly Tensor[], dys: readonly Tensor[]): Tensor {
  return addN(ys.flatMap((y, i) => (y.dtype === 'float32' ? [sum(mul(y, dys[i]!))] : [])));
}
