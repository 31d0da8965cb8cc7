/** Activations and their slopes in stock ops, exact and without overflow. */
import {
  add,
  cast,
  clipByValue,
  erf,
  exp,
  greater,
  mul,
  relu,
  sigmoid,
  square,
  sub,
  type Tensor,
  tanh,
} from '@tensorflow/tfjs-core';
import type { Activation } from '../kernel_names.js';

const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);
const CUBIC = 0.044715;

const silu = (z: Tensor): Tensor => mul(z, sigmoid(z));
function siluSlope(z: Tensor): Tensor {
  const s = sigmoid(z);
  return mul(s, add(1, mul(z, sub(1, s))));
}

/** From 10 on geluTanh's tanh is ±1 in float32, and z³ can't overflow. */
const bounded = (z: Tensor) => clipByValue(z, -10, 10);
const tanhArgument = (z: Tensor) => mul(SQRT_2_OVER_PI, add(z, mul(CUBIC, mul(z, square(z)))));
const geluTanh = (z: Tensor): Tensor => mul(mul(0.5, z), add(1, tanh(tanhArgument(bounded(z)))));
function geluTanhSlope(z: Tensor): Tensor {
  const b = bounded(z);
  const t = tanh(tanhArgument(b));
  const argumentSlope = mul(SQRT_2_OVER_PI, add(1, mul(3 * CUBIC, square(b))));
  return mul(0.5, add(add(1, t), mul(mul(b, sub(1, square(t))), argumentSlope)));
}

const normalCdf = (z: Tensor) => mul(0.5, add(1, erf(mul(z, Math.SQRT1_2))));
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
