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
