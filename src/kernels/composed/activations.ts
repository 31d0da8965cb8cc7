import { add, clipByValue, mul, sigmoid, square, sub, type Tensor, tanh } from '@tensorflow/tfjs-core';

export function silu(x: Tensor): Tensor {
  return mul(x, sigmoid(x));
}

/** The derivative of silu: s · (1 + x · (1 − s)), s = sigmoid(x). */
export function siluSlope(x: Tensor): Tensor {
  const s = sigmoid(x);
  return mul(s, add(mul(x, sub(1, s)), 1));
}

const ROOT = 0.7978845608028654; // √(2 / π)
const CUBIC = 0.044715;

/** From 10 on the tanh inside gelu is ±1 in float32, and x³ can't overflow. */
const bounded = (x: Tensor) => clipByValue(x, -10, 10);

/** tanh(√(2 / π) · (x + 0.044715 · x³)) */
const innerTanh = (x: Tensor) => tanh(mul(x, add(mul(square(x), ROOT * CUBIC), ROOT)));

/** gelu by tanh. */
export function geluTanh(x: Tensor): Tensor {
  return mul(mul(x, 0.5), add(innerTanh(bounded(x)), 1));
}

/** The derivative of geluTanh. */
export function geluTanhSlope(x: Tensor): Tensor {
  const b = bounded(x);
  const t = innerTanh(b);
  const innerSlope = add(mul(square(b), 3 * ROOT * CUBIC), ROOT);
  return mul(add(add(t, 1), mul(mul(b, sub(1, square(t))), innerSlope)), 0.5);
}
