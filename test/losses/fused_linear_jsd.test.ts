import { fusedLinearJsd } from '../../src/index.js';
import { describeGolden } from '../support/golden.js';

describeGolden(
  'fusedLinearJsd',
  ({ studentInput, studentWeight, teacherInput, teacherWeight, ...tensors }, options) => ({
    loss: fusedLinearJsd(studentInput!, studentWeight!, teacherInput!, teacherWeight!, { ...options, ...tensors }),
  }),
);
