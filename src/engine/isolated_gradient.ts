import { engine, type Scalar, type Tensor } from '@tensorflow/tfjs-core';
import { disposeSaved } from './backward_pass.js';
import { onTape } from './tape.js';

type Tape = ReturnType<typeof engine>['state']['activeTape'];

/**
 * The gradient of `f` by x while another tape records: on a tape of its own, of which nothing remains. It is undefined where `f` does
 * not depend on x.
 */
export function isolatedGradient(f: () => Scalar, x: Tensor): Tensor | undefined {
  const tape: Tape = [];
  try {
    const { grads } = onTape(tape, () => engine().gradients(f, [x], undefined as unknown as Tensor, true));
    return grads[0] ?? undefined;
  } finally {
    // The engine does so itself where no other tape is around this one.
    for (const node of tape) disposeSaved(node);
  }
}
