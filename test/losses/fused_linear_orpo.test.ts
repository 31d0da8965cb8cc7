import { type FusedLinearOrpoConfig, fusedLinearOrpo } from '../../src/index.js';
import { describeGolden } from '../support/golden.js';
import { conditionOfLogitSums } from '../support/logit_sums.js';

describeGolden(
  'fusedLinearOrpo',
  ({ x, weight, labels, ...tensors }, { useRefModel: _, ...options }) =>
    fusedLinearOrpo(x!, weight!, labels!, { ...options, ...tensors } as FusedLinearOrpoConfig),
  { condition: conditionOfLogitSums },
);
