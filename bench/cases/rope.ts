import * as liger from '../../src/index.js';
import { type BenchCase, onInputs } from '../harness/bench_case.js';
import { noise } from '../harness/inputs.js';
import { rotaryTables, stockRope } from './shared/rotary.js';

function ropeCase(shape: number[], rotaryDim: number, target?: number): BenchCase {
  const [batch, heads, length, width] = shape as [number, number, number, number];
  const inputs = () => ({ q: noise(shape, 1), k: noise(shape, 3), ...rotaryTables(length, rotaryDim) });
  return {
    op: 'rope',
    shape: `q, k [${shape.join(', ')}]${rotaryDim < width ? `, rotaryDim ${rotaryDim}` : ''}`,
    timed: 'forward',
    target,
    bytes: 4 * batch * heads * length * width * 4,
    ours: onInputs(inputs, ({ q, k, cos, sin }) => {
      const rotated = liger.rope(q, k, cos, sin, { rotaryDim });
      return [rotated.q, rotated.k];
    }),
    stock: onInputs(inputs, ({ q, k, cos, sin }) => [stockRope(q, cos, sin), stockRope(k, cos, sin)]),
  };
}

export function rope(quick: boolean): BenchCase[] {
  const shape = quick ? [1, 2, 32, 16] : [8, 12, 1024, 64];
  return [ropeCase(shape, shape[3]!, quick ? undefined : 0.027), ropeCase(shape, shape[3]! / 2)];
}
