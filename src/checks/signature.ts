import { tensor as makeTensor, Tensor, type TensorContainer, type TensorLike, tidy, util } from '@tensorflow/tfjs-core';
import {
  type ConfigSchema,
  defaultsOf,
  isRequired,
  isTensorOption,
  type Option,
  type ResolvedConfig,
  resolveConfig,
  type TensorOption,
} from './config_schema.js';
import { fail, show, withArticle } from './errors.js';

/** What an op says of one of its positional tensors. */
export interface Argument<Dimension extends string = string> {
  /**
   * Named dimensions, such as `['...', 'V']`. A name stands for one size throughout a call, `...` for any number of
   * dimensions, mostly leading ones (and `S...`, say, for others), and a number for itself.
   */
  readonly shape: readonly Dimension[];
  readonly dtype: 'float32' | 'int32';
  /** Whether integers and booleans are taken as well, as they are. */
  readonly isNumeric?: boolean;
  readonly optional?: boolean;
}

export const float32 = <D extends string>(...shape: D[]): Argument<D> => ({ shape, dtype: 'float32' });
export const int32 = <D extends string>(...shape: D[]): Argument<D> => ({ shape, dtype: 'int32' });
/** Floats, integers or booleans, which the op gets as they are. */
export const numeric = <D extends string>(...shape: D[]): Argument<D> => ({ ...float32(...shape), isNumeric: true });
export const optional = <D extends string>(argument: Argument<D>): OptionalArgument<D> => ({
  ...argument,
  optional: true,
});

export interface OptionalArgument<Dimension extends string = string> extends Argument<Dimension> {
  readonly optional: true;
}

export interface Checked<Args extends Record<string, Argument>, S extends ConfigSchema> {
  /** The tensors, positional and optional ones, by name. */
  readonly tensors: { [K in keyof Args]: Args[K] extends OptionalArgument ? Tensor | undefined : Tensor } & {
    [K in keyof S as S[K] extends TensorOption ? K : never]: Tensor | undefined;
  };
  readonly config: ResolvedConfig<S>;
  /** The sizes of the named dimensions of the tensors that are always there. */
  readonly sizes: Readonly<Record<DimensionOf<Args>, number>>;
  /** The dimensions that `...` stands for. */
  readonly leading: number[];
}

/** The names of the dimensions of those arguments that are not optional. */
type DimensionOf<Args extends Record<string, Argument>> = Exclude<
  { [K in keyof Args]: Args[K] extends OptionalArgument ? never : Args[K]['shape'][number] }[keyof Args],
  `${string}...` | `${number}`
>;

/**
 * Checks the arguments of an op: the one declaration of its tensors and options. Nothing is allocated on a backend before
 * every check has passed.
 */
export class Signature<Args extends Record<string, Argument>, S extends ConfigSchema> {
  /** Every signature that there is: what an op takes, as data, for the specs. */
  static readonly all: Array<{ op: string; args: Readonly<Record<string, Argument>>; options: ConfigSchema }> = [];

  private readonly defaults: ResolvedConfig<S>;
  private readonly required: ReadonlyArray<readonly [name: string, option: Option<unknown>]>;
  /** The positional tensors, then the optional ones of the config. */
  private readonly tensors: ReadonlyArray<readonly [name: string, argument: Argument]>;

  constructor(
    readonly op: string,
    readonly args: Args,
    readonly options: S,
  ) {
    this.defaults = defaultsOf(options);
    this.required = Object.entries(options).filter(([, option]) => isRequired(option));
    const optionals = Object.entries(options).filter((entry): entry is [string, TensorOption] =>
      isTensorOption(entry[1]),
    );
    this.tensors = [...Object.entries(args), ...optionals.map(([name, option]) => [name, optional(option)] as const)];
    Signature.all.push(this);
  }

  /**
   * Checks the arguments, then runs `body` with them in a scope of its own, as tfjs's ops do: of the tensors that it makes,
   * those that it returns remain.
   *
   * @throws If an option is unknown, wrong or missing, or a tensor is missing, disposed, or of a wrong dtype or shape.
   */
  call<R extends TensorContainer>(
    values: { [K in keyof Args]: unknown },
    config: unknown,
    body: (checked: Checked<Args, S>) => R,
  ): R {
    const { given, config: resolved, sizes, leading } = this.check(values, config);
    return tidy(this.op, () => {
      const tensors: Record<string, Tensor | undefined> = {};
      for (const [name, { dtype }] of this.tensors) tensors[name] = convert(given[name], dtype);
      return body({ tensors, config: resolved, sizes, leading } as Checked<Args, S>);
    });
  }

  /** The check alone. `given` are the tensors, or what stands for them, by name. */
  check(values: { [K in keyof Args]: unknown }, config: unknown) {
    const resolved = resolveConfig(this.op, this.options, this.defaults, config);
    const given: Readonly<Record<string, unknown>> = { ...resolved, ...values };
    for (const [name, { expected }] of this.required) {
      if (given[name] === undefined) fail(this.op, `option '${name}'`, expected, undefined);
    }
    const { sizes, leading } = this.checkTensors(given);
    return { given, config: resolved, sizes, leading: leading['...'] ?? [] };
  }

  private checkTensors(given: Readonly<Record<string, unknown>>): Shapes {
    const shapes = new Shapes(this.op);
    for (const [name, argument] of this.tensors) {
      const value = given[name];
      if (value !== undefined && value !== null) {
        shapes.match(name, argument.shape, this.shapeOf(name, value, argument), value);
      } else if (!argument.optional) fail(this.op, name, `${withArticle(argument.dtype)} tensor`, value);
    }
    return shapes;
  }

  private shapeOf(name: string, value: unknown, { dtype, isNumeric = false }: Argument): readonly number[] {
    if (value instanceof Tensor) {
      if (value.isDisposed) throw new Error(`${this.op}: ${name} is a tensor that was disposed`);
      const fits = value.dtype === dtype || (isNumeric && (value.dtype === 'int32' || value.dtype === 'bool'));
      if (!fits) this.refuseType(name, value, dtype);
      return value.shape;
    }
    if (typeof value === 'number' || typeof value === 'boolean') return [];
    if (ArrayBuffer.isView(value)) return [(value as Float32Array).length];
    if (!Array.isArray(value)) fail(this.op, name, `${withArticle(dtype)} tensor or an array of numbers`, value);
    return shapeOfArray(value);
  }

  /** Labels and indices are often float32, tfjs's default: rounding them unasked could hide a mistake. */
  private refuseType(name: string, value: Tensor, dtype: 'float32' | 'int32'): never {
    const cast = dtype === 'int32' ? `${name}.toInt()` : `${name}.toFloat()`;
    throw new Error(`${this.op}: ${name} must be ${withArticle(dtype)} tensor, but got ${show(value)}; pass ${cast}`);
  }
}

function convert(value: unknown, dtype: 'float32' | 'int32'): Tensor | undefined {
  if (value === undefined || value === null) return undefined;
  if (!(value instanceof Tensor)) return makeTensor(value as TensorLike, undefined, dtype);
  return value;
}

function shapeOfArray(value: unknown): number[] {
  const shape: number[] = [];
  for (let inner = value; Array.isArray(inner) || ArrayBuffer.isView(inner); inner = (inner as unknown[])[0]) {
    shape.push((inner as unknown[]).length);
  }
  return shape;
}

/** Unifies symbolic shapes with real ones. */
class Shapes {
  readonly sizes: Record<string, number> = {};
  /** The leading dimensions that `...`, or a name before it, stands for. */
  readonly leading: Record<string, number[]> = {};
  private readonly saidBy: Record<string, string> = {};

  constructor(private readonly op: string) {}

  match(name: string, symbols: readonly string[], shape: readonly number[], value: unknown): void {
    const free = symbols.findIndex((symbol) => symbol.endsWith('...'));
    const isFree = free >= 0;
    const fixed = isFree ? symbols.length - 1 : symbols.length;
    if (isFree ? shape.length < fixed : shape.length !== fixed) this.refuse(name, symbols, shape, value);
    /** How many dimensions `...` stands for. */
    const many = shape.length - fixed;
    if (isFree) {
      const [symbol, sizes] = [symbols[free]!, shape.slice(free, free + many)];
      const known = this.leading[symbol];
      if (known === undefined) {
        this.leading[symbol] = sizes;
        this.saidBy[symbol] = name;
      } else if (!util.arraysEqual(known, sizes)) this.refuse(name, symbols, shape, value);
    }
    for (let i = 0; i < symbols.length; i++) {
      if (i === free) continue;
      const symbol = symbols[i]!;
      const size = shape[isFree && i > free ? i + many - 1 : i]!;
      const known = this.sizes[symbol] ?? (/^\d+$/.test(symbol) ? Number(symbol) : undefined);
      if (known === undefined) {
        if (size === 0) fail(this.op, name, `of a shape whose ${symbol} is at least 1`, value);
        this.sizes[symbol] = size;
        this.saidBy[symbol] = name;
      } else if (known !== size) this.refuse(name, symbols, shape, value);
    }
  }

  private refuse(name: string, symbols: readonly string[], shape: readonly number[], value: unknown): never {
    const known = symbols.flatMap<number | string>((symbol) => this.leading[symbol] ?? this.sizes[symbol] ?? symbol);
    const sources = [...new Set(symbols.map((symbol) => this.saidBy[symbol]).filter((said) => said && said !== name))];
    const as =
      sources.length > 0 ? ` = [${known}] (as ${sources.join(' and ')} say${sources.length > 1 ? '' : 's'})` : '';
    const got = value instanceof Tensor ? show(value) : `shape [${shape}]`;
    throw new Error(`${this.op}: ${name} must have shape [${symbols}]${as}, but got ${got}`);
  }
}
