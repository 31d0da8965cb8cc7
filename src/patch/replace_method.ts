/**
 * Replaces a method of an object or of a prototype.
 *
 * @param make The method that takes the place of the original one.
 * @returns What puts the original back. Where someone else has replaced the method since, it stays, and calls the original again.
 */
export function replaceMethod<Args extends unknown[], Result, K extends string>(
  target: Record<K, (...args: Args) => Result>,
  name: K,
  make: (original: (...args: Args) => Result) => (...args: Args) => Result,
): () => void {
  const own = Object.getOwnPropertyDescriptor(target, name);
  const original = target[name];
  const replacement = make(original);
  let isOn = true;
  const either = function (this: unknown, ...args: Args): Result {
    return Reflect.apply(isOn ? replacement : original, this, args);
  };
  Object.defineProperty(target, name, { value: either, configurable: true, writable: true, enumerable: false });
  return () => {
    isOn = false;
    if (target[name] !== either) return;
    if (own) Object.defineProperty(target, name, own);
    else delete (target as Partial<typeof target>)[name];
  };
}
