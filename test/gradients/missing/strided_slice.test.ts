import { expect } from 'chai';
import fc from 'fast-check';
import { stridedSlice } from '../../../src/gradients/missing/strided_slice.js';
import { random } from '../../support/against_composed.js';
import { backendName, tf } from '../../support/backend.js';
import { expectClose, expectNoLeak, GRADIENT_TOLERANCE } from '../../support/golden.js';
import { expectGradients, gradientsBy, withGradients } from '../../support/gradients.js';
import { runsOf } from '../../support/passes.js';

/** What is taken of one axis, as Python writes it: [begin:end:stride] with either left out, [at], or all of it. */
type Taken = { begin?: number; end?: number; stride: number } | { at: number };

/** The elements of an axis that are taken, in their order. */
function placesOn(extent: number, taken: Taken): number[] {
  if ('at' in taken) return [(taken.at + extent) % extent];
  const { stride } = taken;
  const fromStart = (place: number) => (place < 0 ? place + extent : place);
  const begin = taken.begin === undefined ? (stride > 0 ? 0 : extent - 1) : fromStart(taken.begin);
  const end = taken.end === undefined ? (stride > 0 ? extent : -1) : fromStart(taken.end);
  const places: number[] = [];
  const first = stride > 0 ? Math.max(begin, 0) : Math.min(begin, extent - 1);
  const [low, high] = [Math.max(end, -1), Math.min(end, extent)];
  for (let i = first; stride > 0 ? i < high : i > low; i += stride) places.push(i);
  return places;
}

const maskOf = (flags: boolean[]) => flags.reduce((mask, flag, i) => (flag ? mask | (1 << i) : mask), 0);

/** The attributes of tfjs's kernel. */
const attrsOf = (axes: Taken[]) => ({
  begin: axes.map((taken) => ('at' in taken ? taken.at : (taken.begin ?? 0))),
  end: axes.map((taken) => ('at' in taken ? taken.at + 1 : (taken.end ?? 0))),
  strides: axes.map((taken) => ('at' in taken ? 1 : taken.stride)),
  beginMask: maskOf(axes.map((taken) => !('at' in taken) && taken.begin === undefined)),
  endMask: maskOf(axes.map((taken) => !('at' in taken) && taken.end === undefined)),
  ellipsisMask: 0,
  newAxisMask: 0,
  shrinkAxisMask: maskOf(axes.map((taken) => 'at' in taken)),
});

/** Where the elements of a slice lie in the tensor, in the slice's order. */
const placesIn = (shape: number[], axes: Taken[]) =>
  shape.reduce<number[]>(
    (places, extent, i) => {
      const own = placesOn(extent, axes[i] ?? { stride: 1 });
      return places.flatMap((place) => own.map((at) => place * extent + at));
    },
    [0],
  );

const axis = fc.integer({ min: 1, max: 9 }).chain((extent) => {
  const place = fc.option(fc.integer({ min: -extent, max: extent }), { nil: undefined });
  const range = fc.record({ begin: place, end: place, stride: fc.constantFrom(1, 1, 2, 3, 10, -1, -2, -4) });
  const one = fc.record({ at: fc.integer({ min: -extent, max: extent - 1 }) });
  return fc.record({ extent: fc.constant(extent), taken: fc.oneof({ weight: 4, arbitrary: range }, one) });
});

describe('the gradient of stridedSlice', () => {
  withGradients(stridedSlice);

  // Without tfjs's own kernel, which not every backend has right for single elements between strides.
  it('puts everything back to where it was taken from', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(axis, { minLength: 1, maxLength: 4 }), async (parts) => {
        await expectNoLeak(async () => {
          const [shape, axes] = [parts.map(({ extent }) => extent), parts.map(({ taken }) => taken)];
          const places = placesIn(shape, axes);
          const taken = shape.map((extent, i) => placesOn(extent, axes[i]!).length);
          const [x, dy] = [
            random(shape),
            random(
              taken.filter((_, i) => !('at' in axes[i]!)),
              2,
            ),
          ];
          expect(dy.size).to.equal(places.length);
          const expected = new Array<number>(x.size).fill(0);
          for (const [i, slope] of (await dy.data()).entries()) expected[places[i]!] = slope;
          const gradients = gradientsBy(stridedSlice, dy, [x], attrsOf(axes));
          expect(gradients.x!.shape).to.deep.equal(shape);
          await expectClose(gradients.x!, expected, 0);
          tf.dispose([x, dy, gradients] as tf.TensorContainer);
        });
      }),
      { numRuns: runsOf(backendName === 'webgpu' ? 12 : 150), seed: 1, endOnFailure: true },
    );
  });

  const slices: Record<string, (x: tf.Tensor) => tf.Tensor> = {
    '[1:3, ::2]': (x) => tf.stridedSlice(x, [1, 0], [3, 7], [1, 2]),
    '[::-1, 5:0:-2]': (x) => tf.stridedSlice(x, [0, 5], [0, 0], [-1, -2], 1, 1),
    '[1]': (x) => tf.stridedSlice(x, [1], [2], [1], 0, 0, 0, 0, 1),
    '[..., 1:6:3]': (x) => tf.stridedSlice(x, [0, 1], [0, 6], [1, 3], 0, 0, 1),
    '[newaxis, 1:3]': (x) => tf.stridedSlice(x, [0, 1], [0, 3], [1, 1], 0, 0, 0, 1),
    '[:]': (x) => tf.stridedSlice(x, [0, 0], [0, 0], [1, 1], 3, 3),
  };
  for (const [name, f] of Object.entries(slices)) {
    it(`of ${name}, twice`, async () => {
      await expectNoLeak(async () => {
        const x = random([4, 7]);
        // What the slice has of the number of each element says where it comes from.
        const numbers = tf.range(0, 28);
        const taken = tf.tidy(() => f(tf.reshape(numbers, [4, 7])));
        const [places, values] = [await taken.data(), await x.data()];
        const expected = new Array<number>(28).fill(0);
        for (const place of places) expected[place] = 2 * values[place]!;
        const squared = (v: tf.Tensor) => tf.sum(tf.square(f(v)));
        await expectGradients(squared, [x], undefined, [expected]);
        const again = (v: tf.Tensor) => tf.sum(tf.square(tf.grad(squared)(v)));
        await expectGradients(again, [x], undefined, [expected.map((slope) => 4 * slope)]);
        tf.dispose([x, numbers, taken]);
      });
    });
  }

  it('is 0 where nothing was taken', async () => {
    await expectNoLeak(async () => {
      const [x, dy] = [random([3]), tf.zeros([0])];
      const gradients = gradientsBy(stridedSlice, dy, [x], attrsOf([{ begin: 2, end: 1, stride: 1 }]));
      await expectClose(gradients.x!, [0, 0, 0], GRADIENT_TOLERANCE);
      tf.dispose([x, dy, gradients] as tf.TensorContainer);
    });
  });
});
