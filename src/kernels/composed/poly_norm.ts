import { add, addN, concat, mul, rsqrt, split, square, sub, sum, type Tensor } from '@tensorflow/tfjs-core';
import { PolyNorm, PolyNormGrad } from '../contracts/poly_norm.js';
import { composedKernel } from './shared/composed_kernel.js';
import { columnsOf, meanOfRows, sumOverRows } from './shared/rows.js';

type Three = [Tensor, Tensor, Tensor];

/** With z = n(x): n(x³) = z³ / √(mean(z⁶) + epsilon · r1⁶) and n(x²) = z² / √(mean(z⁴) + epsilon · r1⁴). */
export const polyNorm = composedKernel(PolyNorm, ({ x, weight, bias }, { epsilon }) => {
  const [w3, w2, w1] = split(weight, 3) as Three;
  const r1 = rsqrt(add(meanOfRows(square(x)), epsilon));
  const z = mul(x, r1);
  const squared = square(z);
  const cubed = mul(squared, z);
  const epsilon2 = mul(mul(epsilon, square(r1)), square(r1));
  const epsilon3 = mul(epsilon2, square(r1));
  const r2 = rsqrt(add(meanOfRows(square(squared)), epsilon2));
  const r3 = rsqrt(add(meanOfRows(square(cubed)), epsilon3));
  const y = add(addN([mul(w3, mul(cubed, r3)), mul(w2, mul(squared, r2)), mul(w1, z)]), bias);
  return { y, rstd: concat([r3, r2, r1], -1) };
});

/** With n' = dn/dz at a constant root: dx = r1 · Σ weight · n' · (dy − n · mean(dy · n)) and dweight = Σ dy · n. */
export const polyNormGrad = composedKernel(PolyNormGrad, ({ dy, x, weight, rstd }) => {
  const [w3, w2, w1] = split(weight, 3) as Three;
  const [r3, r2, r1] = split(rstd, 3, -1) as Three;
  const z = mul(x, r1);
  const terms = [
    { w: w3, n: mul(mul(square(z), z), r3), slope: mul(mul(square(z), r3), 3) },
    { w: w2, n: mul(square(z), r2), slope: mul(mul(z, r2), 2) },
    { w: w1, n: z, slope: 1 },
  ].map((term) => ({ ...term, mean: meanOfRows(mul(dy, term.n)) }));
  const dz = addN(terms.map(({ w, n, slope, mean }) => mul(mul(w, slope), sub(dy, mul(n, mean)))));
  const means = concat(
    terms.map(({ mean }) => mean),
    -1,
  );
  return { dx: mul(r1, dz), dweight: mul(sumOverRows(means), columnsOf(x)), dbias: sum(sumOverRows(dy)) };
});
