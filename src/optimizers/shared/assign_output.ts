import type { Tensor, Variable } from '@tensorflow/tfjs-core';

/** A backend that works in place gives the variable itself; the scope around the call disposes the others. */
export function assignOutput(variable: Variable, output: Tensor): void {
  if (output !== variable) variable.assign(output);
}
