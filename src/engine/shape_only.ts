/** What is saved for a backward pass in the place of a tensor of which it reads the shape alone. */
import { type DataId, fill, Tensor } from '@tensorflow/tfjs-core';

/** Marks them for every copy of this module: `instanceof` takes any tensor for an instance of a subclass. */
const IS_SHAPE_ONLY = Symbol.for('tfjs-liger.shapeOnly');

/**
 * Shape and type of a tensor, without data: no backend and no scope knows of it.
 *
 * The tape has it under the tensor's id. Its values are the tensor's for as long as that one lives, which helps where a gradient
 * within a gradient leads through what was computed before it began. Afterwards there are none.
 */
export class ShapeOnly extends Tensor {
  declare private savedDataId: DataId;

  constructor(private readonly source: Tensor) {
    super(source.shape, source.dtype, source.dataId, source.id);
    this.kept = true;
  }

  override dispose(): void {}

  /** @throws If the tensor was disposed, or is a variable that has other values now. */
  livingDataId(): DataId {
    if (!this.source.isDisposed && this.source.dataId === this.savedDataId) return this.savedDataId;
    throw new Error(
      `The values of a tensor of shape [${this.shape}] were not saved for the backward pass, since no gradient that was asked for reads them. ` +
        'Where a gradient is computed within another one, compute within its function what depends on its inputs. A gradient of your ' +
        'own for an op of tfjs is to be registered after the backend, or after patch().',
    );
  }
}
Object.defineProperty(ShapeOnly.prototype, IS_SHAPE_ONLY, { value: true });
// tfjs declares a property, and its constructor sets it.
Object.defineProperty(ShapeOnly.prototype, 'dataId', {
  configurable: true,
  get(this: ShapeOnly) {
    return this.livingDataId();
  },
  set(this: { savedDataId: DataId }, dataId: DataId) {
    this.savedDataId = dataId;
  },
});

export const isShapeOnly = (tensor: Tensor): boolean => IS_SHAPE_ONLY in tensor;

/** Zeros in the place of what has a shape alone, for a gradient that computes with it, but not with its values. */
export const withZeros = (tensor: Tensor): Tensor =>
  isShapeOnly(tensor) ? fill(tensor.shape, 0, tensor.dtype as 'float32') : tensor;
