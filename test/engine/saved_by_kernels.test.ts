/** What tfjs's kernels save for the backward pass: no more than gradients read. */
import { expect } from 'chai';
import fc from 'fast-check';
import { type ReadBy, readByGradients, readersOf, readingAll } from '../../src/engine/read_by_gradients.js';
import { isShapeOnly, ShapeOnly } from '../../src/engine/shape_only.js';
import { stockGradients } from '../../src/engine/stock_gradients.js';
import { type ReplacingBackend, replaceEverywhere } from '../../src/engine/stock_kernels.js';
import * as missing from '../../src/gradients/missing/all.js';
import { checkpoint, patch } from '../../src/index.js';
import { random } from '../support/against_composed.js';
import { backendName, skip, tf } from '../support/backend.js';
import { expectError, expectNoLeak } from '../support/golden.js';
import { runsOf } from '../support/passes.js';
import { callsOfReaders, callsOfReadingAll, type KernelCall, type Sizes } from './kernel_calls.js';

interface SavingEngine {
  customGrad(f: unknown): unknown;
  getTensorsForGradient(kernelName: string, inputs: tf.NamedTensorMap, outputs: tf.Tensor[]): tf.Tensor[];
}
const saving = () => tf.engine() as unknown as SavingEngine;

/** Runs `f` with an engine that saves what tfjs's own does, while gradients are replaced all the same. */
function savingAll<R>(f: () => R): R {
  const engine = saving();
  const { getTensorsForGradient, customGrad } = engine;
  Reflect.deleteProperty(engine, 'getTensorsForGradient');
  Reflect.deleteProperty(engine, 'customGrad');
  try {
    return f();
  } finally {
    Object.assign(engine, { getTensorsForGradient, customGrad });
  }
}

/** Calls `notice` where the values of a stand-in are asked for while `f` runs. */
function noticingReads<R>(notice: (standIn: ShapeOnly) => void, f: () => R): R {
  const descriptor = Object.getOwnPropertyDescriptor(ShapeOnly.prototype, 'dataId')!;
  Object.defineProperty(ShapeOnly.prototype, 'dataId', {
    ...descriptor,
    get(this: ShapeOnly) {
      notice(this);
      return descriptor.get!.call(this);
    },
  });
  try {
    return f();
  } finally {
    Object.defineProperty(ShapeOnly.prototype, 'dataId', descriptor);
  }
}

/** Fails where the values of a stand-in are asked for, even if they are still there. */
const withoutReads = <R>(f: () => R): R =>
  noticingReads(({ shape }) => {
    throw new Error(`the values of a stand-in of shape [${shape}] were asked for`);
  }, f);

/** The shapes of what is saved while `f` runs, and those of what is there for its shape alone. */
function savedBy(f: () => void): { kept: number[][]; shapes: number[][] } {
  const engine = saving();
  const { getTensorsForGradient } = engine;
  const kept: number[][] = [];
  const shapes: number[][] = [];
  engine.getTensorsForGradient = (...call) => {
    const tensors = getTensorsForGradient.apply(engine, call);
    for (const tensor of tensors) (isShapeOnly(tensor) ? shapes : kept).push(tensor.shape);
    return tensors;
  };
  try {
    f();
  } finally {
    engine.getTensorsForGradient = getTensorsForGradient;
  }
  return { kept, shapes };
}

const replacing = () => tf.backend() as unknown as ReplacingBackend;

/** Has gradients replaced, or tfjs's own used, from now on. */
function replaceGradients(isOn: boolean): void {
  replaceEverywhere('gradients', isOn);
  if ('replacesStockKernels' in replacing()) replacing().replacesStockKernels = isOn;
}

/** What `f` gives as numbers, or the message of its error. */
async function outcomeOf(f: () => ReadonlyArray<tf.Tensor | null>): Promise<unknown> {
  let tensors: ReadonlyArray<tf.Tensor | null>;
  try {
    tensors = tf.tidy(f as () => never);
  } catch (error) {
    return (error as Error).message;
  }
  const numbers = await Promise.all(tensors.map(async (tensor) => tensor && Array.from(await tensor.data())));
  tf.dispose(tensors as tf.TensorContainer);
  return numbers;
}

/** Compares what `f` gives with what it gives when all is saved. */
async function expectAsWhenAllIsSaved(f: () => ReadonlyArray<tf.Tensor | null>): Promise<unknown> {
  const expected = await outcomeOf(() => savingAll(f));
  const actual = await outcomeOf(() => withoutReads(f));
  expect(actual).to.deep.equal(expected);
  return actual;
}

const subsets = <T>(all: readonly T[]): T[][] =>
  Array.from({ length: 2 ** all.length - 1 }, (_, i) => all.filter((_, j) => ((i + 1) >> j) & 1));

/** The gradients of `f` in `xs`; null where it does not depend on one. */
const gradientsIn = (f: () => tf.Tensor, xs: tf.Tensor[], dy?: tf.Tensor): Array<tf.Tensor | null> =>
  (tf.engine().gradients(f, xs, dy as tf.Tensor, true) as unknown as { grads: Array<tf.Tensor | undefined> }).grads.map(
    (gradient) => gradient ?? null,
  );

const gradientsOf = ({ inputs, f }: KernelCall, xs: tf.Tensor[]) => {
  const all = Object.values(inputs);
  const dy = tf.tidy(() => random(f(...all).shape, 9));
  return gradientsIn(() => f(...all), xs, dy);
};

/** Of the squares of the gradients in `inner`. */
const secondGradientsOf = ({ inputs, f }: KernelCall, inner: tf.Tensor[], xs: tf.Tensor[]) => {
  const all = Object.values(inputs);
  const squares = () =>
    gradientsIn(() => f(...all), inner).flatMap((gradient) => (gradient ? [tf.sum(tf.square(gradient))] : []));
  return gradientsIn(() => squares().reduce((sum, square) => tf.add(sum, square), tf.scalar(0)), xs);
};

const sizes: fc.Arbitrary<Sizes> = fc.record({
  m: fc.integer({ min: 1, max: 4 }),
  n: fc.integer({ min: 1, max: 4 }),
  k: fc.integer({ min: 1, max: 3 }),
  variant: fc.nat(11),
});
const numRuns = runsOf({ webgpu: 3, cpu: 40 }[backendName as string] ?? 12);

const disposeCall = ({ inputs, fixed }: KernelCall) => tf.dispose([inputs, fixed ?? {}] as tf.TensorContainer);

/** Kernels of tfjs's that give no certain numbers. */
const faulty: Readonly<Record<string, string>> =
  backendName === 'wasm'
    ? {
        [tf.Conv3D]: "the gradients of tfjs's wasm kernel begin with what lies in memory",
        [tf.GatherV2]: "tfjs's wasm kernel reads past its memory where each batch has its own indices",
      }
    : {};

const calls = { ...callsOfReaders, ...callsOfReadingAll };

describe('what kernels save', () => {
  before(() => replaceEverywhere('gradients', true));
  after(() => replaceEverywhere('gradients', false));

  describe('the table of who reads it', () => {
    it('knows every gradient of tfjs’s that has something saved', () => {
      const ours = new Set(Object.values(missing).map(({ kernelName }) => kernelName));
      const names = (Object.values(tf) as unknown[]).filter((value): value is string => typeof value === 'string');
      const savers = names.filter((name) => {
        const config: tf.GradConfig | undefined = tf.getGradient(name);
        const { inputsToSave = [], outputsToSave = [], saveAllInputs } = config ?? {};
        return !ours.has(name) && (saveAllInputs || inputsToSave.length > 0 || outputsToSave.includes(true));
      });
      expect([...new Set(savers)].sort()).to.deep.equal([...readByGradients.keys(), ...readingAll].sort());
      for (const name of savers) expect(readersOf(tf.getGradient(name)), name).not.to.equal(undefined);
    });

    it('knows those for tfjs-core alone', () => {
      for (const config of stockGradients)
        if (config.inputsToSave || config.outputsToSave)
          expect(readersOf(config), config.kernelName).to.deep.equal(readersOf(tf.getGradient(config.kernelName)));
    });

    it('knows nothing of a gradient that saves other tensors', () => {
      const config = tf.getGradient(tf.Multiply);
      expect(readersOf({ ...config, inputsToSave: ['b', 'a'] })).to.deep.equal([['a'], ['b']]);
      expect(readersOf({ ...config, inputsToSave: ['a'] })).to.equal(undefined);
      expect(readersOf({ ...config, inputsToSave: ['a', 'c'] })).to.equal(undefined);
      expect(readersOf({ ...config, outputsToSave: [true] })).to.equal(undefined);
      expect(readersOf({ ...config, saveAllInputs: true })).to.equal(undefined);
      expect(readersOf({ ...tf.getGradient(tf.Concat), saveAllInputs: false })).to.equal(undefined);
      expect(readersOf({ ...config, kernelName: 'LigerRmsNorm' })).to.equal(undefined);
    });

    it('is tried with a call of each kernel', () => {
      expect(Object.keys(callsOfReaders).sort()).to.deep.equal([...readByGradients.keys()].sort());
      // complex numbers have no gradients that a test could ask for, and the others are those of two dimensions
      const untried = [tf.ComplexAbs, tf.Dilation2D, tf.LRN, tf.LogSoftmax, tf.MaxPool3D];
      expect([...Object.keys(callsOfReadingAll), ...untried].sort()).to.deep.equal([...readingAll].sort());
    });

    if (backendName === 'cpu') {
      for (const kernelName of readByGradients.keys()) {
        it(`says of ${kernelName} what is read, and nothing more`, () => {
          const readers = readersOf(tf.getGradient(kernelName))!;
          const read = new Map<number, Set<string>>();
          const look = (variant: number) => {
            const call = calls[kernelName]!({ m: 2, n: 3, k: 2, variant });
            const engine = tf.engine();
            tf.tidy(() => {
              let node: { inputs: tf.NamedTensorMap; outputs: tf.Tensor[]; attrs: tf.NamedAttrMap } | undefined;
              const { runKernelFunc } = engine as unknown as { runKernelFunc(params: never): unknown };
              Object.assign(engine, {
                runKernelFunc(params: { kernelName: string; inputs: tf.NamedTensorMap; attrs: tf.NamedAttrMap }) {
                  const result = runKernelFunc.call(engine, params as never);
                  if (params.kernelName === kernelName)
                    node = { inputs: params.inputs, outputs: [result].flat() as tf.Tensor[], attrs: params.attrs };
                  return result;
                },
              });
              try {
                call.f(...Object.values(call.inputs));
              } finally {
                Reflect.deleteProperty(engine, 'runKernelFunc');
              }
              const { inputs, outputs, attrs } = node!;
              const own = stockGradients.filter((config) => config.kernelName === kernelName);
              for (const config of [tf.getGradient(kernelName), ...own]) {
                const saved = config.saveAllInputs
                  ? Object.values(inputs)
                  : (config.inputsToSave ?? []).map((name) => inputs[name]!);
                const all = [...saved, ...outputs.filter((_, i) => config.outputsToSave?.[i])];
                for (const name of Object.keys(inputs).filter((key) => inputs[key]!.dtype === 'float32')) {
                  for (const isOn of [true, false]) {
                    replaceGradients(isOn);
                    const standIns = all.map((tensor) => new ShapeOnly(tensor));
                    const notice = (standIn: ShapeOnly) => {
                      const place = standIns.indexOf(standIn);
                      read.set(place, (read.get(place) ?? new Set()).add(name));
                    };
                    try {
                      noticingReads(notice, () => {
                        config.gradFunc(random(outputs[0]!.shape, 9), standIns, attrs)[name]?.();
                      });
                    } finally {
                      replaceGradients(true);
                    }
                  }
                }
              }
            });
            disposeCall(call);
          };
          for (let variant = 0; variant < 12; variant++) look(variant);
          const expected = (readBy: ReadBy | undefined) => (typeof readBy === 'string' ? [] : [...(readBy ?? [])]);
          const places = readers === 'no input' ? 2 : readers.length;
          for (let i = 0; i < places; i++) {
            const readBy = readers === 'no input' ? 'none' : (readers[i] as ReadBy);
            expect([...(read.get(i) ?? [])].sort(), `who reads tensor ${i}`).to.deep.equal(expected(readBy).sort());
          }
        });
      }
    }
  });

  for (const [kernelName, makeCall] of Object.entries(calls)) {
    const fault = faulty[kernelName];

    it(`gives ${kernelName} the gradients that it has when all is saved`, async function () {
      if (fault) skip(this, fault);
      let gradients = 0;
      await fc.assert(
        fc.asyncProperty(sizes, async (size) => {
          const call = makeCall(size);
          await expectNoLeak(async () => {
            for (const xs of subsets(Object.values(call.inputs)).slice(-7)) {
              const outcome = await expectAsWhenAllIsSaved(() => gradientsOf(call, xs));
              if (typeof outcome !== 'string') gradients++;
            }
          });
          disposeCall(call);
        }),
        { numRuns },
      );
      if (backendName === 'cpu') expect(gradients).to.be.greaterThan(0);
    });

    it(`gives ${kernelName} the gradients of gradients, too`, async function () {
      if (fault) skip(this, fault);
      await fc.assert(
        fc.asyncProperty(sizes, async (size) => {
          const call = makeCall(size);
          await expectNoLeak(async () => {
            const every = subsets(Object.values(call.inputs)).slice(-3);
            for (const inner of every) {
              for (const xs of every) await expectAsWhenAllIsSaved(() => secondGradientsOf(call, inner, xs));
            }
          });
          disposeCall(call);
        }),
        { numRuns: Math.ceil(numRuns / 3) },
      );
    });

    it(`gives ${kernelName} tfjs's own gradients where those are back before the backward pass`, async function () {
      if (fault) skip(this, fault);
      await fc.assert(
        fc.asyncProperty(sizes, async (size) => {
          const call = makeCall(size);
          const undoing = tf.customGrad(((y: tf.Tensor) => ({
            value: tf.clone(y),
            gradFunc: (dy: tf.Tensor) => {
              replaceGradients(false);
              return tf.clone(dy);
            },
          })) as never);
          const undone = { ...call, f: (...xs: tf.Tensor[]) => undoing(call.f(...xs)) };
          await expectNoLeak(() =>
            expectAsWhenAllIsSaved(() => {
              try {
                return gradientsOf(undone, Object.values(call.inputs));
              } finally {
                replaceGradients(true);
              }
            }),
          );
          disposeCall(call);
        }),
        { numRuns: Math.ceil(numRuns / 3) },
      );
    });
  }

  describe('memory', () => {
    const SIZE = 64 * 64;
    /** What is held when the backward pass of `f` begins, more than before, in arrays of x's size; numTensors counts each clone. */
    function heldBy(f: (x: tf.Tensor) => tf.Tensor): { arrays: number; bytesInGPU: number } {
      const x = random([64, 64]);
      const bytes = () => tf.memory() as tf.MemoryInfo & { numBytesInGPU?: number };
      const before = bytes();
      let held = before;
      const looking = tf.customGrad(((y: tf.Tensor) => ({
        value: tf.clone(y),
        gradFunc: (dy: tf.Tensor) => {
          held = bytes();
          return tf.clone(dy);
        },
      })) as never);
      tf.dispose(tf.grad((v) => looking(f(v)))(x));
      x.dispose();
      return {
        arrays: Math.floor((held.numBytes - before.numBytes) / (4 * SIZE)),
        bytesInGPU: (held.numBytesInGPU ?? 0) - (before.numBytesInGPU ?? 0),
      };
    }
    /** What `looking` gives, and the gradient of it. */
    const always = 2;

    const gelu = (x: tf.Tensor) =>
      tf.mul(tf.mul(0.5, x), tf.add(1, tf.tanh(tf.mul(0.8, tf.add(x, tf.mul(0.04, tf.mul(x, tf.mul(x, x))))))));

    it('of a fused product is what its gradient reads', () => {
      const [weight, bias] = [random([64, 64], 3), random([64], 4)];
      const dense = (x: tf.Tensor) => tf.fused.matMul({ a: tf.tanh(x) as tf.Tensor2D, b: weight as tf.Tensor2D, bias });
      expectNoLeak(() => {
        // tanh for itself and as a factor, and the weight
        expect(heldBy(dense).arrays - always).to.equal(3);
        expect(savingAll(() => heldBy(dense).arrays) - always).to.be.greaterThan(4);
      });
      tf.dispose([weight, bias]);
    });

    it('of gelu is what its gradient reads', () => {
      expectNoLeak(() => {
        const saved = heldBy(gelu).arrays - always;
        const stock = savingAll(() => heldBy(gelu).arrays) - always;
        // x three times (a clone of it holds nothing more), x², tanh, 0.5x and what is multiplied by it
        expect(saved).to.equal(7);
        expect(stock).to.be.at.least(12);
      });
    });

    it('of a linear function is none', () => {
      const linear = (x: tf.Tensor) =>
        tf.sub(tf.mul(tf.reshape(tf.concat([tf.add(x, 1), tf.mul(x, 3)]), [2, 64, 64]), 0.5), tf.neg(x));
      expectNoLeak(() => {
        // y is twice as large
        expect(heldBy(linear).arrays - 2 * always).to.equal(0);
        expect(savingAll(() => heldBy(linear).arrays) - 2 * always).to.be.greaterThan(5);
      });
    });

    it('of what nobody differentiates is none', () => {
      const constant = random([64, 64], 3);
      const frozen = (x: tf.Tensor) => tf.add(x, tf.exp(tf.tanh(tf.mul(constant, constant))));
      expectNoLeak(() => {
        expect(heldBy(frozen).arrays - always).to.equal(0);
        expect(savedBy(() => heldBy(frozen)).kept.filter(({ length }) => length > 0)).to.deep.equal([]);
        expect(savingAll(() => heldBy(frozen).arrays) - always).to.be.greaterThan(1);
      });
      constant.dispose();
    });

    if (backendName === 'webgpu') {
      it('is the device’s, too', function () {
        if (!('replacesStockKernels' in replacing())) skip(this, 'on the backend of registerWebGPUBackend alone');
        expectNoLeak(() => {
          const saved = heldBy(gelu).bytesInGPU;
          expect(savingAll(() => heldBy(gelu).bytesInGPU) - saved).to.be.at.least(3 * 4 * SIZE);
        });
      });
    }

    it('is given back after an error in the middle', () => {
      expectNoLeak(() => {
        const x = random([2, 3]);
        const failing = (v: tf.Tensor): tf.Tensor => {
          const y = gelu(v);
          throw new Error(`in the middle, after ${y.shape}`);
        };
        expectError(() => tf.grad(failing)(x), /in the middle/);
        const inBackward = tf.customGrad(((y: tf.Tensor) => ({
          value: tf.clone(y),
          gradFunc: () => {
            throw new Error('on the way back');
          },
        })) as never);
        expectError(() => tf.grad((v) => gelu(inBackward(gelu(v))))(x), /on the way back/);
        x.dispose();
      });
    });
  });

  it('saves all again after unpatch', function () {
    if ('replacesStockKernels' in replacing()) skip(this, 'the backend asks for replacements by itself');
    const x = random([2, 3]);
    const run = () => tf.dispose(tf.grad((v) => tf.mul(v, 2))(x));
    replaceEverywhere('gradients', false);
    try {
      const undo = patch();
      expect(savedBy(run)).to.deep.equal({ kept: [[]], shapes: [[2, 3]] });
      undo();
      expect(savedBy(run)).to.deep.equal({ kept: [[2, 3], []], shapes: [] });
      const without = patch({ stockGradients: false });
      expect(savedBy(run)).to.deep.equal({ kept: [[2, 3], []], shapes: [] });
      without();
    } finally {
      replaceEverywhere('gradients', true);
      x.dispose();
    }
  });

  it('saves all for a gradient that takes the place of a known one', async () => {
    const config = tf.getGradient(tf.Add);
    const x = random([2, 3]);
    tf.unregisterGradient(tf.Add);
    tf.registerGradient({
      ...config,
      gradFunc: (dy, [a, b]) => ({ a: () => tf.mul(dy as tf.Tensor, a!), b: () => tf.mul(dy as tf.Tensor, b!) }),
    });
    try {
      // A patch in the meantime changes nothing about it.
      patch()();
      await expectNoLeak(async () => {
        const gradient = tf.grad((v) => tf.add(v, 1))(x);
        expect(await gradient.data()).to.deep.equal(await x.data());
        gradient.dispose();
      });
    } finally {
      tf.unregisterGradient(tf.Add);
      tf.registerGradient(config);
      replaceEverywhere('gradients', true);
      x.dispose();
    }
  });

  describe('a gradient within a gradient', () => {
    /** Through p, which was computed before the inner gradient began, of tensors that nobody differentiated then. */
    const through = async (p: (c: tf.Tensor, k: tf.Tensor) => tf.Tensor) => {
      const [c, k, w] = [random([2, 3], 1), random([2, 3], 2), random([2, 3], 3)];
      const gradient = () =>
        gradientsIn(() => {
          const product = p(c, k);
          const [inner] = gradientsIn(() => tf.sum(tf.mul(product, tf.square(c))), [c]);
          return tf.mul(w, inner!);
        }, [w]);
      const expected = await outcomeOf(() => savingAll(gradient));
      expect(expected).to.be.an('array');
      const actual = await outcomeOf(gradient);
      tf.dispose([c, k, w]);
      return { actual, expected };
    };

    it('leads through what was computed before', async () => {
      await expectNoLeak(async () => {
        const { actual, expected } = await through((c, k) => tf.mul(c, k));
        expect(actual).to.deep.equal(expected);
      });
    });

    it('says so where it leads to what is no longer there', async () => {
      const { actual } = await through((c, k) => tf.tidy(() => tf.mul(tf.add(c, 1), tf.add(k, 1))));
      expect(actual).to.match(/were not saved for the backward pass.*compute within its function/s);
    });
  });

  for (const activation of ['linear', 'relu'] as const) {
    const bias = () => random([2], 3);
    const fused: Record<string, () => { xs: tf.Tensor[]; f: () => tf.Tensor }> = {
      matMul: () => {
        const xs = [random([4, 3], 1), random([3, 2], 2), bias()] as [tf.Tensor2D, tf.Tensor2D, tf.Tensor];
        return { xs, f: () => tf.fused.matMul({ a: xs[0], b: xs[1], bias: xs[2], activation }) };
      },
      conv2d: () => {
        const xs = [random([1, 4, 4, 3], 1), random([2, 2, 3, 2], 2), bias()] as [tf.Tensor4D, tf.Tensor4D, tf.Tensor];
        return {
          xs,
          f: () => tf.fused.conv2d({ x: xs[0], filter: xs[1], bias: xs[2], strides: 1, pad: 'same', activation }),
        };
      },
      depthwiseConv2d: () => {
        const xs = [random([1, 4, 4, 1], 1), random([2, 2, 1, 2], 2), bias()] as [tf.Tensor4D, tf.Tensor4D, tf.Tensor];
        return {
          xs,
          f: () =>
            tf.fused.depthwiseConv2d({ x: xs[0], filter: xs[1], bias: xs[2], strides: 1, pad: 'same', activation }),
        };
      },
    };
    for (const [name, make] of Object.entries(fused)) {
      it(`gives a fused ${name} with '${activation}' the same gradients`, async () => {
        await expectNoLeak(async () => {
          const { xs, f } = make();
          const loss = () => tf.sum(tf.square(f()));
          for (const some of subsets(xs)) await expectAsWhenAllIsSaved(() => gradientsIn(loss, some));
          await expectAsWhenAllIsSaved(() => {
            const squares = () => tf.sum(tf.square(gradientsIn(loss, [xs[0]!])[0]!));
            return gradientsIn(squares, xs);
          });
          if (backendName === 'cpu') expect(await outcomeOf(() => gradientsIn(loss, xs))).to.be.an('array');
          tf.dispose(xs);
        });
      });
    }
  }

  it('gives checkpoint and customGrad the same gradients', async () => {
    const [x, w] = [random([4, 3], 1), random([3, 3], 2)];
    const squared = tf.customGrad(((v: tf.Tensor, save: (tensors: tf.Tensor[]) => void) => {
      save([v]);
      return { value: tf.square(v), gradFunc: (dy: tf.Tensor, [kept]: tf.Tensor[]) => tf.mul(tf.mul(dy, kept!), 2) };
    }) as never);
    const block = (v: tf.Tensor) => tf.mul(0.5, tf.tanh(tf.add(tf.matMul(v, w), squared(v))));
    const run = () => gradientsIn(() => tf.sum(block(checkpoint(block, checkpoint(block, block(x))))), [x, w]);
    await expectNoLeak(async () => expect(await expectAsWhenAllIsSaved(run)).to.be.an('array'));
    tf.dispose([x, w]);
  });

  describe('a stand-in', () => {
    it('has the shape of a tensor, and is none to the engine', () => {
      const x = random([2, 3]);
      expectNoLeak(() => {
        const standIn = new ShapeOnly(x);
        expect([standIn.shape, standIn.dtype, standIn.rank, standIn.size]).to.deep.equal([[2, 3], 'float32', 2, 6]);
        expect(standIn).to.be.instanceOf(tf.Tensor);
        expect([isShapeOnly(standIn), isShapeOnly(x)]).to.deep.equal([true, false]);
        standIn.dispose();
        expect(standIn.isDisposed).to.equal(false);
      });
      expect(x.isDisposed).to.equal(false);
      x.dispose();
    });

    it('has no values once those of its tensor are gone', () => {
      const message = /values of a tensor of shape \[2,3\] were not saved/;
      const x = random([2, 3]);
      const standIn = new ShapeOnly(x);
      x.dispose();
      expectError(() => standIn.dataId, message);
      // Some of tfjs's kernels have made their output by then, and leave it.
      expect(() => tf.square(standIn)).to.throw(message);
      expect(() => tf.add(standIn, 1)).to.throw(message);
      const [first, second] = [random([2, 3]), random([2, 3], 2)];
      const variable = tf.variable(first);
      const ofVariable = new ShapeOnly(variable);
      variable.assign(second);
      expectError(() => ofVariable.dataId, message);
      tf.dispose([first, second, variable]);
    });
  });
});
