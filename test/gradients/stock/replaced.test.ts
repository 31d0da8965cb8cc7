/** The gradients in the place of tfjs's, run by themselves on every backend. */
import { expect } from 'chai';
import type { GradientReplacement } from '../../../src/engine/stock_kernels.js';
import { batchMatMul } from '../../../src/gradients/stock/batch_mat_mul.js';
import { maximum, minimum, squaredDifference } from '../../../src/gradients/stock/broadcasts.js';
import { cumsum } from '../../../src/gradients/stock/cumsum.js';
import { oneHot } from '../../../src/gradients/stock/one_hot.js';
import { splitV, unpack } from '../../../src/gradients/stock/outputs.js';
import { tile } from '../../../src/gradients/stock/tile.js';
import { unsortedSegmentSum } from '../../../src/gradients/stock/unsorted_segment_sum.js';
import { random } from '../../support/against_composed.js';
import { skip, target, tf } from '../../support/backend.js';
import { expectClose, expectNoLeak, GRADIENT_TOLERANCE } from '../../support/golden.js';
import { expectGradients, gradientsBy, withGradients } from '../../support/gradients.js';

type Shape = number[];

/** A replacement, and tfjs's own where it gives nothing, as a gradient that can be registered. */
function registrable({ kernelName, gradFunc }: GradientReplacement): tf.GradConfig {
  const stock = tf.getGradient(kernelName)!;
  return { ...stock, gradFunc: (...call) => gradFunc(...call) ?? stock.gradFunc(...call) };
}

/** A replacement of which no call is left to tfjs. */
const alone = ({ gradFunc }: GradientReplacement): Pick<tf.GradConfig, 'gradFunc'> => ({
  gradFunc: (...call) => gradFunc(...call)!,
});

/** tfjs's own, before a backend replaces them. */
const stockGradients = Object.fromEntries(
  [tile, unsortedSegmentSum, oneHot].map(({ kernelName }) => [kernelName, tf.getGradient(kernelName)!]),
);

/** Compares a replacement's gradients with tfjs's. */
async function expectAsStock(
  replacement: GradientReplacement,
  dy: tf.Tensor,
  saved: tf.Tensor[],
  attrs: object = {},
): Promise<void> {
  const own = gradientsBy(alone(replacement), dy, saved, attrs);
  const stock = gradientsBy(stockGradients[replacement.kernelName]!, dy, saved, attrs);
  expect(Object.keys(own)).to.deep.equal(Object.keys(stock));
  for (const [name, gradient] of Object.entries(own)) {
    expect(gradient.dtype, name).to.equal('float32');
    await expectClose(gradient, stock[name]!, GRADIENT_TOLERANCE, `gradient of ${name}`);
  }
  tf.dispose([own, stock] as tf.TensorContainer);
}

/** The shapes of the arrays of at least `size` elements that `f` makes in JavaScript. */
function arraysOf(f: () => void, size: number): Shape[] {
  const engine = tf.engine();
  const shapes: Shape[] = [];
  engine.makeTensor = (values, shape, ...rest) => {
    if (tf.util.sizeFromShape(shape) >= size) shapes.push(shape);
    return Object.getPrototypeOf(engine).makeTensor.call(engine, values, shape, ...rest);
  };
  try {
    f();
  } finally {
    Reflect.deleteProperty(engine, 'makeTensor');
  }
  return shapes;
}

describe('gradients in the place of tfjs’s', () => {
  describe('tile', () => {
    for (const [shape, reps] of [
      [[3], [2]],
      [[1], [5]],
      [
        [2, 3],
        [1, 1],
      ],
      [
        [2, 3],
        [1, 4],
      ],
      [
        [1, 3],
        [4, 1],
      ],
      [
        [2, 1, 3],
        [2, 5, 2],
      ],
      [
        [1, 1, 2, 3],
        [4, 3, 1, 2],
      ],
      [
        [2, 3, 2, 2],
        [2, 2, 2, 3],
      ],
    ] as Array<[Shape, number[]]>) {
      it(`of [${shape}], ${reps} times`, async () => {
        await expectNoLeak(async () => {
          const [x, dy] = [
            random(shape),
            random(
              shape.map((size, i) => size * reps[i]!),
              2,
            ),
          ];
          await expectAsStock(tile, dy, [x], { reps });
          tf.dispose([x, dy]);
        });
      });
    }

    it('of five dimensions', async () => {
      await expectNoLeak(async () => {
        const [x, dy] = [random([2, 1, 2, 2, 1]), tf.ones([4, 3, 2, 6, 2])];
        const gradient = gradientsBy(alone(tile), dy, [x], {
          reps: [2, 3, 1, 3, 2],
        });
        await expectClose(gradient.x!, new Array(8).fill(36), 0);
        expect(gradient.x!.shape).to.deep.equal(x.shape);
        tf.dispose([x, dy, gradient] as tf.TensorContainer);
      });
    });

    it('of nothing, and no times', async () => {
      await expectNoLeak(async () => {
        const [none, x] = [tf.zeros([0, 2]), random([1, 2])];
        const own = (saved: tf.Tensor, reps: number[]) => gradientsBy(alone(tile), none, [saved], { reps });
        const [ofNone, ofSome] = [own(none, [2, 1]), own(x, [0, 1])];
        await expectClose(ofNone.x!, none, 0);
        await expectClose(ofSome.x!, [0, 0], 0);
        tf.dispose([none, x, ofNone, ofSome] as tf.TensorContainer);
      });
    });
  });

  describe('unsortedSegmentSum', () => {
    for (const inner of [[], [3], [2, 2]] as Shape[]) {
      it(`of rows of [${inner}]`, async () => {
        await expectNoLeak(async () => {
          const [ids, dy] = [tf.tensor1d([2, 0, -1, 2, 1, -100], 'int32'), random([3, ...inner])];
          await expectAsStock(unsortedSegmentSum, dy, [ids]);
          tf.dispose([ids, dy]);
        });
      });
    }

    it('leaves out segments that there are not, and makes nothing in JavaScript', async () => {
      await expectNoLeak(async () => {
        const row = Array.from({ length: 16 }, (_, i) => i);
        const [ids, dy] = [tf.tensor1d([5, 1, 3], 'int32'), tf.tensor2d([row.map(() => Number.NaN), row])];
        let gradient: Record<string, tf.Tensor> = {};
        const arrays = arraysOf(() => {
          gradient = gradientsBy(alone(unsortedSegmentSum), dy, [ids]);
        }, row.length);
        expect(arrays).to.deep.equal([]);
        expect([...(await gradient.x!.data())]).to.deep.equal([row.map(() => 0), row, row.map(() => 0)].flat());
        tf.dispose([ids, dy, gradient] as tf.TensorContainer);
      });
    });
  });

  describe('cumsum', () => {
    withGradients(registrable(cumsum));

    before(function () {
      if (target === 'webgpu-shared')
        skip(this, "tfjs's kernel, which it is there, compiles for one length of rows alone");
    });

    for (const axis of [0, 1, 2]) {
      it(`along axis ${axis}`, async () => {
        await expectNoLeak(async () => {
          const shape = [2, 3, 4];
          const [x, dy] = [random(shape), random(shape, 2)];
          const slopes = await dy.data();
          const stride = tf.util.sizeFromShape(shape.slice(axis + 1));
          const at = (i: number) => Math.floor(i / stride) % shape[axis]!;
          for (const exclusive of [false, true]) {
            for (const reverse of [false, true]) {
              const expected = Array.from(slopes, (_, i) => {
                const row = Array.from({ length: shape[axis]! }, (_, k) => k);
                const isIn = (k: number) => (k === at(i) ? !exclusive : reverse ? k < at(i) : k > at(i));
                return row.reduce((sum, k) => (isIn(k) ? sum + slopes[i + (k - at(i)) * stride]! : sum), 0);
              });
              await expectGradients((v) => tf.cumsum(v!, axis, exclusive, reverse), [x], dy, [expected]);
            }
          }
          tf.dispose([x, dy]);
        });
      });
    }
  });

  describe('what is broadcast', () => {
    withGradients(registrable(maximum), registrable(minimum), registrable(squaredDifference));

    const slopes = {
      maximum: (a: number, b: number) => (a >= b ? [1, 0] : [0, 1]),
      minimum: (a: number, b: number) => (a <= b ? [1, 0] : [0, 1]),
      squaredDifference: (a: number, b: number) => [2 * (a - b), 2 * (b - a)],
    };
    for (const name of ['maximum', 'minimum', 'squaredDifference'] as const) {
      it(name, async () => {
        for (const [a, b] of [
          [
            [2, 3],
            [2, 3],
          ],
          [[2, 3], [3]],
          [[], [2, 3]],
          [
            [2, 1],
            [1, 3],
          ],
        ] as Array<[Shape, Shape]>) {
          await expectNoLeak(async () => {
            const [x, y, dy] = [random(a, 1), random(b, 2), random([2, 3], 3)];
            const [xs, ys, dys] = [await x.data(), await y.data(), await dy.data()];
            const [dx, dyOfY] = [xs, ys].map((values) => new Array<number>(values.length).fill(0)) as [
              number[],
              number[],
            ];
            const place = (shape: Shape, i: number, j: number) =>
              (shape.length === 2 && shape[0] !== 1 ? i * shape[1]! : 0) + (shape.at(-1) === 3 ? j : 0);
            for (let i = 0; i < 2; i++) {
              for (let j = 0; j < 3; j++) {
                const [p, q] = [place(a, i, j), place(b, i, j)];
                const [u, v] = slopes[name](xs[p]!, ys[q]!);
                dx[p]! += u! * dys[3 * i + j]!;
                dyOfY[q]! += v! * dys[3 * i + j]!;
              }
            }
            await expectGradients((u, v) => tf[name](u!, v!), [x, y], dy, [dx, dyOfY]);
            tf.dispose([x, y, dy]);
          });
        }
      });
    }
  });

  describe('matMul', () => {
    withGradients(registrable(batchMatMul));

    for (const [a, b] of [
      [
        [4, 2, 3],
        [3, 5],
      ],
      [
        [4, 2, 3],
        [1, 3, 5],
      ],
      [
        [2, 3],
        [4, 3, 5],
      ],
      [
        [2, 4, 2, 3],
        [4, 3, 5],
      ],
      [
        [1, 2, 3],
        [3, 5],
      ],
    ] as Array<[Shape, Shape]>) {
      for (const [flipA, flipB] of [
        [false, false],
        [false, true],
        [true, false],
        [true, true],
      ] as const) {
        it(`of [${a}]${flipA ? 'ᵀ' : ''} and [${b}]${flipB ? 'ᵀ' : ''}`, async () => {
          await expectNoLeak(async () => {
            const flipped = (shape: Shape, flip: boolean) =>
              flip ? [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!] : shape;
            const [x, y] = [random(flipped(a, flipA), 1), random(flipped(b, flipB), 2)];
            const product = (u: tf.Tensor, v: tf.Tensor) => tf.matMul(u, v, flipA, flipB);
            // The same of what is broadcast beforehand.
            const batch = tf.backend_util.assertAndGetBroadcastShape(a.slice(0, -2), b.slice(0, -2));
            const toBatch = (v: tf.Tensor) => tf.broadcastTo(v, [...batch, ...v.shape.slice(-2)]);
            const dy = random([...batch, 2, 5], 3);
            const expected = tf.tidy(() => tf.grads((u, v) => product(toBatch(u!), toBatch(v!)))([x, y], dy));
            await expectGradients(product, [x, y], dy, await Promise.all(expected.map((tensor) => tensor.data())));
            tf.dispose([x, y, dy, expected]);
          });
        });
      }
    }
  });

  describe('what has a single output', () => {
    withGradients(registrable(splitV), registrable(unpack));

    it('unstack', async () => {
      await expectNoLeak(async () => {
        const [x, dy] = [random([1, 3]), random([3], 2)];
        await expectGradients((v) => tf.unstack(v!)[0]!, [x], dy, [await dy.data()]);
        tf.dispose([x, dy]);
      });
    });

    it('split', async () => {
      await expectNoLeak(async () => {
        const [x, dy] = [random([2, 3]), random([2, 3], 2)];
        await expectGradients((v) => tf.split(v!, 1, 1)[0]!, [x], dy, [await dy.data()]);
        await expectGradients((v) => tf.mul(...(tf.split(v!, [1, 1], 0) as [tf.Tensor, tf.Tensor])), [x], undefined, [
          [...(await x.data())].map((_, i, values) => values[(i + 3) % 6]!),
        ]);
        tf.dispose([x, dy]);
      });
    });
  });

  it('oneHot', async () => {
    await expectNoLeak(async () => {
      const [ids, dy] = [tf.tensor1d([2, 0, 1], 'int32'), random([3, 4])];
      await expectAsStock(oneHot, dy, [ids], { depth: 4, onValue: 1, offValue: 0 });
      tf.dispose([ids, dy]);
    });
  });
});
