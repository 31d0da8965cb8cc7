import type { UniformType } from '../runtime/program.js';
import type { ElementType } from '../wgsl/elements.js';

/** beta is known to the program where it is 0 or 1, and else the uniform `beta`. */
export type JsdBeta = 'zero' | 'one' | 'between';

export const jsdBeta = (beta: number): JsdBeta => (beta === 0 ? 'zero' : beta === 1 ? 'one' : 'between');

/** p · (a − b), and 0 where p is 0: a logarithm may be −∞ there. */
export const surprise = (type: ElementType, p: string, a: string, b: string) =>
  `select(${p} * (${a} - ${b}), ${type}(), ${p} == ${type}())`;

/** WGSL of an element's loss, and of its derivative by log q; `common` stands ahead of both. */
export interface DivergenceTerms {
  readonly common: string;
  readonly loss: string;
  readonly slope: string;
  readonly uniforms: Readonly<Record<string, UniformType>>;
}

/**
 * WGSL of an element of beta · KL(p, m) + (1 − beta) · KL(q, m) with m = beta · p + (1 − beta) · q, of `p`, `q`, `logP` and
 * `logQ`.
 */
export function jsdTerms(type: ElementType, beta: JsdBeta): DivergenceTerms {
  if (beta === 'zero') return { common: '', loss: surprise(type, 'p', 'logP', 'logQ'), slope: '-p', uniforms: {} };
  if (beta === 'one') {
    const reverse = surprise(type, 'q', 'logQ', 'logP');
    return { common: '', loss: reverse, slope: `${reverse} + q`, uniforms: {} };
  }
  const ofQ = `(1.0 - u.beta) * ${surprise(type, 'q', 'logQ', 'logM')}`;
  return {
    common: 'let logM = log(u.beta * p + (1.0 - u.beta) * q);',
    loss: `u.beta * ${surprise(type, 'p', 'logP', 'logM')} + ${ofQ}`,
    slope: ofQ,
    uniforms: { beta: 'f32' },
  };
}
