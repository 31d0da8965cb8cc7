import { expect } from 'chai';
import { registerWebGPUBackend } from '../../src/index.js';
import { random } from '../support/against_composed.js';
import { target, tf, webgpuDevice } from '../support/backend.js';
import { expectClose, expectNoLeak, GRADIENT_TOLERANCE, OUTPUT_TOLERANCE } from '../support/golden.js';

type Shape = number[];

const replacing = () => tf.backend() as unknown as { replacesStockKernels: boolean };

/** Runs `f` with tfjs's own kernels. */
function withStock<R>(f: () => R): R {
  const backend = replacing();
  backend.replacesStockKernels = false;
  try {
    return f();
  } finally {
    backend.replacesStockKernels = true;
  }
}

/** The names of the programs that `f` dispatches. */
function programsOf(f: () => tf.Tensor | tf.Tensor[]): string[] {
  const backend = tf.backend() as unknown as { dispatch(command: { name: string }): void };
  const names: string[] = [];
  backend.dispatch = (command) => {
    names.push(command.name.replace(/Program\d+$/, 'Program')); // a bundler counts classes of one name
    return Object.getPrototypeOf(backend).dispatch.call(backend, command);
  };
  try {
    tf.dispose(f());
  } finally {
    Reflect.deleteProperty(backend, 'dispatch');
  }
  return names;
}

/** Compares what replaced kernels give with what tfjs's own do, and with what they give the second time. */
async function expectAsStock(what: string, f: () => tf.Tensor | tf.Tensor[], tolerance = OUTPUT_TOLERANCE) {
  const [own, again] = [tf.tidy(f), tf.tidy(f)].map((result) => [result].flat());
  const stock = [withStock(() => tf.tidy(f))].flat();
  for (const [i, tensor] of own!.entries()) {
    expect(tensor.shape, what).to.deep.equal(stock[i]!.shape);
    expect(tensor.dtype, what).to.equal(stock[i]!.dtype);
    await expectClose(tensor, stock[i]!, tolerance, what);
    expect(await again![i]!.data(), `${what}, again`).to.deep.equal(await tensor.data());
  }
  tf.dispose([own!, again!, stock]);
}

/** The product in float64, of matrices that are not transposed. */
async function productOf(a: tf.Tensor, b: tf.Tensor, shape: Shape): Promise<Float32Array> {
  const [x, y] = await Promise.all([a.data(), b.data()]);
  const [k, n] = b.shape.slice(-2) as [number, number];
  const m = a.shape.at(-2)!;
  const outer = shape.slice(0, -2);
  const matrixOf = (own: Shape, index: number) => {
    let [at, step] = [0, 1];
    for (let i = outer.length - 1, left = index; i >= 0; i--) {
      const extent = own[i - outer.length + own.length] ?? 1;
      at += ((left % outer[i]!) % extent) * step;
      left = Math.floor(left / outer[i]!);
      step *= extent;
    }
    return at;
  };
  const result = new Float32Array(tf.util.sizeFromShape(shape));
  for (let at = 0; at < result.length; at++) {
    const index = Math.floor(at / (m * n));
    const [i, j] = [Math.floor(at / n) % m, at % n];
    const [firstA, firstB] = [
      matrixOf(a.shape.slice(0, -2), index) * m * k,
      matrixOf(b.shape.slice(0, -2), index) * k * n,
    ];
    let sum = 0;
    for (let q = 0; q < k; q++) sum += x[firstA + i * k + q]! * y[firstB + q * n + j]!;
    result[at] = sum;
  }
  return result;
}

const swapped = (tensor: tf.Tensor) => {
  const perm = tensor.shape.map((_, i) => i);
  return tf.transpose(tensor, [...perm.slice(0, -2), perm.at(-1)!, perm.at(-2)!]);
};

if (target === 'webgpu') {
  describe('kernels in the place of tfjs’s own', () => {
    // tfjs would compute what is small in JavaScript.
    before(() => tf.env().set('WEBGPU_CPU_FORWARD', false));
    after(() => tf.env().set('WEBGPU_CPU_FORWARD', true));

    describe('matMul', () => {
      for (const [flipA, flipB] of [
        [false, false],
        [false, true],
        [true, false],
        [true, true],
      ]) {
        it(`multiplies ${flipA ? 'aᵀ' : 'a'} by ${flipB ? 'bᵀ' : 'b'}`, async () => {
          for (const [batch, m, n, k] of [
            [3, 33, 31, 13],
            [2, 8, 12, 16],
          ] as const) {
            await expectNoLeak(async () => {
              const [a, b] = [random([batch, m, k], 1), random([batch, k, n], 2)];
              const [x, y] = [flipA ? swapped(a) : a.clone(), flipB ? swapped(b) : b.clone()];
              const call = () => tf.matMul(x, y, flipA, flipB);
              expect(programsOf(call)).to.deep.equal(['matmul']);
              const product = call();
              await expectClose(product, await productOf(a, b, [batch, m, n]), OUTPUT_TOLERANCE);
              tf.dispose([a, b, x, y, product]);
            });
          }
        });
      }

      for (const [a, b, outer] of [
        [[4, 9, 6], [6, 11], [4]],
        [[9, 6], [3, 6, 11], [3]],
        [
          [3, 1, 9, 6],
          [3, 2, 6, 11],
          [3, 2],
        ],
        [
          [2, 9, 6],
          [3, 2, 6, 11],
          [3, 2],
        ],
        [
          [3, 1, 9, 6],
          [1, 2, 6, 11],
          [3, 2],
        ],
        [
          [1, 1, 9, 6],
          [2, 6, 11],
          [1, 2],
        ],
      ] as Array<[Shape, Shape, Shape]>) {
        it(`broadcasts [${a}] by [${b}]`, async () => {
          await expectNoLeak(async () => {
            const [x, y] = [random(a, 1), random(b, 2)];
            const call = () => tf.matMul(x, y);
            expect(programsOf(call)).to.include('matmul');
            const product = call();
            expect(product.shape).to.deep.equal([...outer, 9, 11]);
            await expectClose(product, await productOf(x, y, product.shape), OUTPUT_TOLERANCE);
            tf.dispose([x, y, product]);
          });
        });
      }

      it('leaves to tfjs what it cannot do', () => {
        expectNoLeak(() => {
          const [a, b] = [random([2, 1, 2, 3, 4]), random([2, 3, 2, 4, 3])];
          const [int, float, empty] = [tf.ones([3, 3], 'int32'), tf.ones([3, 3]), tf.zeros([0, 3])];
          expect(programsOf(() => tf.matMul(int, int))).not.to.include('matmul');
          expect(programsOf(() => tf.matMul(empty, float))).not.to.include('matmul');
          expect(programsOf(() => tf.matMul(a, b))).not.to.include('matmul');
          tf.dispose([a, b, int, float, empty]);
        });
      });

      it('gives the gradients of tfjs', async () => {
        await expectNoLeak(async () => {
          const [a, b] = [random([2, 16, 16], 1), random([2, 16, 16], 2)];
          const gradients = tf.grads((x, y) => tf.sum(tf.square(tf.matMul(x!, y!))));
          await expectAsStock('gradients', () => gradients([a, b]), GRADIENT_TOLERANCE);
          tf.dispose([a, b]);
        });
      });
    });

    describe('fused.matMul', () => {
      const b = () => random([2, 6, 8], 2) as tf.Tensor3D;
      const a = () => tf.tidy(() => tf.mul(random([2, 9, 6], 1), 6)) as tf.Tensor3D;

      for (const [activation, ...shapes] of [
        ['linear', [8], [1, 8], [9, 8]],
        ['relu', [8], []],
        ['relu6', undefined],
        ['elu', [1, 8]],
        ['sigmoid', [8]],
        ['prelu', [8], undefined],
        ['leakyrelu', [8]],
      ] as Array<['relu' | 'prelu', ...Array<Shape | undefined>]>) {
        it(`applies ${activation}`, async () => {
          for (const shape of shapes) {
            await expectNoLeak(async () => {
              const bias = shape && random(shape, 3);
              const preluActivationWeights = activation === 'prelu' ? random([9, 8], 4) : undefined;
              const [x, y] = [a(), b()];
              const call = () =>
                tf.fused.matMul({ a: x, b: y, bias, activation, preluActivationWeights, leakyreluAlpha: 0.3 });
              const isVector = shape?.[0] !== 9 && shape?.length !== 0;
              expect(programsOf(call).includes('matmul'), `bias [${shape}]`).to.equal(isVector);
              await expectAsStock(`bias [${shape}]`, call);
              tf.dispose([bias, preluActivationWeights, x, y].filter((tensor) => tensor !== undefined));
            });
          }
        });
      }

      it('keeps what is not a number', async () => {
        await expectNoLeak(async () => {
          const a = tf.tensor2d([Number.NaN, 1, Number.POSITIVE_INFINITY, 1], [2, 2]);
          const b = tf.ones<tf.Rank.R2>([2, 68]);
          const y = tf.fused.matMul({ a, b, activation: 'relu' });
          const values = await y.data();
          expect([values[0], values[68]]).to.deep.equal([Number.NaN, Number.POSITIVE_INFINITY]);
          tf.dispose([a, b, y]);
        });
      });
    });

    describe('softmax', () => {
      for (const columns of [1, 3, 4, 31, 64, 257, 1028, 4099]) {
        it(`of rows of ${columns}`, async () => {
          await expectNoLeak(async () => {
            const x = tf.tidy(() => tf.mul(random([2, 3, columns]), 20));
            const call = () => tf.softmax(x);
            expect(programsOf(call)).to.deep.equal(['stockSoftmax']);
            await expectAsStock('softmax', call);
            await expectAsStock('logSoftmax', () => tf.logSoftmax(x));
            x.dispose();
          });
        });
      }

      it('compiles no program for a length like others', () => {
        expectNoLeak(() => {
          tf.dispose(tf.tidy(() => tf.softmax(tf.ones([2, 520]))));
          const device = webgpuDevice();
          const create = device.createComputePipeline;
          try {
            device.createComputePipeline = () => {
              throw new Error('A pipeline was compiled');
            };
            for (const columns of [516, 524, 1000, 1024]) tf.dispose(tf.tidy(() => tf.softmax(tf.ones([2, columns]))));
          } finally {
            Reflect.deleteProperty(device, 'createComputePipeline');
          }
          expect(device.createComputePipeline).to.equal(create);
        });
      });

      it('takes infinities as tfjs does', async () => {
        await expectNoLeak(async () => {
          const infinity = Number.POSITIVE_INFINITY;
          const x = tf.tensor2d([1, -infinity, 2, -infinity, -infinity, -infinity], [2, 3]);
          const y = tf.softmax(x);
          const [p, q, r, ...others] = await y.data();
          expect([p, q, r].map((value) => Math.round(1e6 * value!))).to.deep.equal([268941, 0, 731059]);
          for (const value of others) expect(value).to.be.NaN;
          tf.dispose([x, y]);
        });
      });
    });

    describe('reductions', () => {
      const reductions = { sum: tf.sum, mean: tf.mean, max: tf.max };
      for (const [name, reduce] of Object.entries(reductions)) {
        it(`${name} over the last axes`, async () => {
          for (const [shape, axis] of [
            [[1], undefined],
            [[3, 1], -1],
            [[7, 31], -1],
            [[5, 64], 1],
            [
              [2, 3, 5, 13],
              [2, 3],
            ],
            [
              [2, 3, 1, 257],
              [1, -1],
            ],
            [[3, 4100], -1],
            [[2, 33, 17], undefined],
            [[600, 3], -1],
          ] as Array<[Shape, number | number[] | undefined]>) {
            await expectNoLeak(async () => {
              const x = tf.tidy(() => tf.sub(random(shape), 0.5));
              for (const keepDims of [false, true]) {
                const call = () => reduce(x, axis, keepDims);
                expect(programsOf(call)).to.deep.equal(['stockReduction']);
                await expectAsStock(`${name} of [${shape}]`, call);
              }
              x.dispose();
            });
          }
        });
      }

      it('share a long row among workgroups', async () => {
        await expectNoLeak(async () => {
          const x = tf.tidy(() => tf.add(tf.mul(random([2, 140_001]), 0.001), 1));
          const programs = programsOf(() => tf.sum(x, -1));
          expect(programs).to.deep.equal(['stockReduction', 'stockReduction']);
          const values = await x.data<'float32'>();
          const expected = [0, 140_001].map((start) => values.subarray(start, start + 140_001));
          const sums = expected.map((row) => row.reduce((sum, value) => sum + value, 0));
          await expectAsStock('max', () => tf.max(x, -1), 0);
          const [sum, mean] = [tf.sum(x, -1), tf.mean(x, -1)];
          await expectClose(sum, sums, OUTPUT_TOLERANCE);
          await expectClose(
            mean,
            sums.map((value) => value / 140_001),
            OUTPUT_TOLERANCE,
          );
          tf.dispose([x, sum, mean]);
        });
      });

      it('sum over the first axes, where there is much to sum', async () => {
        await expectNoLeak(async () => {
          const [x, small] = [random([2, 1030, 33]), random([3, 5])];
          const call = () => tf.sum(x, [0, 1]);
          expect(programsOf(call)).to.include('columnSum');
          await expectAsStock('sum', call, GRADIENT_TOLERANCE);
          expect(programsOf(() => tf.sum(small, 0))).not.to.include('columnSum');
          tf.dispose([x, small]);
        });
      });

      it('take NaN and infinities', async () => {
        await expectNoLeak(async () => {
          const infinity = Number.POSITIVE_INFINITY;
          const rows = [-1, -0.5, -2, -infinity, -infinity, -infinity, 1, infinity, 2, 3, -Number.NaN, infinity];
          const x = tf.tidy(() => tf.mul(tf.tensor2d(rows, [4, 3]), tf.fill([1], 1)));
          const y = tf.max(x, -1);
          expect([...(await y.data())]).to.deep.equal([-0.5, -infinity, infinity, Number.NaN]);
          tf.dispose([x, y]);
        });
      });

      it('of other types and axes are tfjs’s', () => {
        expectNoLeak(() => {
          const [int, x] = [tf.ones([3, 3], 'int32'), random([2, 3, 4])];
          for (const call of [() => tf.sum(int), () => tf.max(int, 1), () => tf.sum(x, 1)]) {
            expect(programsOf(call)).not.to.include('stockReduction');
          }
          tf.dispose([int, x]);
        });
      });
    });

    describe('tile', () => {
      const ONE = ['stockTileOne'];
      const STOCK = ['TileProgram'];
      before(() => tf.env().set('WEBGPU_CPU_FORWARD', true));
      after(() => tf.env().set('WEBGPU_CPU_FORWARD', false));

      for (const [shape, reps, programs] of [
        [[1], [1000], ONE],
        [[1, 1], [31, 33], ONE],
        [[1, 1, 1, 1, 1, 1], [2, 3, 5, 7, 11, 13], ONE],
        [[3, 1], [1, 400], STOCK],
        [[2, 1, 3], [1, 257, 1], STOCK],
        [[1], [999], []],
        [[7, 3], [2, 2], []],
      ] as Array<[Shape, number[], string[]]>) {
        it(`of [${shape}] ${reps} times`, async () => {
          await expectNoLeak(async () => {
            const x = random(shape);
            const call = () => tf.tile(x, reps);
            // A small result is made in JavaScript of what is there.
            await expectAsStock('tile', call, 0);
            const fresh = tf.tensor(await x.data(), shape);
            expect(programsOf(() => tf.tile(fresh, reps))).to.deep.equal(programs);
            tf.dispose([x, fresh]);
          });
        });
      }

      it('of integers and booleans is made on the device, too', async () => {
        await expectNoLeak(async () => {
          const [ints, bools] = [tf.tensor1d([3], 'int32'), tf.tensor2d([[1], [0]], [2, 1], 'bool')];
          const calls = [() => tf.tile(ints, [1200]), () => tf.tile(bools, [1, 700])];
          for (const call of calls) {
            expect(programsOf(call)).to.deep.equal(STOCK);
            await expectAsStock('tile', call, 0);
          }
          tf.dispose([ints, bools]);
        });
      });

      it('spreads the gradient of a sum of all without an upload of it, and so do the ones of a gradient', () => {
        const x = tf.fill([50, 60], 2);
        const device = webgpuDevice();
        const { writeBuffer } = device.queue;
        let most = 0;
        device.queue.writeBuffer = (...args) => {
          most = Math.max(most, args[4] ?? 0);
          return writeBuffer.apply(device.queue, args);
        };
        try {
          for (const f of [tf.sum, tf.mean, tf.square, tf.sigmoid]) {
            tf.tidy(() => {
              tf.neg(tf.grad(f as (x: tf.Tensor) => tf.Tensor)(x));
            });
          }
        } finally {
          Reflect.deleteProperty(device.queue, 'writeBuffer');
        }
        expect(most).to.be.below(1000);
        x.dispose();
      });
    });

    describe('transpose', () => {
      const TILES = ['stockTransposeTiles'];
      const ROWS = ['stockTransposeRows'];
      for (const [shape, perm, programs] of [
        [[2, 5, 3, 8], [0, 2, 1, 3], ROWS],
        [[5, 3, 7], [1, 0, 2], ROWS],
        [[2, 33, 1, 31], [0, 3, 2, 1], TILES],
        [[65, 129], [1, 0], TILES],
        [[3, 5, 7], [0, 2, 1], TILES],
        [[3, 5, 7, 2], [0, 2, 3, 1], TILES],
        [[3, 1, 7, 2], [2, 3, 1, 0], TILES],
      ] as Array<[Shape, number[], string[]]>) {
        it(`of [${shape}] to ${perm}`, async () => {
          await expectNoLeak(async () => {
            const x = tf.tidy(() => tf.add(random(shape), 1));
            const call = () => tf.transpose(x, perm);
            expect(programsOf(call)).to.deep.equal(programs);
            await expectAsStock('transpose', call, 0);
            x.dispose();
          });
        });
      }

      it('of other layouts and types is tfjs’s', async () => {
        await expectNoLeak(async () => {
          const [x, int] = [tf.tidy(() => tf.add(random([2, 3, 4]), 1)), tf.fill([20, 30], 2, 'int32')];
          for (const call of [
            () => tf.transpose(x, [2, 1, 0]),
            () => tf.transpose(int),
            () => tf.transpose(x, [0, 1, 2]),
          ]) {
            expect(programsOf(call).join()).not.to.include('stock');
            await expectAsStock('transpose', call, 0);
          }
          tf.dispose([x, int]);
        });
      });
    });

    describe('gradients', () => {
      it('of sum and mean make nothing in JavaScript', async () => {
        for (const [shape, axis] of [
          [[3, 5], -1],
          [[3, 5], 0],
          [
            [2, 3, 4],
            [0, 2],
          ],
          [[7], undefined],
          [[2, 1, 3], 1],
        ] as Array<[Shape, number | number[] | undefined]>) {
          for (const reduce of [tf.sum, tf.mean]) {
            await expectNoLeak(async () => {
              const x = random(shape);
              const call = () => tf.grad((v: tf.Tensor) => tf.sum(tf.square(reduce(v, axis))))(x);
              await expectAsStock(`[${shape}] over ${axis}`, call, GRADIENT_TOLERANCE);
              x.dispose();
            });
          }
        }
      });

      for (const [table, indices] of [
        [[7, 5], [4]],
        [
          [7, 8],
          [2, 3],
        ],
        [[7], [9]],
        [
          [5, 2, 3],
          [2, 2],
        ],
      ] as Array<[Shape, Shape]>) {
        it(`of [${indices}] gathered of [${table}]`, async () => {
          await expectNoLeak(async () => {
            const x = random(table);
            const places = Array.from({ length: tf.util.sizeFromShape(indices) }, (_, i) => (i * i) % table[0]!);
            const ids = tf.tensor(places, indices, 'int32');
            const call = () => tf.grad((v: tf.Tensor) => tf.sum(tf.square(tf.gather(v, ids))))(x);
            expect(programsOf(call)).to.include('embeddingGrad');
            await expectAsStock('gather', call, GRADIENT_TOLERANCE);
            tf.dispose([x, ids]);
          });
        });
      }

      for (const axis of [1, 2, -1]) {
        it(`of axis ${axis} gathered`, async () => {
          await expectNoLeak(async () => {
            const [x, ids] = [
              random([3, 5, 4]),
              tf.tensor2d(
                [
                  [0, 2],
                  [2, 1],
                ],
                [2, 2],
                'int32',
              ),
            ];
            const call = () => tf.grad((v: tf.Tensor) => tf.sum(tf.square(tf.gather(v, ids, axis))))(x);
            expect(programsOf(call)).to.include('embeddingGrad');
            await expectAsStock('gather', call, GRADIENT_TOLERANCE);
            tf.dispose([x, ids]);
          });
        });
      }

      for (const [shape, places] of [
        [
          [3, 5],
          [[1], [4], [0]],
        ],
        [
          [2, 5, 3],
          [
            [1, 4, 1],
            [0, 2, 3],
          ],
        ],
      ] as Array<[Shape, number[][]]>) {
        it(`of [${shape}] gathered with indices for each batch`, async () => {
          await expectNoLeak(async () => {
            const [x, ids] = [random(shape), tf.tensor2d(places, undefined, 'int32')];
            const call = () => tf.grad((v: tf.Tensor) => tf.sum(tf.square(tf.gather(v, ids, 1, 1))))(x);
            expect(programsOf(call).length).to.be.lessThan(20);
            await expectAsStock('gather', call, GRADIENT_TOLERANCE);
            tf.dispose([x, ids]);
          });
        });
      }

      it('of what is broadcast add up in one sum', async () => {
        await expectNoLeak(async () => {
          const x = random([1, 31]);
          const call = () => tf.grad((v: tf.Tensor) => tf.sum(tf.square(tf.broadcastTo(v, [40, 31]))))(x);
          expect(programsOf(call).length).to.be.lessThan(12);
          await expectAsStock('broadcastTo', call, GRADIENT_TOLERANCE);
          x.dispose();
        });
      });

      it('are tfjs’s on another backend', async () => {
        const x = random([3, 5]);
        try {
          await tf.setBackend('cpu');
          const dx = tf.tidy(() => tf.grad((v: tf.Tensor) => tf.mean(v))(tf.ones([4])));
          expect([...(await dx.data())]).to.deep.equal([0.25, 0.25, 0.25, 0.25]);
          dx.dispose();
        } finally {
          await tf.setBackend('webgpu');
        }
        x.dispose();
      });
    });

    it('add up more tensors than a program can bind', async () => {
      for (const count of [6, 7, 13, 43]) {
        await expectNoLeak(async () => {
          const tensors = Array.from({ length: count }, (_, i) => tf.tensor1d([i, 1]));
          const [sum, gradient] = tf.tidy(() => [
            tf.addN(tensors),
            tf.grad((x) => tf.addN([x, ...tensors.slice(1)]))(tensors[0]!),
          ]);
          await expectClose(sum!, [(count * (count - 1)) / 2, count], 0);
          await expectClose(gradient!, [1, 1], 0);
          tf.dispose([tensors, sum!, gradient!]);
        });
      }
    });

    it('leave integers that were cast to floats to tfjs, which keeps them as they are', async () => {
      await expectNoLeak(async () => {
        const ints = tf.tidy(() => tf.cast(tf.tensor2d([...Array(256).keys()], [16, 16], 'int32'), 'float32'));
        const dy = tf.tidy(() => tf.cast(tf.fill([2], 3, 'int32'), 'float32'));
        const [float, ids] = [random([16, 16]), tf.tensor1d([1, 1], 'int32')];
        const softmax = tf.tidy(() => tf.div(ints, 256));
        await expectAsStock('matMul', () => tf.matMul(ints, float));
        await expectAsStock('matMul', () => tf.matMul(float, ints));
        await expectAsStock('sum', () => [tf.sum(ints, -1), tf.mean(ints), tf.max(ints)]);
        await expectAsStock('softmax', () => [tf.softmax(ints), tf.softmax(softmax)]);
        await expectAsStock('transpose', () => tf.transpose(ints));
        await expectAsStock('gather', () => tf.grad((x: tf.Tensor) => tf.gather(x, ids))(tf.ones([4]), dy));
        tf.dispose([ints, dy, float, ids, softmax]);
      });
    });

    it('are left out by an option, and stay where the backend is made again', async () => {
      const device = webgpuDevice();
      const kernel = tf.getKernel('Softmax', 'webgpu');
      const isReplaced = () => programsOf(() => tf.tidy(() => tf.softmax(tf.ones([2, 8])))).includes('stockSoftmax');
      try {
        tf.removeBackend('webgpu');
        await registerWebGPUBackend({ fitDevice: false, device, replaceStockKernels: false });
        expect(isReplaced()).to.equal(false);
      } finally {
        tf.removeBackend('webgpu');
        await registerWebGPUBackend({ fitDevice: false, device });
      }
      expect(isReplaced()).to.equal(true);
      expect(tf.getKernel('Softmax', 'webgpu')).to.equal(kernel);
    });
  });
}
