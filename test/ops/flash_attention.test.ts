import { flashAttention } from '../../src/index.js';
import { describeGolden } from '../support/golden.js';

describeGolden('flashAttention', ({ q, k, v, ...optional }, options) => ({
  y: flashAttention(q!, k!, v!, { ...options, ...optional }),
}));
