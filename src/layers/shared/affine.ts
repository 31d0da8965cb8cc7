import { ones, type Tensor, zeros } from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { flag, type ResolvedConfig } from '../../checks/config_schema.js';
import { constraint, initializer, regularizer } from './keras_objects.js';
import type { AddWeight } from './liger_layer.js';

/** The options of layers that end with `· gamma + beta`. */
export const affineSchema = {
  /** Whether there is a beta. Default true. */
  center: flag(true),
  /** Whether there is a gamma. Default true. */
  scale: flag(true),
  /** Default 'zeros'. */
  betaInitializer: initializer('zeros'),
  /** Default 'ones'. */
  gammaInitializer: initializer('ones'),
  betaRegularizer: regularizer(),
  gammaRegularizer: regularizer(),
  betaConstraint: constraint(),
  gammaConstraint: constraint(),
} as const;

/** A layer's gamma and beta, [C], as far as it has them. */
export class Affine {
  private readonly gammaWeight: LayerVariable | undefined;
  private readonly betaWeight: LayerVariable | undefined;

  constructor(
    config: ResolvedConfig<typeof affineSchema>,
    private readonly size: number,
    addWeight: AddWeight,
  ) {
    if (config.scale) {
      this.gammaWeight = addWeight('gamma', [size], {
        initializer: config.gammaInitializer,
        regularizer: config.gammaRegularizer,
        constraint: config.gammaConstraint,
      });
    }
    if (config.center) {
      this.betaWeight = addWeight('beta', [size], {
        initializer: config.betaInitializer,
        regularizer: config.betaRegularizer,
        constraint: config.betaConstraint,
      });
    }
  }

  /** The weight, or a new tensor of ones. */
  get gamma(): Tensor {
    return this.gammaWeight?.read() ?? ones([this.size]);
  }

  /** The weight, or a new tensor of zeros. */
  get beta(): Tensor {
    return this.betaWeight?.read() ?? zeros([this.size]);
  }
}
