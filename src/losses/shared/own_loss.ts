import { Tensor } from '@tensorflow/tfjs-core';
import { fail } from '../../checks/errors.js';

/** What a loss function of the caller's returned: a scalar, or an object with one as `loss`. */
export function checkedLoss(op: string, returned: unknown): { loss: Tensor } {
  const result = returned instanceof Tensor ? { loss: returned } : (returned as { loss: Tensor });
  const loss = result?.loss;
  if (!(loss instanceof Tensor) || loss.rank !== 0 || loss.dtype !== 'float32') {
    fail(op, 'what lossOf returns', 'a float32 scalar, or an object with one as loss', loss ?? returned);
  }
  return result;
}
