import { expect } from 'chai';
import fc from 'fast-check';
import { NumbersMap } from '../../src/backend/numbers_map.js';

describe('NumbersMap', () => {
  it('finds what was added under the very same numbers, and nothing else', () => {
    const key = fc.array(fc.oneof(fc.integer({ min: 0, max: 5 }), fc.double()), { maxLength: 4 });
    fc.assert(
      fc.property(fc.array(key), key, (keys, other) => {
        const map = new NumbersMap<readonly number[]>(1000);
        for (const added of keys) if (!map.get(added)) map.add(added, added);
        for (const added of keys) expect(map.get([...added])).to.deep.equal(added);
        const known = keys.some((k) => k.length === other.length && k.every((x, i) => Object.is(x, other[i])));
        expect(map.get(other) !== undefined).to.equal(known);
      }),
    );
  });

  it('tells 0 from -0, and knows NaN', () => {
    const map = new NumbersMap<string>(10);
    map.add([0], 'zero');
    map.add([Number.NaN], 'NaN');
    expect([map.get([-0]), map.get([0]), map.get([Number.NaN])]).to.deep.equal([undefined, 'zero', 'NaN']);
  });

  it('forgets all when it is full', () => {
    const map = new NumbersMap<number>(2);
    for (const i of [1, 2, 3]) map.add([i], i);
    expect([1, 2, 3].map((i) => map.get([i]))).to.deep.equal([undefined, undefined, 3]);
    map.add([4], 4);
    expect([3, 4].map((i) => map.get([i]))).to.deep.equal([3, 4]);
  });
});
