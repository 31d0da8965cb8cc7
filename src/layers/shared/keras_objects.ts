/** Options of layers that are initializers, regularizers or constraints, as Keras takes them. */
import { serialization } from '@tensorflow/tfjs-core';
import { constraints, initializers, type LayerVariable, layers, regularizers } from '@tensorflow/tfjs-layers';
import type { Option } from '../../checks/config_schema.js';

type AddWeight = NonNullable<ConstructorParameters<typeof LayerVariable>>;

/** As tfjs-layers has them, which does not export their types. */
export type Initializer = ReturnType<typeof initializers.zeros>;
export type Regularizer = ReturnType<typeof regularizers.l2>;
export type Constraint = NonNullable<AddWeight[4]>;

/** What a saved model has in the place of an object: its class, and what the class makes it from. */
export interface SavedObject {
  className: string;
  config: serialization.ConfigDict;
}

/** An object, its name in tfjs's camel case, such as `glorotUniform`, or what a saved model has of it. */
export type KerasObject<T> = T | string | SavedObject;

const isSaved = (value: unknown): value is SavedObject =>
  typeof value === 'object' && value !== null && 'className' in value && 'config' in value;

interface Kind<T> {
  readonly noun: string;
  /** Its namespace in tfjs: what makes one of a name. */
  readonly makers: object;
  /** A method that every object of the kind has. */
  readonly method: string & keyof T;
}

const makerOf = <T>({ makers }: Kind<T>, name: string) =>
  (makers as Readonly<Record<string, ((config: object) => T) | undefined>>)[name];

/** An option that is an object of a kind. Without a default it may be left out. */
function kerasObject<T extends serialization.Serializable, D extends string | SavedObject | undefined>(
  kind: Kind<T>,
  fallback: D,
): Option<KerasObject<T> | D> {
  return {
    default: fallback,
    expected: `${kind.noun}, or the name of one`,
    accepts: (value) =>
      typeof value === 'string'
        ? makerOf(kind, value) !== undefined
        : isSaved(value) || (typeof value === 'object' && value !== null && kind.method in value),
  };
}

/** The object that an option of its kind stands for. */
function made<T extends serialization.Serializable>(kind: Kind<T>, option: KerasObject<T>): T {
  if (typeof option === 'string') return makerOf(kind, option)!({});
  if (!isSaved(option)) return option;
  const known = serialization.SerializationMap.getMap().classNameMap[option.className];
  if (!known) throw new Error(`There is no class '${option.className}'. Is it registered?`);
  const [cls, fromConfig] = known;
  return fromConfig(cls, option.config) as unknown as T;
}

const INITIALIZER: Kind<Initializer> = { noun: 'an initializer', makers: initializers, method: 'apply' };
const REGULARIZER: Kind<Regularizer> = { noun: 'a regularizer', makers: regularizers, method: 'apply' };
const CONSTRAINT: Kind<Constraint> = { noun: 'a constraint', makers: constraints, method: 'apply' };

export const initializer = (fallback: string | SavedObject) => kerasObject(INITIALIZER, fallback);
export const regularizer = () => kerasObject(REGULARIZER, undefined);
export const constraint = () => kerasObject(CONSTRAINT, undefined);

export const initializerOf = (option: KerasObject<Initializer>) => made(INITIALIZER, option);
export const regularizerOf = (option: KerasObject<Regularizer> | undefined) =>
  option === undefined ? undefined : made(REGULARIZER, option);
export const constraintOf = (option: KerasObject<Constraint> | undefined) =>
  option === undefined ? undefined : made(CONSTRAINT, option);

/** An option's value as a saved model has it: a layer by its name, which only under the key `name` stays as it is. */
export function saved(value: unknown): serialization.ConfigDictValue {
  if (value instanceof layers.Layer) return { name: value.name };
  if (!(value instanceof serialization.Serializable)) return value as serialization.ConfigDictValue;
  return { className: value.getClassName(), config: value.getConfig() };
}
