import { type FusedLinearSimpoConfig, fusedLinearSimpo } from '../../src/index.js';
import { describeGolden } from '../support/golden.js';
import { conditionOfLogitSums } from '../support/logit_sums.js';

describeGolden(
  'fusedLinearSimpo',
  ({ x, weight, labels, ...tensors }, { useRefModel: _, ...options }) =>
    fusedLinearSimpo(x!, weight!, labels!, { ...options, ...tensors } as FusedLinearSimpoConfig),
  { condition: conditionOfLogitSums },
);
