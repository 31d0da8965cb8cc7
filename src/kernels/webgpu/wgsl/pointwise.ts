/** Pointwise functions and their slopes as WGSL: each is written here once, for every kernel that applies it. */
import type { UniformType } from '../runtime/program.js';
import { type WgslFunction, wgslFunction } from './activations.js';
import type { ElementType } from './elements.js';

/** A function of elements, whose names stand for themselves. */
export interface Pointwise<Slope extends string = string> {
  /** What it calls. */
  readonly declarations: string;
  readonly uniforms: Readonly<Record<string, UniformType>>;
  /** The value. */
  readonly y: string;
  /** WGSL that stands ahead of the slopes: what they have in common. */
  readonly common: string;
  /** By names of gradients: what `dy` comes to. */
  readonly slopes: Readonly<Record<Slope, string>>;
}

const gatedUniforms = { gateMultiplier: 'f32', downMultiplier: 'f32' } as const;

/** y = activation(z) · up · downMultiplier, where z = gate · gateMultiplier. */
export const gated = (activation: WgslFunction, type: ElementType): Pointwise<'dgate' | 'dup'> => ({
  declarations: wgslFunction(activation, type),
  uniforms: gatedUniforms,
  y: `${activation}(gate * u.gateMultiplier) * up * u.downMultiplier`,
  common: 'let z = gate * u.gateMultiplier;',
  slopes: {
    dgate: `dy * up * ${activation}Slope(z) * (u.gateMultiplier * u.downMultiplier)`,
    dup: `dy * ${activation}(z) * u.downMultiplier`,
  },
});

/** y = activation(gate) · up of what is multiplied already; the slopes are those of what it was before. */
export const gatedAfterMultipliers = (activation: WgslFunction, type: ElementType): Pointwise<'dgate' | 'dup'> => ({
  declarations: wgslFunction(activation, type),
  uniforms: gatedUniforms,
  y: `${activation}(gate) * up`,
  common: '',
  slopes: {
    dgate: `dy * up * ${activation}Slope(gate) * u.gateMultiplier`,
    dup: `dy * ${activation}(gate) * u.downMultiplier`,
  },
});

/** y = relu(x)². Not max(x, 0), which need not keep NaN. */
export function reluSquared(type: ElementType): Pointwise<'dx'> {
  const relu = `select(x, ${type}(), x < ${type}())`;
  return { declarations: '', uniforms: {}, y: `${relu} * ${relu}`, common: '', slopes: { dx: `2.0 * ${relu} * dy` } };
}

/** y = gamma · tanh(alpha · x) + beta, and what of each element the gradients of alpha, gamma and beta are sums of. */
export const dyt = (
  type: ElementType,
  { hasBeta }: { hasBeta: boolean },
): Pointwise<'dx' | 'dalpha' | 'dgamma' | 'dbeta'> => ({
  declarations: wgslFunction('tanh', type),
  uniforms: {},
  y: `gamma * exactTanh(alpha * x)${hasBeta ? ' + beta' : ''}`,
  common: `let t = tanhAndSlope(alpha * x);
    let dz = dy * gamma * t.slope;`,
  slopes: { dx: 'dz * alpha', dalpha: 'dz * x', dgamma: 'dy * t.value', dbeta: 'dy' },
});
