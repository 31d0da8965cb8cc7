import type { Tensor } from '@tensorflow/tfjs-core';
import { tensor } from '../../checks/config_schema.js';
import type { Head, Layout } from './head.js';

/** The options that give a reference model's head: what goes into it need not be as wide as the model's own. */
export const referenceOptions = (layout: Layout, rows: 'B' | '2B' = 'B') =>
  ({
    /** The hidden states of a reference model, of x's shape but for their width. Not differentiable. */
    refInput: tensor([rows, 'T', 'R']),
    /** Its output layer, [V, R] or, with `transposeWeight`, [R, V]. Not differentiable. */
    refWeight: tensor(layout('V', 'R')),
    /** Added to its logits, [V]. Not differentiable. */
    refBias: tensor(['V']),
  }) as const;

/**
 * The head of the reference model, if there is one.
 *
 * @param given The names of options that say what its head would be computed for, with their values.
 * @throws If something of it is missing, or it is given twice.
 */
export function referenceHead(
  op: string,
  { refInput, refWeight, refBias }: Readonly<Record<'refInput' | 'refWeight' | 'refBias', Tensor | undefined>>,
  given: Readonly<Record<string, Tensor | undefined>>,
): Head | undefined {
  const names = Object.keys(given);
  const present = names.filter((name) => given[name] !== undefined);
  if (present.length > 0 && present.length < names.length) {
    const missing = names.filter((name) => given[name] === undefined);
    throw new Error(`${op}: ${names.join(' and ')} must be given together, but ${missing.join(' and ')} is missing`);
  }
  if (!refInput && !refWeight) {
    if (refBias) throw new Error(`${op}: refBias needs refInput and refWeight, which are missing`);
    return undefined;
  }
  if (!refInput || !refWeight) {
    const missing = refInput ? 'refWeight' : 'refInput';
    throw new Error(`${op}: refInput and refWeight must be given together, but ${missing} is missing`);
  }
  if (present.length > 0) {
    throw new Error(
      `${op}: the reference is given twice, as ${present.join(' and ')} and as refInput; give one of them`,
    );
  }
  return { x: refInput, weight: refWeight, bias: refBias };
}
