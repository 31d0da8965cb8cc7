import { expect } from 'chai';
import { gpt2Config } from '../../examples/gpt2/config.js';
import { createGpt2 } from '../../examples/gpt2/model.js';
import { deviceBackendOf } from '../../src/backend/tfjs_webgpu_backend.js';
import type { LigerWebGPUBackend } from '../../src/backend/webgpu_backend.js';
import { capture, checkpoint, crossEntropy, flashAttention, linear, rmsNorm, train } from '../../src/index.js';
import { random } from '../support/against_composed.js';
import { submit, target, tf } from '../support/backend.js';
import { expectClose, expectError, expectNoLeak } from '../support/golden.js';

/** Whether captured steps are replayed here; elsewhere they just run. */
const replays = target === 'webgpu';

type Minimizer = { minimize(f: () => tf.Scalar, returnCost?: boolean, variables?: tf.Variable[]): tf.Scalar | null };

/** A small model with its own variables, and a step that trains it. */
function makeTrainer(makeOptimizer: () => tf.Optimizer) {
  const [width, classes] = [8, 5];
  const initial = [random([width], 1), random([classes, width], 2)];
  const gamma = tf.variable(initial[0]!);
  const weight = tf.variable(initial[1]!);
  tf.dispose(initial);
  const optimizer = makeOptimizer();
  const step = (x: tf.Tensor, labels: tf.Tensor) =>
    (optimizer as Minimizer).minimize(
      () => crossEntropy(linear(rmsNorm(x, gamma), weight), labels) as tf.Scalar,
      true,
    )!;
  return {
    step,
    optimizer,
    variables: { gamma, weight },
    dispose() {
      optimizer.dispose();
      tf.dispose([gamma, weight]);
    },
  };
}

function makeBatch(length: number, seed: number): [x: tf.Tensor, labels: tf.Tensor] {
  return tf.tidy(() => [random([length, 8], seed), tf.mod(tf.range(0, length, 1, 'int32'), tf.scalar(5, 'int32'))]);
}

type Step = (...inputs: tf.Tensor[]) => tf.TensorContainer;

/** A captured step keeps what it returns alone; so does this. */
const tidied =
  (step: Step): Step =>
  (...inputs) =>
    tf.tidy(() => step(...inputs));

/** What `use` does with a step as it is and with the captured one, each of its own making. */
async function bothWays<T>(
  make: () => { step: Step; dispose(): void },
  use: (step: Step, isCaptured: boolean, made: ReturnType<typeof make>) => Promise<T>,
): Promise<{ eager: T; captured: T }> {
  const once = (isCaptured: boolean) =>
    expectNoLeak(async () => {
      const made = make();
      const step = isCaptured ? capture(made.step) : tidied(made.step);
      const result = await use(step, isCaptured, made);
      (step as { dispose?: () => void }).dispose?.();
      made.dispose();
      return result;
    });
  return { eager: await once(false), captured: await once(true) };
}

/** The values of tensors, wherever they are in a container. */
async function valuesOf(container: tf.TensorContainer): Promise<number[][]> {
  const tensors: tf.Tensor[] = [];
  const visit = (part: unknown) => {
    if (part instanceof tf.Tensor) tensors.push(part);
    else if (typeof part === 'object' && part !== null) Object.values(part).forEach(visit);
  };
  visit(container);
  return Promise.all(tensors.map(async (tensor) => [...(await tensor.data())]));
}

/** The values that calls give, each with the tensors that `inputsOf` makes for it. */
async function callsOf(
  step: Step,
  count: number,
  inputsOf: (i: number) => tf.Tensor[],
  between: (i: number) => void = () => {},
): Promise<number[][][]> {
  const values: number[][][] = [];
  for (let i = 0; i < count; i++) {
    between(i);
    const inputs = inputsOf(i);
    const outputs = step(...inputs);
    values.push(await valuesOf(outputs));
    tf.dispose([inputs, outputs]);
  }
  return values;
}

/** Expects the values of some calls to be the same both ways. */
async function expectSameCalls(
  make: () => { step: Step; dispose?: () => void },
  inputsOf: (i: number) => tf.Tensor[],
  { count = 4, between }: { count?: number; between?: (i: number) => void } = {},
): Promise<void> {
  const { eager, captured } = await bothWays(
    () => ({ dispose() {}, ...make() }),
    (step) => callsOf(step, count, inputsOf, between),
  );
  expect(captured).to.deep.equal(eager);
}

const rowsAt = (i: number) => [random([3, 8], i + 1)];

/** How often a step ran as it is, not replayed. */
function counted(step: Step): Step & { runs: number } {
  const counting = Object.assign(
    (...inputs: tf.Tensor[]) => {
      counting.runs++;
      return step(...inputs);
    },
    { runs: 0 },
  );
  return counting;
}

const expectRuns = ({ runs }: { runs: number }, onReplaying: number, elsewhere: number) =>
  expect(runs, 'runs of the step itself').to.equal(replays ? onReplaying : elsewhere);

/** The bytes that the backend counts. */
function bytesOnDevice() {
  submit();
  const { numBytesInGPU } = tf.memory() as unknown as { numBytesInGPU: number };
  return numBytesInGPU;
}

const optimizers: Record<string, () => tf.Optimizer> = {
  'train.adamW': () => train.adamW({ learningRate: 0.01, clipNorm: 1 }),
  'tf.train.adam': () => tf.train.adam(0.01),
  'tf.train.sgd': () => tf.train.sgd(0.1),
  'tf.train.rmsprop': () => tf.train.rmsprop(0.01, 0.9, 0.9),
};

describe('capture', () => {
  describe('of a training step', () => {
    for (const [name, makeOptimizer] of Object.entries(optimizers)) {
      it(`gives the numbers of the step itself, bit for bit, with ${name}`, async () => {
        const lengths = [6, 6, 6, 6, 3, 3, 6, 6, 3, 3, 6, 7, 7];
        const { eager, captured } = await bothWays(
          () => makeTrainer(makeOptimizer) as ReturnType<typeof makeTrainer> & { step: Step },
          async (step, _, made) => {
            const losses = await callsOf(step, lengths.length, (i) => makeBatch(lengths[i]!, i + 3));
            return { losses, variables: await valuesOf((made as ReturnType<typeof makeTrainer>).variables) };
          },
        );
        expect(captured).to.deep.equal(eager);
      });
    }

    it('needs no read between calls', async () => {
      const { eager, captured } = await bothWays(
        () => makeTrainer(optimizers['train.adamW']!) as ReturnType<typeof makeTrainer> & { step: Step },
        async (step, _, made) => {
          // On the device: an upload would submit what waits.
          const batches = Array.from({ length: 12 }, (_, i) =>
            tf.tidy(() => [tf.fill([6, 8], 0.1 * i - 0.5), tf.fill([6], i % 5, 'int32')]),
          );
          for (const batch of batches) tf.dispose(step(...batch));
          tf.dispose(batches);
          return valuesOf((made as ReturnType<typeof makeTrainer>).variables);
        },
      );
      expect(captured).to.deep.equal(eager);
    });

    it('reads the learning rate at each call', async () => {
      for (const name of ['train.adamW', 'tf.train.sgd']) {
        const { eager, captured } = await bothWays(
          () => makeTrainer(optimizers[name]!) as ReturnType<typeof makeTrainer> & { step: Step },
          async (step, _, made) => {
            const { optimizer, variables } = made as ReturnType<typeof makeTrainer>;
            await callsOf(
              step,
              8,
              (i) => makeBatch(6, i),
              (i) => {
                const rate = 0.1 / (i + 1);
                if ('setLearningRate' in optimizer) (optimizer as tf.SGDOptimizer).setLearningRate(rate);
                else (optimizer as ReturnType<typeof train.adamW>).learningRate = rate;
              },
            );
            return valuesOf(variables);
          },
        );
        expect(captured, name).to.deep.equal(eager);
      }
    });

    it('goes on where variables were assigned, swapped and cloned between calls', async () => {
      const { eager, captured } = await bothWays(
        () => makeTrainer(optimizers['tf.train.sgd']!) as ReturnType<typeof makeTrainer> & { step: Step },
        async (step, _, made) => {
          const { gamma, weight } = (made as ReturnType<typeof makeTrainer>).variables;
          const clones: tf.Tensor[] = [];
          const losses = await callsOf(
            step,
            12,
            (i) => makeBatch(6, i),
            (i) => {
              if (i === 3) tf.tidy(() => gamma.assign(random([8], 77)));
              if (i === 5) clones.push(weight.clone());
              // Its old value remains, in the clone.
              if (i === 7) {
                clones.push(gamma.clone());
                tf.tidy(() => gamma.assign(random([8], 78)));
              }
              if (i === 9) weight.assign(clones[0] as tf.Tensor2D);
            },
          );
          const values = await valuesOf({ gamma, weight, clones });
          tf.dispose(clones);
          return { losses, values };
        },
      );
      expect(captured).to.deep.equal(eager);
    });

    it('accumulates gradients over two captured steps', async () => {
      const make = () => {
        const trainer = makeTrainer(optimizers['train.adamW']!);
        const { gamma, weight } = trainer.variables;
        const sums = [gamma, weight].map((variable) => tf.tidy(() => tf.variable(tf.zeros(variable.shape), false)));
        const accumulate: Step = (x, labels) => {
          const loss = () => crossEntropy(linear(rmsNorm(x!, gamma), weight), labels!) as tf.Scalar;
          const { value, grads } = tf.variableGrads(loss, [gamma, weight]);
          for (const [i, { name }] of [gamma, weight].entries()) sums[i]!.assign(tf.add(sums[i]!, grads[name]!));
          return value;
        };
        const update: Step = () => {
          trainer.optimizer.applyGradients({ [gamma.name]: sums[0]!, [weight.name]: sums[1]! });
          for (const sum of sums) sum.assign(tf.zerosLike(sum));
          return [];
        };
        return {
          step: accumulate,
          update,
          variables: trainer.variables,
          dispose() {
            tf.dispose(sums);
            trainer.dispose();
          },
        };
      };
      const { eager, captured } = await bothWays(make, async (step, isCaptured, made) => {
        const { update, variables } = made as ReturnType<typeof make>;
        const updates = isCaptured ? capture(update) : (update as Step & { dispose?: () => void });
        const losses = await callsOf(
          step,
          12,
          (i) => makeBatch(4, i),
          (i) => {
            if (i % 3 === 2) tf.tidy(() => updates() as tf.Tensor[]);
          },
        );
        updates.dispose?.();
        return { losses, values: await valuesOf(variables) };
      });
      expect(captured).to.deep.equal(eager);
    });
  });

  describe('outputs', () => {
    it('come as they are returned: alone, in arrays and objects, and nothing', async () => {
      await expectSameCalls(() => ({ step: (x) => tf.mul(x!, 2) }), rowsAt);
      await expectSameCalls(() => ({ step: (x) => [tf.mul(x!, 2), tf.sum(x!)] }), rowsAt);
      const nested: Step = (x) => ({ a: tf.mul(x!, 2), b: [tf.sum(x!), { c: tf.max(x!) }], name: 'text', count: 3 });
      await expectSameCalls(() => ({ step: nested }), rowsAt);
      await expectNoLeak(async () => {
        const step = capture((x: tf.Tensor) => {
          tf.mul(x, 2);
          return null;
        });
        const x = random([3]);
        for (let i = 0; i < 3; i++) expect(step(x)).to.equal(null);
        step.dispose();
        x.dispose();
      });
    });

    it('may be twice the same, views of each other, of an input, an outer tensor and a constant', async () => {
      await expectNoLeak(async () => {
        const outer = random([4], 9);
        const step: Step = (x) => {
          const y = tf.mul(x!, 2);
          return [y, y, tf.reshape(y, [8, 3]), x!, tf.reshape(x!, [24]), outer, tf.scalar(7), x!];
        };
        const make = () => capture(step);
        const captured = make();
        for (let i = 0; i < 5; i++) {
          const x = random([3, 8], i + 1);
          const outputs = captured(x) as tf.Tensor[];
          const doubled = [...(await x.data())].map((value) => Math.fround(2 * value));
          const values = await valuesOf(outputs);
          const expected = [doubled, doubled, doubled, [...(await x.data())], [...(await x.data())]];
          expect(values.slice(0, 5), `call ${i}`).to.deep.equal(expected);
          expect(values.slice(5, 7)).to.deep.equal([[...(await outer.data())], [7]]);
          expect(outputs[1], 'once more').to.equal(outputs[0]);
          expect(outputs[7], 'once more').to.equal(outputs[3]);
          x.dispose();
          if (replays) continue;
          tf.dispose(outputs.filter((tensor) => tensor !== outer));
        }
        captured.dispose();
        expect(outer.isDisposed).to.equal(false);
        outer.dispose();
      });
    });

    it('stay right where a step is recorded again', async () => {
      await expectNoLeak(async () => {
        const scale = tf.tidy(() => tf.variable(tf.scalar(2)));
        const step = counted((x) => {
          const y = tf.mul(x!, scale);
          return [y, tf.reshape(y, [24])];
        });
        const captured = capture(step);
        for (let i = 0; i < 8; i++) {
          if (i % 3 === 0) tf.tidy(() => scale.assign(tf.scalar(i + 1)));
          const x = tf.fill([3, 8], 10 + i);
          const outputs = captured(x);
          const expected = Array(24).fill((10 + i) * (3 * Math.floor(i / 3) + 1));
          expect(await valuesOf(outputs), `call ${i}`).to.deep.equal([expected, expected]);
          tf.dispose([x, replays ? [] : outputs]);
        }
        expectRuns(step, 3, 8);
        captured.dispose();
        scale.dispose();
      });
    });

    it('may be variables, and what was a variable before and after its update', async () => {
      for (const name of ['train.adamW', 'tf.train.sgd']) {
        const make = () => {
          const w = tf.tidy(() => tf.variable(random([4], 3)));
          const optimizer = optimizers[name]!();
          const step: Step = (x) => {
            const before = tf.mul(w, 1);
            (optimizer as Minimizer).minimize(() => tf.sum(tf.square(tf.sub(w, x!))), false, [w]);
            return [before, w.clone(), tf.reshape(w, [2, 2])];
          };
          return {
            step,
            dispose() {
              optimizer.dispose();
              w.dispose();
            },
          };
        };
        await expectSameCalls(make, (i) => [random([4], i)], { count: 6 });
      }
      await expectNoLeak(async () => {
        const w = tf.tidy(() => tf.variable(tf.scalar(1)));
        const captured = capture((x: tf.Tensor) => {
          w.assign(tf.add(w, x) as tf.Scalar);
          return w;
        });
        const x = tf.scalar(3);
        for (let i = 0; i < 4; i++) {
          expect(captured(x)).to.equal(w);
          await expectClose(w, [4 + 3 * i], 0);
        }
        captured.dispose();
        expect(w.isDisposed).to.equal(false);
        tf.dispose([w, x]);
      });
    });

    if (replays) {
      it('are the same tensors in each call, but for those that were disposed', async () => {
        await expectNoLeak(async () => {
          const captured = capture((x: tf.Tensor) => ({ y: tf.mul(x, 2), z: tf.add(x, 1) }));
          const x = tf.tensor1d([1, 2, 3]);
          const first = captured(x);
          const second = captured(x);
          expect(second).to.equal(first);
          const { y, z } = first;
          y.dispose();
          const third = captured(x);
          expect(third.z).to.equal(z);
          expect(third.y).not.to.equal(y);
          expect(await valuesOf(third)).to.deep.equal([
            [2, 4, 6],
            [2, 3, 4],
          ]);
          tf.tidy(() => captured(x));
          expect(captured(x).z, 'after a tidy').to.equal(z);
          captured.dispose();
          expect(z.isDisposed).to.equal(true);
          x.dispose();
        });
      });

      it('may be read while the next call runs', async () => {
        await expectNoLeak(async () => {
          const captured = capture((x: tf.Tensor) => tf.mul(x, 2));
          const readings: Promise<unknown>[] = [];
          for (let i = 0; i < 6; i++) {
            const x = tf.fill([4], i);
            readings.push(captured(x).array());
            x.dispose();
          }
          expect(await Promise.all(readings)).to.deep.equal([0, 1, 2, 3, 4, 5].map((i) => Array(4).fill(2 * i)));
          captured.dispose();
        });
      });
    }
  });

  describe('inputs', () => {
    it('may be on the CPU, on the device, of another backend, bool, int32 and empty', async () => {
      const sum: Step = (x) => tf.add(tf.sum(tf.cast(x!, 'float32')), 1);
      await expectSameCalls(
        () => ({ step: sum }),
        (i) => [tf.tensor1d([i, 2])],
      );
      await expectSameCalls(
        () => ({ step: sum }),
        (i) => [tf.fill([5], i)],
      );
      await expectSameCalls(
        () => ({ step: sum }),
        (i) => [i % 2 ? tf.fill([5], i) : tf.tensor1d([i, 1, 2, 3, 4])],
      );
      await expectSameCalls(
        () => ({ step: sum }),
        (i) => [tf.tensor1d([i % 2 === 0, true, false], 'bool')],
      );
      await expectSameCalls(
        () => ({ step: sum }),
        (i) => [tf.tensor1d([i, 2], 'int32')],
      );
      await expectSameCalls(
        () => ({ step: (x) => tf.mul(x!, 2) }),
        () => [tf.zeros([0, 3])],
      );
      const own = tf.getBackend();
      await expectSameCalls(
        () => ({ step: (x) => tf.mul(x!, 2) }),
        (i) => {
          tf.setBackend('cpu');
          const made = tf.tidy(() => tf.add(tf.tensor1d([i, 1, 2]), 1));
          tf.setBackend(own);
          return [made];
        },
      );
    });

    it('may be what was returned, and one tensor twice', async () => {
      await expectNoLeak(async () => {
        const captured = capture((x: tf.Tensor, y: tf.Tensor) => [tf.add(x, y), tf.sub(x, y)]);
        let [a, b] = [tf.scalar(3), tf.scalar(2)] as tf.Tensor[];
        let [p, q] = [3, 2];
        for (let i = 0; i < 6; i++) {
          const [c, d] = captured(a!, b!) as [tf.Tensor, tf.Tensor];
          if (!replays || i === 0) tf.dispose([a, b]);
          [a, b] = [d, c];
          [p, q] = [p - q, p + q];
          expect(await valuesOf([a, b])).to.deep.equal([[p], [q]]);
        }
        const outputs = captured(a!, a!);
        expect(await valuesOf(outputs)).to.deep.equal([[2 * p], [0]]);
        tf.dispose([a, b, outputs]);
        captured.dispose();
      });
    });

    it('of other shapes and types are steps of their own', async () => {
      const step = counted((x) => tf.mul(x!, tf.scalar(2, x!.dtype)));
      const shapes = [[2], [3], [2], [3], [2, 1], [2], [], [3], [2, 1], []];
      await expectSameCalls(
        () => ({ step: Object.assign(step, { runs: 0 }) }),
        (i) => [tf.fill(shapes[i]!, i + 1)],
        { count: shapes.length },
      );
      expectRuns(step, 4, shapes.length);
      await expectSameCalls(
        () => ({ step }),
        (i) => [tf.fill([2], i + 1, i % 2 ? 'int32' : 'float32')],
      );
    });

    it('are forgotten, the oldest first, where there are very many shapes', async () => {
      await expectSameCalls(
        () => ({ step: (x) => tf.mul(x!, 2) }),
        (i) => [tf.fill([1 + (i % 40)], i)],
        { count: 90 },
      );
    });

    it('that are wrong are refused', () => {
      const step = capture((x: tf.Tensor) => tf.mul(x, 2));
      expectError(() => step(3 as never), /^capture: input 0 must be a tensor, but got 3$/);
      expectError(() => step([1] as never), /^capture: input 0 must be a tensor, but got /);
      const x = tf.scalar(1);
      x.dispose();
      expectError(() => step(x), /^capture: input 0 must be a tensor that was not disposed, but got /);
      const text = tf.scalar('a');
      expectError(() => step(text), /^capture: input 0 must be a tensor of type float32, int32 or bool, but got /);
      text.dispose();
      expectError(() => capture(3 as never), /^capture: step must be a function, but got 3$/);
      step.dispose();
    });
  });

  describe('state', () => {
    it('that is small, and computed in JavaScript as a rule', async () => {
      const make = () => {
        const [count, decayed] = tf.tidy(() => [tf.variable(tf.scalar(0)), tf.variable(tf.tensor1d([1, 2]))] as const);
        const step: Step = (x) => {
          count.assign(tf.add(count, 1) as tf.Scalar);
          decayed.assign(tf.mul(decayed, 0.5) as tf.Tensor1D);
          return [tf.mul(x!, count), tf.add(decayed, 0)];
        };
        return { step, dispose: () => tf.dispose([count, decayed]) };
      };
      await expectSameCalls(make, rowsAt, { count: 6 });
    });

    it('whose few values kernels get as constants, assigned between calls', async () => {
      await expectNoLeak(async () => {
        const gamma = tf.tidy(() => tf.variable(tf.tensor1d([1, 2, 3, 4])));
        const x = random([3, 4]);
        const step = (input: tf.Tensor) => rmsNorm(input, gamma);
        const captured = capture(step);
        for (let i = 0; i < 6; i++) {
          if (i === 3) tf.tidy(() => gamma.assign(tf.tensor1d([9, -2, 7, 5])));
          const [actual, expected] = [captured(x), step(x)];
          await expectClose(actual, await expected.data(), 0, `call ${i}`);
          tf.dispose([expected, replays ? [] : actual]);
        }
        captured.dispose();
        tf.dispose([gamma, x]);
      });
    });

    it('that is one variable assigned to another, in the step and before', async () => {
      for (const name of ['train.adamW', 'tf.train.sgd']) {
        const make = () => {
          const online = tf.tidy(() => tf.variable(random([4], 3)));
          const slow = tf.tidy(() => tf.variable(random([4], 4)));
          slow.assign(online);
          const optimizer = optimizers[name]!();
          const step: Step = (x) => {
            (optimizer as Minimizer).minimize(() => tf.sum(tf.square(tf.sub(online, tf.add(slow, x!)))), false, [
              online,
            ]);
            slow.assign(online);
            return tf.add(slow, 0);
          };
          return {
            step,
            variables: [online, slow],
            dispose() {
              optimizer.dispose();
              tf.dispose([online, slow]);
            },
          };
        };
        const { eager, captured } = await bothWays(make, async (step, _, made) => {
          const { variables } = made as ReturnType<typeof make>;
          const calls = [];
          for (let i = 0; i < 6; i++) {
            calls.push([await callsOf(step, 1, () => [random([4], i)]), await valuesOf(variables)]);
          }
          return calls;
        });
        expect(captured, name).to.deep.equal(eager);
      }
    });

    it('that is one variable assigned to another between calls', async () => {
      const steps: Array<(w: tf.Variable, w2: tf.Variable, x: tf.Tensor) => void> = [
        (w, w2, x) => {
          const product = tf.mul(w2, w);
          w.assign(tf.add(tf.mul(w, 0.5), x));
          w2.assign(product);
        },
        (w, w2, x) => w.assign(tf.add(tf.mul(w, w2), x)),
        (w, w2, x) => w2.assign(tf.add(tf.mul(w, w2), x)),
      ];
      for (const update of steps) {
        for (const every of [1, 2, 3]) {
          const variables: tf.Variable[] = [];
          const make = () => {
            variables.splice(0, 2, ...tf.tidy(() => [3, 4].map((seed) => tf.variable(random([4], seed)))));
            const [w, w2] = variables as [tf.Variable, tf.Variable];
            const step: Step = (x) => {
              update(w, w2, x!);
              return [tf.add(w, 0), tf.add(w2, 0)];
            };
            return { step, dispose: () => tf.dispose(variables) };
          };
          await expectSameCalls(make, (i) => [random([4], i)], {
            count: 8,
            between: (i) => {
              if (i % every === 0) variables[1]!.assign(variables[0]!);
            },
          });
        }
      }
    });

    it('that is an average of weights', async () => {
      const make = () => {
        const trainer = makeTrainer(optimizers['train.adamW']!);
        const { gamma } = trainer.variables;
        const average = tf.variable(gamma, false);
        const step: Step = (x, labels) => {
          const loss = trainer.step(x!, labels!);
          average.assign(tf.add(tf.mul(average, 0.9), tf.mul(gamma, 0.1)) as tf.Tensor1D);
          return [loss, tf.add(average, 0)];
        };
        return {
          step,
          dispose() {
            average.dispose();
            trainer.dispose();
          },
        };
      };
      await expectSameCalls(make, (i) => makeBatch(4, i), { count: 8 });
    });

    it('that is an input of the call before', async () => {
      for (const assign of [
        (variable: tf.Variable, x: tf.Tensor) => variable.assign(x),
        (variable: tf.Variable, x: tf.Tensor) => variable.assign(tf.reshape(x, [4])),
        (variable: tf.Variable, x: tf.Tensor) => variable.assign(tf.add(x, 0)),
      ]) {
        const make = () => {
          const before = tf.tidy(() => tf.variable(tf.zeros([4])));
          const step: Step = (x) => {
            const change = tf.sub(x!, before);
            assign(before, x!);
            return change;
          };
          return { step, dispose: () => before.dispose() };
        };
        await expectSameCalls(make, (i) => [random([4], i)], { count: 6 });
      }
    });

    it('that is a variable of its own for each call', async () => {
      const make = () => {
        let state = tf.tidy(() => tf.variable(tf.zeros([4])));
        const step: Step = (x) => {
          const next = tf.variable(tf.add(state, x!) as tf.Tensor);
          state.dispose();
          state = next as typeof state;
          return tf.mul(next, 2);
        };
        return { step, dispose: () => state.dispose() };
      };
      if (!replays) return expectSameCalls(make, (i) => [random([4], i)]);
      const made = make();
      const captured = capture(made.step);
      const x = tf.ones([4]);
      for (let i = 0; i < 2; i++) await expectClose(captured(x) as tf.Tensor, Array(4).fill(2 * i + 2), 0);
      expectError(() => captured(x), /^capture: the step leaves 1 tensors? behind at each call/);
      captured.dispose();
      made.dispose();
      x.dispose();
    });

    if (replays) {
      it('that is no variable is refused after three calls, and nothing is lost', async () => {
        await expectNoLeak(async () => {
          let state = tf.keep(tf.fill([4], 1));
          const captured = capture((x: tf.Tensor) => {
            const next = tf.keep(tf.add(state, x));
            state.dispose();
            state = next as typeof state;
            return tf.mul(next, 2);
          });
          const x = tf.ones([4]);
          await expectClose(captured(x), Array(4).fill(4), 0);
          await expectClose(captured(x), Array(4).fill(6), 0);
          const refusal =
            /^capture: the step leaves 1 tensors? behind at each call; what it keeps must be a tf.variable$/;
          expectError(() => captured(x), refusal);
          expectError(() => captured(x), refusal);
          await expectClose(state, Array(4).fill(5), 0, 'as the step left it');
          captured.dispose();
          tf.dispose([x, state]);
        });
      });
    }
  });

  describe('random numbers', () => {
    if (replays) {
      it("of attention's dropout are others at each call, and the same forward and backward", async () => {
        await expectNoLeak(async () => {
          const [q, k, v] = [1, 2, 3].map((seed) => random([1, 1, 8, 4], seed)) as [
            tf.Tensor4D,
            tf.Tensor4D,
            tf.Tensor4D,
          ];
          for (const withCheckpoint of [false, true]) {
            const attend = (x: tf.Tensor4D) => flashAttention(x, k, v, { dropout: 0.5 }) as tf.Tensor4D;
            const run = (x: tf.Tensor4D) => (withCheckpoint ? checkpoint(attend, x) : attend(x)) as tf.Tensor4D;
            // With values of ones, a gradient of v's sum is the sum of what was kept.
            const captured = capture((x: tf.Tensor4D) => {
              const { value, grad } = tf.valueAndGrad((input: tf.Tensor) => tf.sum(run(input as tf.Tensor4D)))(x);
              return [value, grad];
            });
            const seen = new Set<string>();
            for (let i = 0; i < 6; i++) seen.add(JSON.stringify(await valuesOf(captured(q))));
            expect(seen.size, withCheckpoint ? 'with a checkpoint' : 'alone').to.equal(6);
            captured.dispose();
          }
          const seeded = capture((x: tf.Tensor4D) => flashAttention(x, k, v, { dropout: 0.5, seed: 3 }));
          const first = await valuesOf(seeded(q));
          for (let i = 0; i < 3; i++) expect(await valuesOf(seeded(q))).to.deep.equal(first);
          seeded.dispose();
          tf.dispose([q, k, v]);
        });
      });

      it('are dropped alike in both passes of a checkpoint', async () => {
        await expectNoLeak(async () => {
          const [length, width] = [4, 4];
          const [q, k] = [random([1, 1, length, width], 1), random([1, 1, length, width], 2)] as tf.Tensor4D[];
          const v = tf.ones([1, 1, length, width]) as tf.Tensor4D;
          // Linear in v: the value is the sum of v times its gradient, where both drop the same weights.
          const run = (x: tf.Tensor) => flashAttention(q!, k!, x as tf.Tensor4D, { dropout: 0.5 }) as tf.Tensor;
          const captured = capture((x: tf.Tensor) => {
            const { value, grad } = tf.valueAndGrad((input: tf.Tensor) => tf.sum(checkpoint(run, input)))(x);
            return [value, tf.sum(tf.mul(grad, x))];
          });
          for (let i = 0; i < 6; i++) {
            const [value, product] = await valuesOf(captured(v));
            await expectClose(product!, value!, 1e-5, `call ${i}`);
          }
          captured.dispose();
          tf.dispose([q, k, v]);
        });
      });

      it('of ops in JavaScript are refused, by name', async () => {
        await expectNoLeak(async () => {
          const x = random([4]);
          const w = tf.variable(x);
          for (const [step, name] of [
            [() => tf.dropout(x, 0.5), 'randomUniform'],
            [() => [w, tf.mul(tf.randomNormal([4]), 2)], 'randomNormal'],
            [() => checkpoint((y) => tf.dropout(y, 0.5), x), 'randomUniform'],
            [() => tf.mul(x, Math.random()), 'the step'],
          ] as const) {
            const captured = capture(step as Step);
            const message = new RegExp(
              `^capture: ${name} draws random numbers in JavaScript, which would be the same in each replay$`,
            );
            for (let i = 0; i < 2; i++) expectError(() => captured(), message);
            captured.dispose();
          }
          expect(w.isDisposed).to.equal(false);
          tf.dispose([x, w]);
        });
      });
    }
  });

  describe('errors', () => {
    if (replays) {
      it('of a read within: it is refused, and later calls work', async () => {
        await expectNoLeak(async () => {
          const x = tf.fill([4], 3);
          const w = tf.tidy(() => tf.variable(tf.fill([4], 1)));
          const refused: Array<Promise<unknown>> = [];
          const readings: Array<(y: tf.Tensor) => unknown> = [
            (y) => y.dataSync(),
            (y) => y.arraySync(),
            (y) => {
              const reading = y.data();
              reading.catch(() => {});
              refused.push(reading);
            },
            (y) => y.dataToGPU(),
          ];
          for (const reading of readings) {
            let reads = false;
            const captured = capture((input: tf.Tensor) => {
              w.assign(tf.add(w, input) as tf.Tensor1D);
              const y = tf.mul(input, w);
              if (reads) reading(y);
              return y;
            });
            reads = true;
            expectErrorBut(() => captured(x), /^capture: .* reads a tensor back, to compute in JavaScript$/, 1);
            reads = false;
            const before = (await w.data())[0]!;
            for (let i = 1; i < 4; i++) await expectClose(captured(x), Array(4).fill(3 * (before + 3 * i)), 0);
            captured.dispose();
          }
          for (const promise of refused)
            await promise.then(
              () => expect.fail('was read'),
              () => {},
            );
          await expectClose(x, Array(4).fill(3), 0);
          tf.dispose([x, w]);
        });
      });

      it('of the step itself: they go through, and later calls work', async () => {
        await expectNoLeak(async () => {
          const x = tf.fill([4], 3);
          const w = tf.tidy(() => tf.variable(tf.fill([4], 1)));
          let throws = false;
          const captured = capture((input: tf.Tensor) => {
            w.assign(tf.add(w, input) as tf.Tensor1D);
            const y = tf.mul(input, w);
            if (throws) throw new Error('of the step');
            return y;
          });
          await expectClose(captured(x), Array(4).fill(12), 0);
          await expectClose(captured(x), Array(4).fill(21), 0);
          tf.tidy(() => w.assign(tf.fill([4], 2)));
          throws = true;
          for (let i = 0; i < 4; i++) expectError(() => captured(x), /^of the step$/);
          throws = false;
          await expectClose(w, Array(4).fill(14), 0, 'the variable');
          for (let i = 0; i < 3; i++) await expectClose(captured(x), Array(4).fill(3 * (17 + 3 * i)), 0);
          captured.dispose();
          tf.dispose([x, w]);
        });
      });

      it('where the step is async', async () => {
        await expectNoLeak(async () => {
          const x = tf.ones([4]);
          const captured = capture((async (input: tf.Tensor) => {
            const y = tf.mul(input, 2);
            await y.data();
            return y;
          }) as unknown as Step);
          expectErrorBut(() => captured(x), /^capture: the step must not be async$/, 1);
          await new Promise((resolve) => setTimeout(resolve, 20));
          captured.dispose();
          x.dispose();
        });
      });

      it('leave the backend as it was', async () => {
        const backend = deviceBackendOf(tf.backend()) as unknown as { pool: { arena: unknown }; recording: unknown };
        const { random: drawn } = Math;
        const captured = capture(() => {
          throw new Error('of the step');
        });
        expectError(() => captured(), /^of the step$/);
        expect(backend.recording).to.equal(null);
        expect(backend.pool.arena).to.equal(null);
        expect(Math.random).to.equal(drawn);
        captured.dispose();
      });
    }
  });

  describe('around others', () => {
    it('within another capture is part of it', async () => {
      const make = () => {
        const inner = capture((x: tf.Tensor) => tf.mul(x, 2));
        const step: Step = (x) => tf.add(tf.add(inner(x!), 0), inner(tf.square(x!)));
        return { step, dispose: inner.dispose };
      };
      await expectSameCalls(make, rowsAt);
    });

    it('under a gradient it just runs', async () => {
      await expectNoLeak(async () => {
        const captured = capture((x: tf.Tensor) => tf.square(x));
        const x = tf.tensor1d([1, 2, 3]);
        for (let i = 0; i < 3; i++) {
          if (replays) captured(x);
          const gradient = tf.grad((input) => tf.sum(captured(input)))(x);
          await expectClose(gradient, [2, 4, 6], 0);
          gradient.dispose();
        }
        captured.dispose();
        x.dispose();
      });
    });

    it('takes its place among other commands', async () => {
      const make = () => {
        const w = tf.tidy(() => tf.variable(tf.fill([4], 1)));
        const step: Step = (x) => {
          w.assign(tf.add(tf.mul(w, 2), x!) as tf.Tensor1D);
          return tf.add(w, 0);
        };
        return { step, w, dispose: () => w.dispose() };
      };
      const { eager, captured } = await bothWays(make, async (step, _, made) => {
        const { w } = made as ReturnType<typeof make>;
        const seen: tf.Tensor[] = [];
        for (let i = 0; i < 5; i++) {
          const x = tf.tidy(() => tf.add(tf.fill([4], i), tf.mul(w, 0.5)));
          const output = step(x) as tf.Tensor;
          seen.push(tf.mul(output, 3), tf.add(w, x));
          const upload = tf.tensor1d([i, i, i, i]);
          const again = step(upload) as tf.Tensor;
          seen.push(tf.add(upload, 0), tf.square(again));
          tf.dispose([x, upload, output, again]);
        }
        const values = await valuesOf(seen);
        tf.dispose(seen);
        return values;
      });
      expect(captured).to.deep.equal(eager);
    });

    it('gives all back by dispose, and may be called again', async () => {
      await expectNoLeak(async () => {
        const trainer = makeTrainer(optimizers['train.adamW']!);
        const captured = capture(trainer.step);
        const batch = makeBatch(6, 1);
        for (const tensor of batch) await tensor.data();
        tf.dispose(captured(...batch));
        captured.dispose();
        const [tensors, bytes] = [tf.memory().numTensors, replays ? bytesOnDevice() : 0];
        for (let round = 0; round < 3; round++) {
          for (let i = 0; i < 3; i++) tf.dispose(captured(...batch));
          captured.dispose();
          captured.dispose();
          expect(tf.memory().numTensors).to.equal(tensors);
          if (replays) expect(bytesOnDevice()).to.equal(bytes);
        }
        tf.dispose(batch);
        trainer.dispose();
      });
    });
  });

  if (replays) {
    it('gives its memory up where there is no more, and is recorded anew', async () => {
      await expectNoLeak(async () => {
        const { pool } = tf.backend() as unknown as LigerWebGPUBackend;
        const { memoryLimit } = pool;
        let calls = 0;
        const step = capture((x: tf.Tensor) => {
          calls++;
          return tf.sum(tf.square(tf.add(tf.mul(x, 2), 1)));
        });
        const x = tf.fill([300, 1000], 1);
        for (let i = 0; i < 3; i++) await expectClose(step(x), [9 * 300_000], 1e-6);
        expect(calls).to.equal(1);
        submit();
        pool.shrink(0);
        try {
          pool.memoryLimit = pool.numBytesAllocated;
          const y = tf.fill([300, 1000], 5);
          pool.memoryLimit = memoryLimit;
          for (let i = 0; i < 3; i++) await expectClose(step(x), [9 * 300_000], 1e-6);
          expect(calls).to.equal(2);
          const most = tf.max(y);
          await expectClose(most, [5], 0);
          tf.dispose([y, most]);
        } finally {
          pool.memoryLimit = memoryLimit;
        }
        step.dispose();
        x.dispose();
      });
    });

    it('holds no more than the step itself, from its first calls on, in which the optimizer makes its state', async () => {
      const mostBytes = async (isCaptured: boolean) => {
        const weights = Array.from({ length: 8 }, (_, i) =>
          tf.tidy(() => tf.variable(tf.mul(random([32, 512], i), 0.1))),
        );
        const optimizer = train.adamW({ learningRate: 0.01 });
        const loss = (x: tf.Tensor) => weights.reduce((y, weight) => tf.tanh(tf.mul(y, weight)), x).mean() as tf.Scalar;
        const step = (x: tf.Tensor) => optimizer.minimize(() => tf.tidy(() => loss(x)), true)!;
        const called = isCaptured ? capture(step) : step;
        const x = random([16, 32, 512]);
        const memory = deviceBackendOf(tf.backend()).meterMemory();
        memory.resetPeak();
        const held: number[] = [];
        for (let i = 0; i < 3; i++) {
          const y = called(x);
          if (!isCaptured) y.dispose();
          held.push(bytesOnDevice());
        }
        const { peak } = memory;
        if (isCaptured) (called as ReturnType<typeof capture>).dispose();
        optimizer.dispose();
        tf.dispose([weights, x]);
        return { held, peak };
      };
      await expectNoLeak(async () => {
        const eager = await mostBytes(false);
        const captured = await mostBytes(true);
        // The captured step has an input of its own, and a loss.
        const input = 4 * 16 * 32 * 512;
        for (const [i, bytes] of captured.held.entries()) {
          expect(bytes, `held after call ${i}`).to.be.at.most(eager.held[i]! + input + 64 * 1024);
        }
        expect(captured.peak).to.be.at.most(eager.peak + input + 64 * 1024);
      });
    });

    it('trains a GPT-2 of two layers as without it, bit for bit, within its memory', async function () {
      this.timeout(180_000);
      // A GPU in software does not get to the end.
      const [most, least, seconds] = [200, 8, 8];
      let steps = most;
      const config = { ...gpt2Config, vocab_size: 37, n_positions: 8, n_embd: 16, n_layer: 2, n_head: 2 };
      const memory = deviceBackendOf(tf.backend()).meterMemory();
      const trainFor = async (isCaptured: boolean) => {
        const model = createGpt2(config, 3);
        const optimizer = train.adamW({ learningRate: 0.003, clipNorm: 1 });
        const step = (tokens: tf.Tensor, labels: tf.Tensor) =>
          optimizer.minimize(() => model.loss(tokens as tf.Tensor2D, labels as tf.Tensor2D), true)!;
        const called = isCaptured ? capture(step) : step;
        const losses: number[] = [];
        let peak = 0;
        const end = performance.now() + 1000 * seconds;
        let i = 0;
        for (; i < steps && (isCaptured || i < least || performance.now() < end); i++) {
          const text = Int32Array.from({ length: 18 }, (_, j) => (7 * i + j * j) % 37);
          const tokens = tf.tensor2d(text.slice(0, 16), [2, 8], 'int32');
          const labels = tf.tensor2d(text.slice(1, 17), [2, 8], 'int32');
          if (i === 3) memory.resetPeak();
          const loss = called(tokens, labels);
          if (i >= 3) peak = memory.peak;
          if (i % 4 === 3) losses.push((await loss.data())[0]!);
          tf.dispose([tokens, labels, isCaptured ? [] : loss]);
        }
        steps = i;
        const values = await valuesOf(model.variables);
        if (isCaptured) (called as ReturnType<typeof capture>).dispose();
        optimizer.dispose();
        model.dispose();
        return { losses, values, peak };
      };
      await expectNoLeak(async () => {
        const eager = await trainFor(false);
        const captured = await trainFor(true);
        expect(captured.losses).to.deep.equal(eager.losses);
        expect(captured.values).to.deep.equal(eager.values);
        // Inputs and the loss are three small buffers; uploaded constants are some more.
        expect(captured.peak, `eager ${eager.peak}`).to.be.at.most(eager.peak + 64 * 1024);
      });
    });
  }
});

/** As `expectError`, where the captured step keeps `kept` inputs of its own since this call. */
function expectErrorBut(fn: () => unknown, message: RegExp, kept: number): void {
  const { numTensors } = tf.memory();
  expect(fn).to.throw(message);
  expect(tf.memory().numTensors, 'tensors after the error').to.be.at.most(numTensors + kept);
}
