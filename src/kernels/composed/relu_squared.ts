import { mul, relu, square } from '@tensorflow/tfjs-core';
import { ReluSquared, ReluSquaredGrad } from '../contracts/relu_squared.js';
import { composedKernel } from './shared/composed_kernel.js';

export const reluSquared = composedKernel(ReluSquared, ({ x }) => ({ y: square(relu(x)) }));

export const reluSquaredGrad = composedKernel(ReluSquaredGrad, ({ dy, x }) => ({ dx: mul(mul(2, relu(x)), dy) }));
