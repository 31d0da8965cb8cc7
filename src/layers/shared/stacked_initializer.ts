import { concat, type DataType, reshape, serialization, type Tensor, tidy, transpose } from '@tensorflow/tfjs-core';
import type { Shape } from '@tensorflow/tfjs-layers';
import { type Initializer, initializerOf, type KerasObject } from './keras_objects.js';

/**
 * Makes a weight [..., out, in] of matrices that lie one upon another, each as Keras makes a kernel [in, out] of its own: what an
 * initializer draws follows from those sizes.
 */
export class StackedInitializer extends serialization.Serializable {
  static readonly className = 'LigerStackedInitializer';

  /**
   * @param each What makes a matrix.
   * @param outputs How many rows each matrix has.
   */
  constructor(
    private readonly each: KerasObject<Initializer>,
    private readonly outputs: readonly number[],
  ) {
    super();
  }

  fromConfigUsesCustomObjects(): boolean {
    return false;
  }

  apply(shape: Shape, dtype?: DataType): Tensor {
    const inputs = shape.at(-1)!;
    return tidy(() => {
      const matrices = this.outputs.map((size, i) => transpose(withSeed(this.each, i).apply([inputs, size], dtype)));
      return reshape(matrices.length === 1 ? matrices[0]! : concat(matrices), shape as number[]);
    });
  }

  /** Never saved: a layer saves the option that it came from. */
  getConfig(): serialization.ConfigDict {
    return {};
  }
}

/** The initializer of the i-th matrix: with one seed, all would be the same. */
function withSeed(option: KerasObject<Initializer>, i: number): Initializer {
  const initializer = initializerOf(option);
  const config = initializer.getConfig();
  if (i === 0 || typeof config.seed !== 'number') return initializer;
  return initializerOf({ className: initializer.getClassName(), config: { ...config, seed: config.seed + i } });
}
