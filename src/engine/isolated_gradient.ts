import { engine, type Scalar, type Tensor } from '@tensorflow/tfjs-core';
import { onTape } from './tape.js';

type Tape = ReturnType<typeof engine>['state']['activeTape'];

/**
 * The value of `f`, and its gradient by x, while another tape records: on a tape of its own, of which nothing remains. The gradient
 * is undefined where `f` does not depend on x.
 */
export function isolatedGradient(f: () => Scalar, x: Tensor): { value: Scalar; gradient: Tensor | undefined } {
  const tape: Tape = [];
  try {
    const { value, grads } = onTape(tape, () => engine().gradients(f, [x], undefined as unknown as Tensor, true));
    return { value: value as Scalar, gradient: grads[0] ?? undefined };
  } finally {
    // The engine does so itself where no other tape is around this one.
    for (const { saved } of tape) for (const tensor of saved ?? []) if (!tensor.isDisposed) tensor.dispose();
  }
}
