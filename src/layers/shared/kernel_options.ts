/** Options of a layer's kernel and bias, as Keras has them, and what they say of the weights. */
import type { ResolvedConfig } from '../../checks/config_schema.js';
import { constraint, initializer, regularizer } from './keras_objects.js';
import type { WeightOptions } from './liger_layer.js';

export const kernelSchema = {
  /** Default 'glorotUniform'. */
  kernelInitializer: initializer('glorotUniform'),
  kernelRegularizer: regularizer(),
  kernelConstraint: constraint(),
} as const;

export const biasSchema = {
  /** Default 'zeros'. */
  biasInitializer: initializer('zeros'),
  biasRegularizer: regularizer(),
  biasConstraint: constraint(),
} as const;

export const kernelOf = (config: ResolvedConfig<typeof kernelSchema>): WeightOptions => ({
  initializer: config.kernelInitializer,
  regularizer: config.kernelRegularizer,
  constraint: config.kernelConstraint,
});

export const biasOf = (config: ResolvedConfig<typeof biasSchema>): WeightOptions => ({
  initializer: config.biasInitializer,
  regularizer: config.biasRegularizer,
  constraint: config.biasConstraint,
});
