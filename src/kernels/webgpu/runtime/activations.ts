/** WGSL of functions that several kernels share, exact to float32 rounding. `@` stands for the type, f32 or vec4f. */

/**
 * tanh without overflow, and without the cancellation near 0 that built-ins may have: with t = expm1-like quotients it
 * would need two branches, so small arguments take their series and the others e^(-2|x|), which lies in (0, 1].
 */
const TANH = `
fn exactTanh(x: @) -> @ {
  let e = exp(-2.0 * abs(x));
  let large = (1.0 - e) / (1.0 + e) * sign(x);
  let s = x * x;
  let small = x + x * s * (-1.0 / 3.0 + s * (2.0 / 15.0 + s * (-17.0 / 315.0 + s * (62.0 / 2835.0 + s * (-1382.0 / 155925.0)))));
  return select(large, small, abs(x) < @(0.3));
}`;

/** 1 / (1 + e^-x), from e^-|x| alone: e^-x overflows. */
const SIGMOID = `
fn sigmoid(x: @) -> @ {
  let e = exp(-abs(x));
  return select(e, @(1.0), x >= @(0.0)) / (1.0 + e);
}`;

/**
 * The error function by its Taylor series below 1 and the Chebyshev fit of erfc (Numerical Recipes, 6.2.2) above, where
 * 1 − erfc loses nothing.
 */
const ERF = `
fn erf(x: @) -> @ {
  let a = abs(x);
  let s = x * x;
  var small = @(1.0 / 75600.0);
  small = @(-1.0 / 9360.0) + s * small;
  small = @(1.0 / 1320.0) + s * small;
  small = @(-1.0 / 216.0) + s * small;
  small = @(1.0 / 42.0) + s * small;
  small = @(-0.1) + s * small;
  small = @(1.0 / 3.0) + s * small;
  small = x * 1.1283791670955126 * (1.0 - s * small);
  let t = 1.0 / (1.0 + 0.5 * a);
  var p = @(0.17087277);
  p = -0.82215223 + t * p;
  p = 1.48851587 + t * p;
  p = -1.13520398 + t * p;
  p = 0.27886807 + t * p;
  p = -0.18628806 + t * p;
  p = 0.09678418 + t * p;
  p = 0.37409196 + t * p;
  p = 1.00002368 + t * p;
  p = -1.26551223 + t * p;
  let large = sign(x) * (1.0 - t * exp(p - s));
  return select(large, small, a < @(1.0));
}`;

const SILU = `
fn silu(x: @) -> @ { return x * sigmoid(x); }
fn siluSlope(x: @) -> @ { let s = sigmoid(x); return s * (1.0 + x * (1.0 - s)); }`;

const GELU_TANH = `
fn geluTanh(x: @) -> @ {
  return 0.5 * x * (1.0 + exactTanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
}
fn geluTanhSlope(x: @) -> @ {
  let t = exactTanh(0.7978845608028654 * (x + 0.044715 * x * x * x));
  let b = clamp(x, @(-10.0), @(10.0)); // where t is ±1, so that 0 · x² is 0
  return 0.5 * (1.0 + t) + 0.5 * b * (1.0 - t * t) * 0.7978845608028654 * (1.0 + 0.134145 * b * b);
}`;

const GELU = `
fn gelu(x: @) -> @ { return 0.5 * x * (1.0 + erf(x * 0.7071067811865476)); }
fn geluSlope(x: @) -> @ {
  return 0.5 * (1.0 + erf(x * 0.7071067811865476)) + x * 0.3989422804014327 * exp(-0.5 * x * x);
}`;

const RELU = `
fn relu(x: @) -> @ { return max(x, @(0.0)); }
fn reluSlope(x: @) -> @ { return select(@(0.0), @(1.0), x > @(0.0)); }`;

const SOURCES = {
  tanh: TANH,
  sigmoid: SIGMOID,
  silu: SIGMOID + SILU,
  geluTanh: TANH + GELU_TANH,
  gelu: ERF + GELU,
  relu: RELU,
};

export type WgslFunction = keyof typeof SOURCES;

/** The declarations of a function, and of what it calls, for values of `type`. */
export function wgslFunction(name: WgslFunction, type: 'f32' | 'vec4f'): string {
  return SOURCES[name].replaceAll('@', type);
}
