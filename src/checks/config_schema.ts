import { Tensor, type TensorLike } from '@tensorflow/tfjs-core';
import { fail, show, withArticle } from './errors.js';

/** One option of an op: what it may be, and what it is when it is not given. */
export interface Option<T> {
  readonly default: T;
  /** A phrase for error messages, such as `a number in [0, 1]`. */
  readonly expected: string;
  accepts(value: unknown): boolean;
}

/** An option that every call gives. */
export interface RequiredOption<T> extends Option<T | undefined> {
  readonly isRequired: true;
}

/** An option that is a tensor. */
export interface TensorOption extends Option<Tensor | TensorLike | undefined> {
  /** Its shape in named dimensions; such as `['V']`. */
  readonly shape: readonly string[];
  readonly dtype: 'float32' | 'int32';
}

export const isTensorOption = (option: Option<unknown> | undefined): option is TensorOption =>
  option !== undefined && 'shape' in option;

export const isRequired = (option: Option<unknown>): boolean => 'isRequired' in option;

export type ConfigSchema = Readonly<Record<string, Option<unknown>>>;

/** The names of the options that every call gives. */
type RequiredOf<S extends ConfigSchema> = { [K in keyof S]: S[K] extends RequiredOption<unknown> ? K : never }[keyof S];

/** The config object that a schema describes. Interfaces extend this, so that types and checks are one declaration. */
export type ConfigOf<S extends ConfigSchema> = [RequiredOf<S>] extends [never]
  ? Partial<ResolvedConfig<S>>
  : Partial<Omit<ResolvedConfig<S>, RequiredOf<S>>> & Pick<ResolvedConfig<S>, RequiredOf<S>>;

/** A config with every default filled in. */
export type ResolvedConfig<S extends ConfigSchema> = {
  -readonly [K in keyof S]: S[K] extends RequiredOption<infer T> ? T : S[K] extends Option<infer T> ? T : never;
};

interface Range {
  min?: number;
  max?: number;
  /** Whether `min` itself is left out. */
  above?: boolean;
  /** Whether `max` itself is left out. */
  below?: boolean;
}

const inRange = (value: number, { min = -Infinity, max = Infinity, above = false, below = false }: Range) =>
  value >= min && value <= max && !(above && value === min) && !(below && value === max);

function describe(noun: string, { min, max, above = false, below = false }: Range): string {
  if (min !== undefined && max !== undefined) {
    return `${noun} in ${above ? '(' : '['}${min}, ${max}${below ? ')' : ']'}`;
  }
  if (min !== undefined) return `${noun} ${above ? 'above' : 'of at least'} ${min}`;
  if (max !== undefined) return `${noun} of at most ${max}`;
  return noun;
}

/** A finite number. */
export function number<const D extends number | undefined>(fallback: D, range: Range = {}): Option<D | number> {
  return {
    default: fallback,
    expected: describe('a finite number', range),
    accepts: (value) => typeof value === 'number' && Number.isFinite(value) && inRange(value, range),
  };
}

/** A whole number. */
export function integer<const D extends number | undefined>(fallback: D, range: Range = {}): Option<D | number> {
  return {
    default: fallback,
    expected: describe('an integer', range),
    accepts: (value) => Number.isSafeInteger(value) && inRange(value as number, range),
  };
}

/** A whole number, or two of them, for rows and for columns. */
export function integerPair(fallback: number, range: Range = {}): Option<number | readonly [number, number]> {
  const one = integer(fallback, range);
  return {
    default: fallback,
    expected: `${one.expected}, or two of them`,
    accepts: (value) =>
      one.accepts(value) || (Array.isArray(value) && value.length === 2 && value.every((item) => one.accepts(item))),
  };
}

/** Three whole numbers, or nothing. */
export function integerTriple(range: Range = {}): Option<readonly [number, number, number] | undefined> {
  const { accepts } = integer(0, range);
  return {
    default: undefined,
    expected: `three ${describe('integers', range)}`,
    accepts: (value) => Array.isArray(value) && value.length === 3 && value.every(accepts),
  };
}

/** true or false. */
export function flag(fallback = false): Option<boolean> {
  return { default: fallback, expected: 'a boolean', accepts: (value) => typeof value === 'boolean' };
}

/** One of a few words. */
export function oneOf<const W extends string>(words: readonly W[], fallback: NoInfer<W>): Option<W> {
  return {
    default: fallback,
    expected: `one of ${words.map(show).join(', ')}`,
    accepts: (value) => words.includes(value as W),
  };
}

/** One of a few words, or a list of them, without any twice. */
export function someOf<const W extends string>(words: readonly W[], fallback: NoInfer<W>): Option<W | readonly W[]> {
  const { expected, accepts } = oneOf(words, fallback);
  return {
    default: fallback,
    expected: `${expected}, or an array of different ones`,
    accepts: (value) =>
      accepts(value) ||
      (Array.isArray(value) && value.length > 0 && value.every(accepts) && new Set(value).size === value.length),
  };
}

/** A list of finite numbers, or nothing. */
export function numbers(): Option<readonly number[] | undefined> {
  return {
    default: undefined,
    expected: 'an array of finite numbers',
    accepts: (value) => Array.isArray(value) && value.every(Number.isFinite),
  };
}

/** An object of the host, such as a GPUDevice, or nothing. */
export function object<T extends object>(): Option<T | undefined> {
  return {
    default: undefined,
    expected: 'an object',
    accepts: (value) => typeof value === 'object' && value !== null,
  };
}

/** A string, or nothing. */
export function text(): Option<string | undefined> {
  return { default: undefined, expected: 'a string', accepts: (value) => typeof value === 'string' };
}

/** A list of strings, or nothing. */
export function strings(): Option<readonly string[] | undefined> {
  return {
    default: undefined,
    expected: 'an array of strings',
    accepts: (value) => Array.isArray(value) && value.every((item) => typeof item === 'string'),
  };
}

/** A function of the caller's, or nothing. */
export function callback<F extends (...args: never[]) => unknown>(): Option<F | undefined> {
  return { default: undefined, expected: 'a function', accepts: (value) => typeof value === 'function' };
}

/** What either of two options accepts; the default is the first one's. */
export function either<A, B>(first: Option<A>, second: Option<B>): Option<A | B> {
  return {
    default: first.default,
    expected: `${first.expected} or ${second.expected}`,
    accepts: (value) => first.accepts(value) || second.accepts(value),
  };
}

/** An option without a default, given by every call. */
export function required<T>(option: Option<T | undefined>): RequiredOption<T> {
  return { ...option, isRequired: true };
}

/** An optional tensor, with dimensions named as in the op's other tensors. */
export function tensor(shape: readonly string[], dtype: 'float32' | 'int32' = 'float32'): TensorOption {
  return {
    default: undefined,
    expected: `${withArticle(dtype)} tensor of shape [${shape}]`,
    shape,
    dtype,
    accepts: (value) =>
      value instanceof Tensor || Array.isArray(value) || ArrayBuffer.isView(value) || typeof value === 'number',
  };
}

/**
 * Checks a config against its schema and fills in the defaults. Options given as undefined count as not given.
 *
 * @throws If a key is unknown (naming the option that was probably meant) or a value is not what the option expects.
 */
export function resolveConfig<S extends ConfigSchema>(
  op: string,
  schema: S,
  defaults: ResolvedConfig<S>,
  config: unknown,
): ResolvedConfig<S> {
  if (config === undefined || config === null) return { ...defaults };
  if (typeof config !== 'object' || Array.isArray(config) || config instanceof Tensor) {
    fail(op, 'the config', 'an object of options', config);
  }
  const resolved: Record<string, unknown> = { ...defaults };
  for (const key in config) {
    const value = (config as Record<string, unknown>)[key];
    const option = Object.hasOwn(schema, key) ? schema[key] : undefined;
    if (!option) throw new Error(`${op}: unknown option '${key}'${suggestion(key, Object.keys(schema))}`);
    if (value === undefined) continue;
    if (!option.accepts(value)) fail(op, `option '${key}'`, option.expected, value);
    resolved[key] = value;
  }
  return resolved as ResolvedConfig<S>;
}

export function defaultsOf<S extends ConfigSchema>(schema: S): ResolvedConfig<S> {
  return Object.fromEntries(Object.entries(schema).map(([key, option]) => [key, option.default])) as ResolvedConfig<S>;
}

/** Options' names in PyTorch, Keras and Liger-Kernel, in lower case, that no likeness leads from to those they have here. */
const OTHER_NAMES: Readonly<Record<string, readonly string[]>> = {
  betas: ['beta1', 'beta2'],
  ceweight: ['classWeight'],
  eps: ['epsilon'],
  globalclipnorm: ['clipNorm'],
  layernormeps: ['epsilon'],
  lr: ['learningRate'],
  maxgradnorm: ['clipNorm'],
  maxnorm: ['clipNorm'],
  preeps: ['preEpsilon'],
  rmseps: ['rmsEpsilon'],
  rmsnormeps: ['epsilon'],
};

const plain = (name: string) => name.replace(/[_-]/g, '').toLowerCase();

function suggestion(key: string, known: readonly string[]): string {
  if (known.length === 0) return '; this op has no options';
  const meant = meantBy(key, known);
  return meant.length > 0
    ? `; did you mean ${meant.map((name) => `'${name}'`).join(' and ')}?`
    : `; the options are ${known.join(', ')}`;
}

/** The options that an unknown one stands for: by its name elsewhere, or else by its letters. */
function meantBy(key: string, known: readonly string[]): readonly string[] {
  const here = OTHER_NAMES[plain(key)];
  if (here?.every((name) => known.includes(name))) return here;
  let best = '';
  let bestDistance = Infinity;
  for (const name of known) {
    const distance = editDistance(plain(key), plain(name));
    if (distance < bestDistance) [best, bestDistance] = [name, distance];
  }
  return bestDistance <= Math.max(2, best.length / 3) ? [best] : [];
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(substitution, previous[j]! + 1, current[j - 1]! + 1));
    }
    previous = current;
  }
  return previous[b.length]!;
}
