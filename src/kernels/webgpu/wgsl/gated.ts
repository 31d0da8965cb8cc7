import type { WgslFunction } from './activations.js';

/** The uniforms of {@link gatedFormulas}. */
export const gatedUniforms = { gateMultiplier: 'f32', downMultiplier: 'f32' } as const;

/**
 * WGSL of y = activation(z) · up · downMultiplier, where z = gate · gateMultiplier, and of its slopes:
 * dgate = dy · up · activation'(z) · gateMultiplier · downMultiplier and dup = dy · activation(z) · downMultiplier.
 */
export const gatedFormulas = (activation: WgslFunction) => ({
  y: `${activation}(gate * u.gateMultiplier) * up * u.downMultiplier`,
  dgate: `dy * up * ${activation}Slope(gate * u.gateMultiplier) * (u.gateMultiplier * u.downMultiplier)`,
  dup: `dy * ${activation}(gate * u.gateMultiplier) * u.downMultiplier`,
});

/**
 * The same where `gate` and `up` are multiplied already: y = activation(gate) · up, and the slopes of what they were before,
 * dgate = dy · up · activation'(gate) · gateMultiplier and dup = dy · activation(gate) · downMultiplier.
 */
export const scaledGatedFormulas = (activation: WgslFunction) => ({
  y: `${activation}(gate) * up`,
  dgate: `dy * up * ${activation}Slope(gate) * u.gateMultiplier`,
  dup: `dy * ${activation}(gate) * u.downMultiplier`,
});
