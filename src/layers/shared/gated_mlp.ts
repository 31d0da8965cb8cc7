import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { integer, type ResolvedConfig, required } from '../../checks/config_schema.js';
import { kernelOf, kernelSchema } from './kernel_options.js';
import type { AddWeight } from './liger_layer.js';

/** The options of feed-forward blocks with a gated linear unit. */
export const gatedMlpSchema = {
  /** Size of the gate, I. Required. */
  intermediateSize: required(integer(undefined, { min: 1 })),
  ...kernelSchema,
  /** Of all three weights. Default 'glorotUniform'. */
  kernelInitializer: kernelSchema.kernelInitializer,
} as const;

/** The weights gate [I, H], up [I, H] and down [H, I], the layout of a checkpoint. */
export interface GatedMlpWeights {
  readonly gate: LayerVariable;
  readonly up: LayerVariable;
  readonly down: LayerVariable;
}

export function gatedMlpWeights(
  { intermediateSize, ...config }: ResolvedConfig<typeof gatedMlpSchema>,
  hiddenSize: number,
  addWeight: AddWeight,
): GatedMlpWeights {
  const options = { ...kernelOf(config), isTransposed: true };
  return {
    gate: addWeight('gate', [intermediateSize, hiddenSize], options),
    up: addWeight('up', [intermediateSize, hiddenSize], options),
    down: addWeight('down', [hiddenSize, intermediateSize], options),
  };
}
