/** Undoes steps, the last one first, and each once. */
export const inTurn = (undo: Array<() => void>) => () => {
  for (const step of undo.splice(0).reverse()) step();
};

type Method = (...args: never[]) => unknown;
type MethodOf<T> = { [K in keyof T]: T[K] extends Method ? K : never }[keyof T] & string;

/**
 * Replaces a method of an object or of a prototype.
 *
 * @param make The method that takes the place of the original one.
 * @returns What puts the original back. Where someone else has replaced the method since, it stays, and calls the original again.
 */
export function replaceMethod<T extends object, K extends MethodOf<T>>(
  target: T,
  name: K,
  make: (original: T[K]) => T[K],
): () => void {
  const own = Object.getOwnPropertyDescriptor(target, name);
  const original = target[name];
  const replacement = make(original);
  let isOn = true;
  const either = function (this: unknown, ...args: never[]) {
    return Reflect.apply((isOn ? replacement : original) as Method, this, args);
  } as T[K];
  Object.defineProperty(target, name, { value: either, configurable: true, writable: true, enumerable: false });
  return () => {
    isOn = false;
    if (target[name] !== either) return;
    if (own) Object.defineProperty(target, name, own);
    else delete (target as Partial<T>)[name];
  };
}

/** As `replaceMethod`, of what is read by its name. */
export function replaceAccessor<T extends object, K extends keyof T & string>(
  target: T,
  name: K,
  make: (original: (this: T) => T[K]) => (this: T) => T[K],
): () => void {
  const own = Object.getOwnPropertyDescriptor(target, name);
  const found = descriptorOf(target, name);
  const original = found?.get as (this: T) => T[K];
  const get = make(original);
  Object.defineProperty(target, name, { ...found, get, configurable: true });
  return () => {
    if (Object.getOwnPropertyDescriptor(target, name)?.get !== get) return;
    if (own) Object.defineProperty(target, name, own);
    else delete target[name];
  };
}

/** How a name is defined by an object or what it inherits from. */
function descriptorOf(object: object | null, name: string): PropertyDescriptor | undefined {
  if (!object) return undefined;
  return Object.getOwnPropertyDescriptor(object, name) ?? descriptorOf(Object.getPrototypeOf(object), name);
}
