/** Conditions made of what is differentiated, as of `where(greater(x, 0), x, 0)`: tfjs's tape asks for their gradients too. */
import {
  Equal,
  type GradConfig,
  Greater,
  Less,
  LessEqual,
  LogicalAnd,
  LogicalNot,
  LogicalOr,
  NotEqual,
} from '@tensorflow/tfjs-core';
import { noGradient } from '../shared/no_gradient.js';

/** A step, flat wherever it has a slope. */
const flat = (kernelName: string, inputs: string[]): GradConfig => ({
  kernelName,
  inputsToSave: inputs,
  gradFunc: (_, saved) => Object.fromEntries(inputs.map((input, i) => [input, () => noGradient(saved[i]!)])),
});

export const equal = flat(Equal, ['a', 'b']);
export const notEqual = flat(NotEqual, ['a', 'b']);
export const greater = flat(Greater, ['a', 'b']);
export const less = flat(Less, ['a', 'b']);
export const lessEqual = flat(LessEqual, ['a', 'b']);
export const logicalAnd = flat(LogicalAnd, ['a', 'b']);
export const logicalOr = flat(LogicalOr, ['a', 'b']);
export const logicalNot = flat(LogicalNot, ['x']);
