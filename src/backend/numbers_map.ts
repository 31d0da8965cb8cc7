/** A list of numbers that is looked up; only its first `length` count. It may be written anew after the call. */
export type NumbersKey = ArrayLike<number>;

/** A map whose keys are lists of numbers. Numbers are hashed and compared much faster than they turn into text. */
export class NumbersMap<Value> {
  private readonly buckets = new Map<number, Array<{ key: readonly number[]; value: Value }>>();
  private count = 0;

  /** @param capacity How many entries it holds before it forgets them all. */
  constructor(private readonly capacity: number) {}

  get(key: NumbersKey, length = key.length): Value | undefined {
    const bucket = this.buckets.get(hash(key, length));
    if (bucket) for (const entry of bucket) if (same(entry.key, key, length)) return entry.value;
    return undefined;
  }

  /** Adds what `get` did not find. */
  add(key: NumbersKey, value: Value, length = key.length): void {
    if (this.count++ >= this.capacity) {
      this.buckets.clear();
      this.count = 1;
    }
    const number = hash(key, length);
    const entry = { key: Array.prototype.slice.call(key, 0, length) as number[], value };
    const bucket = this.buckets.get(number);
    if (bucket) bucket.push(entry);
    else this.buckets.set(number, [entry]);
  }
}

/** Fractions count too: the first factor brings theirs before the point. */
function hash(key: NumbersKey, length: number): number {
  let state = length;
  for (let i = 0; i < length; i++) state = Math.imul(state ^ (key[i]! * 0x9e3779b1), 0x01000193);
  return state;
}

function same(a: readonly number[], b: NumbersKey, length: number): boolean {
  if (a.length !== length) return false;
  for (let i = 0; i < length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}
