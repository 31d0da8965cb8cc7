import { type FusedLinearCpoConfig, fusedLinearCpo } from '../../src/index.js';
import { describeGolden } from '../support/golden.js';
import { conditionOfLogitSums } from '../support/logit_sums.js';

describeGolden(
  'fusedLinearCpo',
  ({ x, weight, labels, ...tensors }, { useRefModel: _, ...options }) =>
    fusedLinearCpo(x!, weight!, labels!, { ...options, ...tensors } as FusedLinearCpoConfig),
  { condition: conditionOfLogitSums },
);
