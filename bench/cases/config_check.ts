import { number, oneOf } from '../../src/checks/config_schema.js';
import { float32, optional, Signature } from '../../src/checks/signature.js';
import { type BenchCase, onInputs } from '../harness/bench_case.js';
import { noise, scales } from '../harness/inputs.js';

/** Calls in one, since a single check is shorter than the clock's tick. */
const CHECKS = 1000;

const signature = new Signature(
  'bench',
  { x: float32('...', 'C'), gamma: optional(float32('C')) },
  { epsilon: number(1e-6, { min: 0 }), offset: number(0), reduction: oneOf(['mean', 'sum', 'none'], 'mean') },
);

/** What an op's check of valid arguments costs. */
export function configCheck(): BenchCase[] {
  const inputs = () => ({ x: noise([4, 16, 32], 1), gamma: scales(32, 3) });
  return [
    {
      op: 'configCheck',
      shape: `${CHECKS} checks`,
      timed: 'forward',
      target: (CHECKS * 2) / 1000,
      ours: onInputs(inputs, (values) => {
        for (let i = 0; i < CHECKS; i++) signature.check(values, { epsilon: 1e-5, reduction: 'sum' });
        return [];
      }),
    },
  ];
}
