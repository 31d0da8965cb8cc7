/** WGSL of functions that several kernels share, exact to float32 rounding. `T` stands for the type, f32 or vec4f. */

/**
 * tanh without overflow, and without the cancellation near 0 that built-ins may have: small arguments take its series, and the
 * others e^(-2|x|), which lies in (0, 1]. Its slope, 1 − tanh², is made from the same: near ±1 the difference would cancel.
 */
const TANH = `
struct TanhAndSlope { value: T, slope: T }
fn tanhAndSlope(x: T) -> TanhAndSlope {
  let e = exp(-2.0 * abs(x));
  let r = 1.0 / (1.0 + e);
  let large = (1.0 - e) * r * sign(x);
  let s = x * x;
  let small = x + x * s * (-1.0 / 3.0 + s * (2.0 / 15.0 + s * (-17.0 / 315.0 + s * (62.0 / 2835.0 + s * (-1382.0 / 155925.0)))));
  return TanhAndSlope(select(large, small, abs(x) < T(0.3)), 4.0 * e * r * r);
}
fn exactTanh(x: T) -> T { return tanhAndSlope(x).value; }`;

/** 1 / (1 + e^-x), from e^-|x| alone: e^-x overflows. */
const SIGMOID = `
fn sigmoid(x: T) -> T {
  let e = exp(-abs(x));
  return select(e, T(1.0), x >= T(0.0)) / (1.0 + e);
}`;

/**
 * The normal distribution's cumulative function, Φ(x) = erfc(−x / √2) / 2, by the Chebyshev fit of erfc (Numerical Recipes,
 * 6.2.2), whose error is relative: 1 + erf would lose the digits of what lies far below 0.
 */
const NORMAL_CDF = `
fn normalCdf(x: T) -> T {
  let z = abs(x) * 0.7071067811865476;
  let t = 1.0 / (1.0 + 0.5 * z);
  var p = T(0.17087277);
  p = -0.82215223 + t * p;
  p = 1.48851587 + t * p;
  p = -1.13520398 + t * p;
  p = 0.27886807 + t * p;
  p = -0.18628806 + t * p;
  p = 0.09678418 + t * p;
  p = 0.37409196 + t * p;
  p = 1.00002368 + t * p;
  p = -1.26551223 + t * p;
  let tail = 0.5 * t * exp(p - z * z);
  return select(tail, 1.0 - tail, x >= T(0.0));
}`;

const SILU = `
fn silu(x: T) -> T { return x * sigmoid(x); }
fn siluSlope(x: T) -> T { let s = sigmoid(x); return s * (1.0 + x * (1.0 - s)); }`;

/** x · (1 + tanh(u)) / 2 = x · sigmoid(2u), which loses no digits where tanh(u) is near −1. */
const GELU_TANH = `
fn geluTanhArgument(x: T) -> T { return 1.5957691216057308 * (x + 0.044715 * x * x * x); }
fn geluTanh(x: T) -> T { return x * sigmoid(geluTanhArgument(x)); }
fn geluTanhSlope(x: T) -> T {
  let b = clamp(x, T(-11.0), T(11.0)); // beyond, the slope is 0 or 1, and x² could overflow
  let a = geluTanhArgument(b);
  let s = sigmoid(a);
  return s + b * s * sigmoid(-a) * 1.5957691216057308 * (1.0 + 0.134145 * b * b);
}`;

const GELU = `
fn gelu(x: T) -> T { return x * normalCdf(x); }
fn geluSlope(x: T) -> T { return normalCdf(x) + x * 0.3989422804014327 * exp(-0.5 * x * x); }`;

/** NaN stays NaN. */
const RELU = `
fn relu(x: T) -> T { return select(x, T(0.0), x < T(0.0)); }
fn reluSlope(x: T) -> T { return select(T(0.0), T(1.0), x > T(0.0)); }`;

const RELU6 = `
fn relu6(x: T) -> T { return select(select(x, T(0.0), x < T(0.0)), T(6.0), x > T(6.0)); }`;

const ELU = `
fn elu(x: T) -> T { return select(x, exp(x) - 1.0, x < T(0.0)); }`;

const SOURCES = {
  tanh: TANH,
  sigmoid: SIGMOID,
  silu: SIGMOID + SILU,
  geluTanh: SIGMOID + GELU_TANH,
  gelu: NORMAL_CDF + GELU,
  relu: RELU,
  relu6: RELU6,
  elu: ELU,
};

export type WgslFunction = keyof typeof SOURCES;

/** The declarations of a function, and of what it calls, for values of `type`. */
export function wgslFunction(name: WgslFunction, type: 'f32' | 'vec4f'): string {
  return SOURCES[name].replace(/\bT\b/g, type);
}
