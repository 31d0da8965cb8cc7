import { expect } from 'chai';
import { runKernel } from '../../src/engine/run_kernel.js';
import { rmsNorm, train } from '../../src/index.js';
import { AdamW, AdamWStep, SquaredNorms } from '../../src/kernels/contracts/adam_w.js';
import { describeAgainstComposed, oddSize, random } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import {
  expectClose,
  expectError,
  expectNoLeak,
  type GoldenCase,
  loadSafetensors,
  OUTPUT_TOLERANCE,
  toTensor,
} from '../support/golden.js';

type Gradients = Record<string, tf.Tensor>;

/** Variables with values between -1 and 1, by name, and gradients for them. */
function makeVariables(shapes: Record<string, number[]>): {
  variables: Record<string, tf.Variable>;
  gradients: Gradients;
} {
  const variables: Record<string, tf.Variable> = {};
  const gradients: Gradients = {};
  for (const [i, [name, shape]] of Object.entries(shapes).entries()) {
    variables[name] = tf.tidy(() => tf.variable(random(shape, i + 1), true, name));
    gradients[name] = random(shape, i + 101);
  }
  return { variables, gradients };
}

/** What the optimizer should do to one parameter in one step, in float64. */
class Reference {
  private readonly m: Float64Array;
  private readonly v: Float64Array;
  private iteration = 0;

  constructor(readonly values: Float64Array) {
    this.m = new Float64Array(values.length);
    this.v = new Float64Array(values.length);
  }

  step(
    gradient: ArrayLike<number>,
    { learningRate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0.01, scale = 1 } = {},
  ): void {
    const { m, v, values } = this;
    this.iteration++;
    for (let i = 0; i < values.length; i++) {
      const g = gradient[i]! * scale;
      m[i] = beta1 * m[i]! + (1 - beta1) * g;
      v[i] = beta2 * v[i]! + (1 - beta2) * g * g;
      const update = m[i]! / (1 - beta1 ** this.iteration);
      const root = Math.sqrt(v[i]! / (1 - beta2 ** this.iteration));
      values[i] = values[i]! * (1 - learningRate * weightDecay) - (learningRate * update) / (root + epsilon);
    }
  }
}

const referenceOf = async (variable: tf.Variable) => new Reference(Float64Array.from(await variable.data()));

describe('train.adamW: reference cases', () => {
  it('agrees with torch.optim.AdamW at each step', async () => {
    const { metadata, tensors } = await loadSafetensors('adamW');
    for (const { name, options, steps, params } of metadata.cases as Array<
      GoldenCase & { steps: number; params: string[] }
    >) {
      await expectNoLeak(async () => {
        const variables = params.map((p) =>
          tf.tidy(() => tf.variable(toTensor(tensors[`${name}/in/${p}`]!), true, `${name}/${p}`)),
        );
        const optimizer = train.adamW(options);
        for (let step = 0; step < steps; step++) {
          const gradients = params.map((p) => ({
            name: `${name}/${p}`,
            tensor: toTensor(tensors[`${name}/in/g${p.slice(1)}_${step}`]!),
          }));
          optimizer.applyGradients(gradients);
          for (const [i, p] of params.entries()) {
            const expected = tensors[`${name}/out/${p}_${step}`]!;
            await expectClose(variables[i]!, expected, OUTPUT_TOLERANCE, `${name}: ${p} after step ${step}`);
          }
          tf.dispose(gradients.map(({ tensor }) => tensor));
        }
        optimizer.dispose();
        tf.dispose(variables);
      });
    }
  });
});

describe('train.adamW', () => {
  const uniform = (shape: number[], low: number, high: number, seed: number) =>
    tf.randomUniform(shape, low, high, 'float32', seed);

  describeAgainstComposed(AdamW, [oddSize, oddSize], (a, b) => ({
    inputs: [tf.tensor1d([0.01, 0.5, 0.02, 3])].concat(
      [[a], [b, 4], [1]].flatMap((shape, i) => [
        random(shape, 4 * i + 1),
        random(shape, 4 * i + 2),
        random(shape, 4 * i + 3),
        uniform(shape, 0.01, 1, 4 * i + 4),
      ]) as tf.Tensor1D[],
    ) as never,
    attrs: { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecays: [0.1, 0, 0.3] },
  }));

  describeAgainstComposed(AdamWStep, [oddSize], (n) => ({
    inputs: { step: tf.zeros([4]), squaredNorms: uniform([n], 0, 1, 1), gradientNorm: tf.zeros([]) },
    attrs: { learningRate: () => 0.01, clipNorm: 0.7, beta1: 0.9, beta2: 0.99, iteration: () => 3 },
  }));

  it('sums squares over any sizes', async () => {
    await expectNoLeak(async () => {
      const vectors = (...sizes: number[]) => sizes.map((size) => [size]);
      const cases = [vectors(1), vectors(3, 4, 5), [[1025], [64, 64], [257, 273], []], Array(20).fill([6])];
      for (const shapes of cases) {
        const tensors = shapes.map((shape, i) => random(shape, i + 1));
        const total = tf.tidy(() => tf.sum(runKernel(SquaredNorms, tensors, {}).squaredNorms));
        let expected = 0;
        for (const tensor of tensors) for (const value of await tensor.data()) expected += value ** 2;
        await expectClose(total, expected, OUTPUT_TOLERANCE, `shapes ${JSON.stringify(shapes)}`);
        tf.dispose([tensors, total]);
      }
    });
  });

  it('updates odd sizes, in several groups, as float64 does', async () => {
    await expectNoLeak(async () => {
      const sizes = [1, 3, 4, 5, 8, 1025, 1024, 2, 12];
      const { variables, gradients } = makeVariables(Object.fromEntries(sizes.map((size, i) => [`odd${i}`, [size]])));
      const names = Object.keys(variables);
      const references = await Promise.all(names.map((name) => referenceOf(variables[name]!)));
      const optimizer = train.adamW();
      for (let step = 0; step < 3; step++) {
        optimizer.applyGradients(gradients);
        for (const [i, name] of names.entries()) references[i]!.step(await gradients[name]!.data());
      }
      for (const [i, name] of names.entries()) {
        await expectClose(variables[name]!, references[i]!.values, OUTPUT_TOLERANCE, name);
      }
      expect(optimizer.iterations).to.equal(3);
      expect(optimizer.gradientNorm).to.equal(undefined);
      optimizer.dispose();
      tf.dispose([variables, gradients]);
    });
  });

  it('clips by the global norm', async () => {
    await expectNoLeak(async () => {
      const { variables, gradients } = makeVariables({ clipA: [33, 7], clipB: [1025], clipC: [] });
      const reference = await referenceOf(variables.clipA!);
      let squares = 0;
      for (const gradient of Object.values(gradients)) for (const g of await gradient.data()) squares += g ** 2;
      const norm = Math.sqrt(squares);
      const optimizer = train.adamW({ clipNorm: 0.5, epsilon: 0.01 });
      optimizer.applyGradients(gradients);
      reference.step(await gradients.clipA!.data(), { epsilon: 0.01, scale: 0.5 / (norm + 1e-6) });
      await expectClose(optimizer.gradientNorm!, norm, OUTPUT_TOLERANCE, 'norm');
      await expectClose(variables.clipA!, reference.values, OUTPUT_TOLERANCE, 'clipped');

      const gentle = Object.fromEntries(Object.entries(gradients).map(([name, g]) => [name, tf.mul(g, 0.01)]));
      optimizer.applyGradients(gentle);
      reference.step(await gentle.clipA!.data(), { epsilon: 0.01 });
      await expectClose(optimizer.gradientNorm!, norm * 0.01, OUTPUT_TOLERANCE, 'small norm');
      await expectClose(variables.clipA!, reference.values, OUTPUT_TOLERANCE, 'not clipped');
      optimizer.dispose();
      tf.dispose([variables, gradients, gentle]);
    });
  });

  it('leaves out variables from weight decay, by name or by function', async () => {
    const asked: string[] = [];
    const isVector = (name: string, variable: tf.Variable) => {
      asked.push(name);
      return variable.rank === 1;
    };
    for (const excludeFromWeightDecay of [['bias', 'norm'], isVector]) {
      await expectNoLeak(async () => {
        const { variables, gradients } = makeVariables({ 'l/weight': [4, 5], 'l/bias': [5], 'l/norm/scale': [5] });
        const references = await Promise.all(Object.values(variables).map(referenceOf));
        const optimizer = train.adamW({ weightDecay: 0.5, learningRate: 0.1, excludeFromWeightDecay });
        for (let step = 0; step < 2; step++) {
          optimizer.applyGradients(gradients);
          for (const [i, name] of Object.keys(variables).entries()) {
            const weightDecay = name === 'l/weight' ? 0.5 : 0;
            references[i]!.step(await gradients[name]!.data(), { learningRate: 0.1, weightDecay });
          }
        }
        for (const [i, name] of Object.keys(variables).entries()) {
          await expectClose(variables[name]!, references[i]!.values, OUTPUT_TOLERANCE, name);
        }
        optimizer.dispose();
        tf.dispose([variables, gradients]);
      });
    }
    expect(asked).to.deep.equal(['l/weight', 'l/bias', 'l/norm/scale']);
  });

  it('takes a new learning rate at any time', async () => {
    await expectNoLeak(async () => {
      const { variables, gradients } = makeVariables({ rate: [10] });
      const reference = await referenceOf(variables.rate!);
      const optimizer = train.adamW({ learningRate: 0.1 });
      for (const learningRate of [0.1, 0.03, 0, 0.2]) {
        optimizer.learningRate = learningRate;
        optimizer.applyGradients(gradients);
        reference.step(await gradients.rate!.data(), { learningRate });
      }
      await expectClose(variables.rate!, reference.values, OUTPUT_TOLERANCE);
      expectError(() => {
        optimizer.learningRate = -1;
      }, /^adamW: learningRate must be a finite number of at least 0, but got -1$/);
      expect(optimizer.learningRate).to.equal(0.2);
      optimizer.dispose();
      tf.dispose([variables, gradients]);
    });
  });

  it('leaves a variable without a gradient alone', async () => {
    await expectNoLeak(async () => {
      const { variables, gradients } = makeVariables({ used: [4], unused: [4] });
      const before = await variables.unused!.data();
      const optimizer = train.adamW();
      optimizer.applyGradients([
        { name: 'used', tensor: gradients.used! },
        { name: 'unused', tensor: undefined as never },
      ]);
      await expectClose(variables.unused!, before, 0);
      expect(
        (await optimizer.getWeights()).map(({ name, tensor }) => {
          if (name === 'iter') tensor.dispose();
          return name;
        }),
      ).to.deep.equal(['iter', 'used/m', 'used/v']);
      optimizer.dispose();
      tf.dispose([variables, gradients]);
    });
  });

  it('minimizes a loss of our ops', async () => {
    await expectNoLeak(async () => {
      const gamma = tf.tidy(() => tf.variable(tf.ones([8]), true, 'minimize/gamma'));
      const [x, target] = [random([16, 8]), random([16, 8], 2)];
      const loss = () => tf.sum(tf.squaredDifference(rmsNorm(x, gamma), target)) as tf.Scalar;
      const optimizer = train.adamW({ learningRate: 0.05, clipNorm: 10 });
      const losses: number[] = [];
      for (let step = 0; step < 20; step++) {
        const cost = step % 2 === 0 ? optimizer.minimize(loss, true)! : optimizer.minimize(loss, true, [gamma])!;
        losses.push((await cost.data())[0]!);
        cost.dispose();
      }
      expect(losses.at(-1)).to.be.below(losses[0]! * 0.8);
      optimizer.dispose();
      tf.dispose([gamma, x, target]);
    });
  });

  it('makes no tensors after its first step, in or out of a tidy', () => {
    expectNoLeak(() => {
      const { variables, gradients } = makeVariables({ leakA: [5], leakB: [3, 4], empty: [0, 4] });
      const optimizer = train.adamW({ clipNorm: 1 });
      tf.tidy(() => optimizer.applyGradients(gradients));
      expectNoLeak(() => {
        for (let step = 0; step < 3; step++) optimizer.applyGradients(gradients);
        tf.tidy(() => optimizer.applyGradients(gradients));
      });
      optimizer.dispose();
      tf.dispose([variables, gradients]);
    });
  });

  it('changes no clone, and no values that were read', async () => {
    await expectNoLeak(async () => {
      const { variables, gradients } = makeVariables({ shared: [6, 5], held: [7] });
      const optimizer = train.adamW({ learningRate: 0.5 });
      const initial = await variables.shared!.data();
      const clone = variables.shared!.clone();
      optimizer.applyGradients(gradients);
      await expectClose(clone, initial, 0, 'clone');
      const first = await variables.shared!.data();
      expect(first).not.to.deep.equal(initial);
      clone.dispose();

      // Read before, during and after steps that may work in place.
      const before = Float32Array.from(first);
      const pending = variables.shared!.data();
      optimizer.applyGradients(gradients);
      await expectClose(await pending, before, 0, 'a read under way');
      const second = Float32Array.from(await variables.shared!.data());
      expect(second).not.to.deep.equal(before);
      optimizer.applyGradients(gradients);
      expect(await variables.shared!.data()).not.to.deep.equal(second);

      const [, m] = await optimizer.getWeights().then((weights) => {
        weights[0]!.tensor.dispose();
        return weights.map(({ tensor }) => tensor);
      });
      const mClone = m!.clone();
      const mBefore = Float32Array.from(await mClone.data());
      optimizer.applyGradients(gradients);
      await expectClose(mClone, mBefore, 0, 'clone of m');
      optimizer.dispose();
      tf.dispose([variables, gradients, mClone]);
    });
  });

  it('goes on from saved weights, bit for bit, and repeats bit for bit', async () => {
    await expectNoLeak(async () => {
      const results: number[][] = [];
      for (const interrupted of [false, false, true]) {
        const { variables, gradients } = makeVariables({ goOnA: [33], goOnB: [8, 4] });
        let optimizer = train.adamW({ learningRate: 0.02, clipNorm: 1 });
        for (let step = 0; step < 2; step++) optimizer.applyGradients(gradients);
        if (interrupted) {
          const weights = await optimizer.getWeights();
          expect(weights.map(({ name }) => name)).to.deep.equal(['iter', 'goOnA/m', 'goOnB/m', 'goOnA/v', 'goOnB/v']);
          const saved = await Promise.all(
            weights.map(async ({ name, tensor }) => ({
              name,
              tensor: tf.tensor(Float32Array.from(await tensor.data()), tensor.shape, tensor.dtype as 'float32'),
            })),
          );
          weights[0]!.tensor.dispose();
          optimizer.dispose();
          optimizer = train.adamW({ learningRate: 0.02, clipNorm: 1 });
          await optimizer.setWeights(saved);
          tf.dispose(saved.map(({ tensor }) => tensor));
          expect(optimizer.iterations).to.equal(2);
        }
        for (let step = 0; step < 3; step++) optimizer.applyGradients(gradients);
        results.push([...(await variables.goOnA!.data()), ...(await variables.goOnB!.data())]);
        optimizer.dispose();
        tf.dispose([variables, gradients]);
      }
      expect(results[1]).to.deep.equal(results[0]);
      expect(results[2]).to.deep.equal(results[0]);
    });
  });

  it('takes over from tf.train.adam', async () => {
    await expectNoLeak(async () => {
      const { variables, gradients } = makeVariables({ adam: [9] });
      const reference = await referenceOf(variables.adam!);
      const adam = tf.train.adam(0.01);
      adam.applyGradients(gradients as never);
      const weights = await adam.getWeights();
      const optimizer = train.adamW({ learningRate: 0.01, weightDecay: 0 });
      await optimizer.setWeights(weights);
      weights[0]!.tensor.dispose();
      optimizer.applyGradients(gradients);
      for (let step = 0; step < 2; step++) {
        reference.step(await gradients.adam!.data(), { learningRate: 0.01, weightDecay: 0 });
      }
      await expectClose(variables.adam!, reference.values, 1e-5);
      adam.dispose();
      optimizer.dispose();
      tf.dispose([variables, gradients]);
    });
  });

  it('goes on in a model that was saved with its optimizer, to the same numbers', async () => {
    await expectNoLeak(async () => {
      const [x, y] = [random([12, 5]), random([12, 3], 2)];
      const makeModel = () => {
        const init = (seed: number) => tf.initializers.randomUniform({ minval: -1, maxval: 1, seed });
        const dense = (units: number, seed: number, inputShape?: number[]) =>
          tf.layers.dense({ units, inputShape, activation: 'tanh', kernelInitializer: init(seed) });
        return tf.sequential({ layers: [dense(4, 3, [5]), dense(3, 4)] });
      };
      const excludeFromWeightDecay = ['dense_Dense', '/bias'];
      const model = makeModel();
      const optimizer = train.adamW({ learningRate: 0.05, weightDecay: 0.3, excludeFromWeightDecay });
      model.compile({ loss: 'meanSquaredError', optimizer });
      const trainOn = (model: tf.LayersModel) =>
        model.fit(x, y, { epochs: 3, batchSize: 4, shuffle: false, verbose: 0 });
      await trainOn(model);
      let saved!: tf.io.ModelArtifacts;
      // tfjs-layers leaves the number of steps, which it asked for, behind.
      const { getWeights } = optimizer;
      const asked: tf.Tensor[] = [];
      optimizer.getWeights = async () => {
        const weights = await getWeights.call(optimizer);
        asked.push(weights[0]!.tensor);
        return weights;
      };
      const keepArtifacts = tf.io.withSaveHandler(async (artifacts) => {
        saved = JSON.parse(JSON.stringify({ ...artifacts, weightData: undefined })) as tf.io.ModelArtifacts;
        saved.weightData = artifacts.weightData;
        return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
      });
      await model.save(keepArtifacts, { includeOptimizer: true });
      const loaded = await tf.loadLayersModel(tf.io.fromMemory(saved));
      const config = loaded.optimizer.getConfig();
      expect(config).to.deep.equal(optimizer.getConfig());
      expect(loaded.optimizer).to.be.instanceOf(train.AdamWOptimizer);
      await trainOn(model);
      await trainOn(loaded);
      for (const [i, weight] of loaded.getWeights().entries()) await expectClose(weight, model.getWeights()[i]!, 0);
      loaded.optimizer.dispose();
      optimizer.dispose();
      model.dispose();
      loaded.dispose();
      tf.dispose([x, y, asked]);
    });
  });

  it('keeps saved moments for variables of other names only where all of them fit', async () => {
    await expectNoLeak(async () => {
      const first = makeVariables({ fitA: [3], fitB: [2, 2] });
      const saving = train.adamW({ learningRate: 0.1 });
      saving.applyGradients(first.gradients);
      const weights = await saving.getWeights();
      const momentsOf = async (shapes: Record<string, number[]>) => {
        const { variables, gradients } = makeVariables(shapes);
        const optimizer = train.adamW({ learningRate: 0.1 });
        await optimizer.setWeights(weights);
        optimizer.applyGradients(gradients);
        const [iterations, ...moments] = await optimizer.getWeights();
        const names = moments.map(({ name }) => name);
        optimizer.dispose();
        tf.dispose([variables, gradients, iterations!.tensor]);
        return names;
      };
      expect(await momentsOf({ newA: [3], newB: [2, 2] })).to.deep.equal(['newA/m', 'newB/m', 'newA/v', 'newB/v']);
      const both = ['fitA', 'fitB', 'newA', 'newB'];
      const moments = [...both.map((name) => `${name}/m`), ...both.map((name) => `${name}/v`)];
      expect(await momentsOf({ newA: [2, 2], newB: [3] })).to.deep.equal(moments);
      saving.dispose();
      tf.dispose([first as never, weights[0]!.tensor]);
    });
  });

  it('is a tf.Optimizer with a config', () => {
    const optimizer = train.adamW({ clipNorm: 1, excludeFromWeightDecay: ['bias'] });
    expect(optimizer).to.be.instanceOf(tf.Optimizer);
    expect(optimizer.getClassName()).to.equal('AdamW');
    const config = JSON.parse(JSON.stringify(optimizer.getConfig()));
    expect(config).to.deep.equal({
      learningRate: 0.001,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      weightDecay: 0.01,
      clipNorm: 1,
      excludeFromWeightDecay: ['bias'],
    });
    const again = train.AdamWOptimizer.fromConfig(train.AdamWOptimizer as never, config) as train.AdamWOptimizer;
    expect(again.getConfig()).to.deep.equal(optimizer.getConfig());
    expect(tf.serialization.SerializationMap.getMap().classNameMap.AdamW![0]).to.equal(train.AdamWOptimizer);
  });

  it('names what is wrong, and changes nothing then', async () => {
    await expectNoLeak(async () => {
      const { variables, gradients } = makeVariables({ wrong: [4], right: [4] });
      const before = Float32Array.from(await variables.right!.data());
      const optimizer = train.adamW({ clipNorm: 1 });
      const short = tf.zeros([3]);
      const integers = tf.zeros([4], 'int32');
      const disposed = tf.zeros([4]);
      disposed.dispose();
      const apply = (wrong: tf.Tensor) => () => optimizer.applyGradients({ right: gradients.right!, wrong });
      expectError(
        apply(short),
        /^adamW: the gradient of 'wrong' must be a float32 tensor of shape \[4\], but got a float32 tensor of shape \[3\]$/,
      );
      expectError(apply(integers), /^adamW: the gradient of 'wrong' must be a float32 tensor of shape \[4\]/);
      expectError(apply(disposed), /^adamW: the gradient of 'wrong' is a tensor that was disposed$/);
      expectError(
        () => optimizer.applyGradients({ right: gradients.right!, nobody: short }),
        /^adamW: there is no variable 'nobody'$/,
      );
      expectError(
        () => optimizer.applyGradients([1, 2].map(() => ({ name: 'right', tensor: gradients.right! }))),
        /^adamW: there are two gradients of 'right'$/,
      );
      await expectClose(variables.right!, before, 0);
      expect(optimizer.iterations).to.equal(0);
      await expectError(() => optimizer.setWeights([]), /^adamW: setWeights must find 'iter'/);
      await expectError(
        () =>
          optimizer.setWeights([
            { name: 'iter', tensor: short },
            { name: 'right/m', tensor: short },
          ]),
        /^adamW: setWeights misses 'right\/v'$/,
      );
      optimizer.applyGradients([]);
      expect(optimizer.iterations).to.equal(0);
      optimizer.dispose();
      tf.dispose([variables, gradients, short, integers]);
    });
  });

  it('checks its config', () => {
    const bad = (config: object, message: RegExp) => expectError(() => train.adamW(config), message);
    bad({ learning_rate: 1 }, /^adamW: unknown option 'learning_rate'; did you mean 'learningRate'\?$/);
    bad({ learningRate: -1 }, /^adamW: option 'learningRate' must be a finite number of at least 0, but got -1$/);
    bad({ beta2: 1 }, /^adamW: option 'beta2' must be a finite number in \[0, 1\), but got 1$/);
    bad({ clipNorm: 0 }, /^adamW: option 'clipNorm' must be a finite number above 0, but got 0$/);
    bad(
      { excludeFromWeightDecay: 'bias' },
      /^adamW: option 'excludeFromWeightDecay' must be an array of strings or a function, but got 'bias'$/,
    );
  });
});
