import { cast, type Tensor, zerosLike } from '@tensorflow/tfjs-core';

/** Zeros for an input in which nothing is differentiated: of its shape, and floats, as the tape wants them. */
export const noGradient = (input: Tensor): Tensor => zerosLike(cast(input, 'float32'));
