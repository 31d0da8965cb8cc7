import { fusedLinearJsdDistillation } from '../../src/index.js';
import { tf } from '../support/backend.js';
import { describeGolden } from '../support/golden.js';

describeGolden(
  'fusedLinearJsdDistillation',
  ({ studentInput, studentWeight, teacherInput, teacherWeight, labels, ...tensors }, options) => {
    const result = fusedLinearJsdDistillation(studentInput!, studentWeight!, teacherInput!, teacherWeight!, labels!, {
      ...options,
      ...tensors,
    });
    return result instanceof tf.Tensor ? { loss: result } : result;
  },
);
