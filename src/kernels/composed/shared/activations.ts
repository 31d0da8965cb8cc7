/** Activations and their slopes in stock ops, exact and without overflow. */
import {
  abs,
  add,
  cast,
  clipByValue,
  exp,
  greater,
  greaterEqual,
  mul,
  neg,
  onesLike,
  reciprocal,
  relu,
  sigmoid,
  square,
  sub,
  type Tensor,
  where,
} from '@tensorflow/tfjs-core';
import type { Activation } from '../../contracts/linear.js';

const silu = (z: Tensor): Tensor => mul(z, sigmoid(z));
function siluSlope(z: Tensor): Tensor {
  const s = sigmoid(z);
  return mul(s, add(1, mul(z, sub(1, s))));
}

const TWO_SQRT_2_OVER_PI = 2 * Math.sqrt(2 / Math.PI);
const CUBIC = 0.044715;

/** From 11 on the slope is 0 or 1 in float32, and z³ can't overflow. */
const bounded = (z: Tensor) => clipByValue(z, -11, 11);
/** 2u, where gelu(z) = z · (1 + tanh(u)) / 2 = z · sigmoid(2u): the latter loses no digits where tanh(u) is near −1. */
const geluTanhArgument = (z: Tensor) => mul(TWO_SQRT_2_OVER_PI, add(z, mul(CUBIC, mul(z, square(z)))));
const geluTanh = (z: Tensor): Tensor => mul(z, sigmoid(geluTanhArgument(bounded(z))));
function geluTanhSlope(z: Tensor): Tensor {
  const b = bounded(z);
  const argument = geluTanhArgument(b);
  const s = sigmoid(argument);
  const argumentSlope = mul(TWO_SQRT_2_OVER_PI, add(1, mul(3 * CUBIC, square(b))));
  return add(s, mul(mul(mul(b, s), sigmoid(neg(argument))), argumentSlope));
}

/** The Chebyshev fit of erfc (Numerical Recipes, 6.2.2), from the highest power of t = 1 / (1 + z / 2) to the lowest. */
const ERFC = [
  0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368,
  -1.26551223,
];
/** erfc(−z / √2) / 2, whose error is relative: 1 + erf would lose the digits of what lies far below 0. */
function normalCdf(z: Tensor): Tensor {
  const distance = mul(abs(z), Math.SQRT1_2);
  const t = reciprocal(add(1, mul(0.5, distance)));
  const exponent = ERFC.slice(1).reduce((sum: Tensor, term) => add(term, mul(t, sum)), mul(ERFC[0]!, onesLike(t)));
  const tail = mul(mul(0.5, t), exp(sub(exponent, square(distance))));
  return where(greaterEqual(z, 0), sub(1, tail), tail);
}
const gelu = (z: Tensor): Tensor => mul(z, normalCdf(z));
function geluSlope(z: Tensor): Tensor {
  const density = mul(1 / Math.sqrt(2 * Math.PI), exp(mul(-0.5, square(z))));
  return add(normalCdf(z), mul(z, density));
}

const reluSlope = (z: Tensor): Tensor => cast(greater(z, 0), 'float32');

type Name = Exclude<Activation, 'none'>;
const activations: Record<Name, { apply(z: Tensor): Tensor; slope(z: Tensor): Tensor }> = {
  relu: { apply: relu, slope: reluSlope },
  gelu: { apply: gelu, slope: geluSlope },
  geluTanh: { apply: geluTanh, slope: geluTanhSlope },
  silu: { apply: silu, slope: siluSlope },
};

/** activation(z) */
export const activate = (activation: Name, z: Tensor): Tensor => activations[activation].apply(z);

/** dy · activation'(z) */
export const slope = (activation: Name, dy: Tensor, z: Tensor): Tensor => mul(dy, activations[activation].slope(z));
