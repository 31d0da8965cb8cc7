import type { Tensor } from '@tensorflow/tfjs-core';
import { type ConfigOf, flag, integer, number } from '../../checks/config_schema.js';

/** The options that scaledCrossEntropy and fusedLinearScaledCrossEntropy share. */
export const scaledCrossEntropyOptions = {
  /** What logits are divided by, above 0. Default 1. */
  temperature: number(1, { min: 0, above: true }),
  /** Tokens with this label have no loss, no entropy and no gradient. Default -100. */
  ignoreIndex: integer(-100),
  /** Returns the entropy of each token's distribution, too. Default false. */
  returnEntropy: flag(),
} as const;

type Options = ConfigOf<typeof scaledCrossEntropyOptions>;

/** Those options, for a given `returnEntropy`, which the type of the result follows from. */
export interface ScaledCrossEntropyOptions<E extends boolean = boolean> extends Options {
  /** Returns the entropy of each token's distribution, too. Default false. */
  returnEntropy?: E;
}

/** What a scaled cross entropy returns, by `returnEntropy`. */
export type ScaledCrossEntropyResult<E extends boolean = boolean> = {
  /** `[...]`: the negative logarithm of the probability of each token's label. */
  nll: Tensor;
} & ([E] extends [false]
  ? unknown
  : {
      /** `[...]`: the entropy of each token's distribution, in nats. */
      entropy: [E] extends [true] ? Tensor : Tensor | undefined;
    });
