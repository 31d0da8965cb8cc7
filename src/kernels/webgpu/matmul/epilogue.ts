import type { Activation } from '../../contracts/linear.js';
import { type WgslFunction, wgslFunction } from '../wgsl/activations.js';

/** What happens to a sum before it is stored: activation(sum + bias), or C + sum. */
export interface Epilogue {
  /** Adds `bias` [n] to every row; it is read in floats where n is no multiple of four. */
  readonly bias: false | 'f32' | 'vec4f';
  /** Adds what C holds already. */
  readonly accumulate: boolean;
  readonly activation: Activation | WgslFunction;
  /** Stores the value before the activation too, in `z`. */
  readonly keepZ: boolean;
}

export const NO_EPILOGUE: Epilogue = { bias: false, accumulate: false, activation: 'none', keepZ: false };

export function epilogueDeclarations({ activation }: Epilogue, type: 'f32' | 'vec4f'): string {
  return activation === 'none' ? '' : wgslFunction(activation, type);
}

/** WGSL that stores `value` (named so) at `at` of C, in column `column`; both count elements of `type`. */
export function storeThroughEpilogue(
  epilogue: Epilogue,
  type: 'f32' | 'vec4f',
  value: string,
  at: string,
  column: string,
): string {
  const { bias, accumulate, activation, keepZ } = epilogue;
  let z = value;
  if (bias === type) z += ` + bias[${column}]`;
  else if (bias) z += ` + vec4f(${[0, 1, 2, 3].map((q) => `bias[${column} * 4u + ${q}u]`).join(', ')})`;
  const y = activation === 'none' ? 'z' : `${activation}(z)`;
  return `{ let z = ${z}; ${keepZ ? `zOut[${at}] = z;` : ''} c[${at}] ${accumulate ? '+=' : '='} ${y}; }`;
}
