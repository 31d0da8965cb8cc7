/** A map whose keys are lists of numbers. Numbers are hashed and compared much faster than they turn into text. */
export class NumbersMap<Value> {
  private readonly buckets = new Map<number, Array<{ key: readonly number[]; value: Value }>>();
  private count = 0;

  /** @param capacity How many entries it holds before it forgets them all. */
  constructor(private readonly capacity: number) {}

  get(key: readonly number[]): Value | undefined {
    const bucket = this.buckets.get(hash(key));
    if (bucket) for (const entry of bucket) if (same(entry.key, key)) return entry.value;
    return undefined;
  }

  /** Adds what `get` did not find. The map keeps `key`, which must not change. */
  add(key: readonly number[], value: Value): void {
    if (this.count++ >= this.capacity) {
      this.buckets.clear();
      this.count = 1;
    }
    const number = hash(key);
    const bucket = this.buckets.get(number);
    if (bucket) bucket.push({ key, value });
    else this.buckets.set(number, [{ key, value }]);
  }
}

/** Fractions count too: the first factor brings theirs before the point. */
function hash(key: readonly number[]): number {
  let state = key.length;
  for (let i = 0; i < key.length; i++) state = Math.imul(state ^ (key[i]! * 0x9e3779b1), 0x01000193);
  return state;
}

function same(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}
