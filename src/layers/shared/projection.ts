/** Linear layers that a layer is made of. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { flag, type ResolvedConfig } from '../../checks/config_schema.js';
import { type LinearConfig, linear } from '../../ops/linear.js';
import { biasSchema, kernelSchema } from './kernel_options.js';

/** Options of layers that are made of linear layers, as Keras has them. */
export const projectionSchema = {
  /** Whether what is projected gets a bias. Default true. */
  useBias: flag(true),
  ...kernelSchema,
  /** Default 'glorotUniform', of each projection by itself. */
  kernelInitializer: kernelSchema.kernelInitializer,
  /** Of kernels [out, in]: a norm of what goes into a unit is over axis 1, where Keras has 0. */
  kernelConstraint: kernelSchema.kernelConstraint,
  ...biasSchema,
} as const;

export type ProjectionOptions = ResolvedConfig<typeof projectionSchema>;

export interface Projection {
  /** [out, in] */
  readonly kernel: LayerVariable;
  /** [out] */
  readonly bias?: LayerVariable;
}

export const project = ({ kernel, bias }: Projection, x: Tensor, activation?: LinearConfig['activation']): Tensor =>
  linear(x, kernel.read(), { bias: bias?.read(), activation });
