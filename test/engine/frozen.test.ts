/** What nobody asks for is not computed: counted by the kernels that run. */
import { expect } from 'chai';
import {
  crossEntropy,
  embedding,
  flashAttention,
  fusedLinearCrossEntropy,
  fusedLinearDpo,
  fusedLinearGrpo,
  layerNorm,
  linear,
  rmsNorm,
  softmax,
  swiglu,
  swigluMlp,
} from '../../src/index.js';
import { random } from '../support/against_composed.js';
import { backendName, tf } from '../support/backend.js';
import { expectClose, expectNoLeak, GRADIENT_TOLERANCE } from '../support/golden.js';

/** The names of the kernels, and on WebGPU of the programs, that run. */
async function namesOf(query: () => tf.TensorContainer): Promise<string[]> {
  const { kernels, result } = await tf.profile(query as () => tf.Tensor);
  tf.dispose(result);
  const programs = await Promise.all(kernels.map(({ extraInfo }) => extraInfo));
  return [
    ...kernels.map(({ name }) => name),
    ...programs.flatMap((text) => (text ? text.split(', ').map((program) => program.split(':')[0]!) : [])),
  ];
}

const count = (names: string[], name: string) => names.filter((each) => each === name).length;

/** A matmul of the composed kernels or of the WGSL ones. */
const matmuls = (names: string[]) => (backendName === 'webgpu' ? count(names, 'matmul') : count(names, 'BatchMatMul'));

describe('a frozen weight', () => {
  const labels = () => tf.tensor1d([0, 3, 1, 2, 4, 0], 'int32');

  it('costs linear no gradient, with an activation neither', async () => {
    await expectNoLeak(async () => {
      const [x, weight, bias] = [random([6, 4]), random([5, 4], 2), random([5], 3)];
      for (const activation of ['none', 'gelu'] as const) {
        const loss = () => tf.sum(linear(x, weight, { bias, activation })) as tf.Scalar;
        const all = await namesOf(() => tf.engine().gradients(loss, [x, weight, bias]) as never);
        expect([
          count(all, 'LigerLinearGradX'),
          count(all, 'LigerLinearGradWeight'),
          count(all, 'LigerBiasGrad'),
        ]).to.deep.equal([1, 1, 1]);
        const frozen = await namesOf(() => tf.engine().gradients(loss, [x]) as never);
        expect(count(frozen, 'LigerLinearGradX')).to.equal(1);
        expect(count(frozen, 'LigerLinearGradWeight')).to.equal(0);
        expect(count(frozen, 'LigerBiasGrad')).to.equal(0);
      }
      tf.dispose([x, weight, bias]);
    });
  });

  for (const reduction of ['mean', 'none'] as const) {
    it(`costs fusedLinearCrossEntropy no gradient, for the reduction '${reduction}'`, async () => {
      await expectNoLeak(async () => {
        const [x, weight, bias, target] = [random([6, 4]), random([5, 4], 2), random([5], 3), labels()];
        const loss = () => tf.sum(fusedLinearCrossEntropy(x, weight, target, { bias, reduction })) as tf.Scalar;
        const run = (xs: tf.Tensor[]) => namesOf(() => tf.engine().gradients(loss, xs) as never);
        const again = reduction === 'none' ? 1 : 0; // the logits are made again
        expect(matmuls(await run([x, weight, bias])), 'logits, dx and dweight').to.equal(3 + again);
        expect(matmuls(await run([x])), 'logits and dx').to.equal(2 + again);
        expect(matmuls(await run([weight])), 'logits and dweight').to.equal(2 + again);
        expect(matmuls(await run([bias])), 'logits').to.equal(1 + again);
        tf.dispose([x, weight, bias, target]);
      });
    });
  }

  it('costs losses of preferences and of policies no gradient, and a reference none at all', async () => {
    await expectNoLeak(async () => {
      const [x, weight, bias] = [random([2, 3, 4]), random([5, 4], 2), random([5], 3)];
      const tokens = tf.tensor2d([0, 3, 1, 2, 4, 0], [2, 3], 'int32');
      const mask = tf.ones([2, 3], 'int32');
      // The model of before, and hidden states that gradients are computed for.
      const reference = { refInput: x, refWeight: random([5, 4], 4) };
      for (const config of [{ bias }, { bias, ...reference }]) {
        const logits = 'refInput' in config ? 3 : 2; // of the forward pass, of the backward pass and of the reference
        for (const loss of [
          () => fusedLinearDpo(x, weight, tokens, config).loss,
          () => fusedLinearGrpo(x, weight, tokens, mask, [1, -2], config).loss,
        ]) {
          const run = (xs: tf.Tensor[]) => namesOf(() => tf.engine().gradients(loss as () => tf.Scalar, xs) as never);
          expect(matmuls(await run([x, weight, bias])), 'logits, dx and dweight').to.equal(logits + 2);
          expect(matmuls(await run([x])), 'logits and dx').to.equal(logits + 1);
          expect(matmuls(await run([weight])), 'logits and dweight').to.equal(logits + 1);
          expect(matmuls(await run([bias])), 'logits').to.equal(logits);
          expect(matmuls(await namesOf(() => tf.tidy(loss))), 'logits').to.equal(logits - 1);
        }
      }
      tf.dispose([x, weight, bias, tokens, mask, reference.refWeight]);
    });
  });

  it('is found through what was computed from others, in variables and in nested gradients', async () => {
    await expectNoLeak(async () => {
      const target = labels();
      const x = tf.tidy(() => tf.variable(random([6, 4]), true, 'frozen/x'));
      const weight = tf.tidy(() => tf.variable(random([5, 4], 2), false, 'frozen/weight'));
      const loss = () => fusedLinearCrossEntropy(tf.tanh(tf.mul(x, 2)), tf.mul(weight, 1), target);
      const frozen = await namesOf(() => tf.variableGrads(loss) as never);
      expect(matmuls(frozen), 'logits and dx').to.equal(2);

      const g = (x: tf.Tensor) => tf.grad((w: tf.Tensor) => fusedLinearCrossEntropy(x, w, target))(weight);
      const dweight = tf.tidy(() => tf.grad((x: tf.Tensor) => tf.sum(tf.mul(tf.square(x), tf.sum(g(x)))))(x));
      expect(dweight.shape).to.deep.equal([6, 4]);
      tf.dispose([x, weight, target, dweight]);
    });
  });

  it('is none after gradients of nothing were asked for', async () => {
    await expectNoLeak(async () => {
      const [x, weight, target] = [random([6, 4]), random([5, 4], 2), labels()];
      expect(() => tf.engine().gradients(() => tf.scalar(0), undefined as never)).to.throw();
      // A recording that `gradients` did not begin: what it will ask for is not known.
      const engine = tf.engine() as unknown as { startTape(): void; endTape(): void };
      engine.startTape();
      const names = await namesOf(() => fusedLinearCrossEntropy(x, weight, target));
      tf.dispose(tf.engine().state.activeTape.map(({ saved }) => saved ?? []));
      engine.endTape();
      expect(matmuls(names), 'logits, dx and dweight').to.equal(3);
      tf.dispose([x, weight, target]);
    });
  });

  it('ahead of those that train has nothing kept for the backward pass', async () => {
    await expectNoLeak(async () => {
      const [a, b, gamma, weight, table, q] = [
        ...[random([6, 8]), random([6, 8], 2), random([8], 3), random([8, 8], 4), random([9, 8], 5)],
        random([1, 6, 1, 8], 6),
      ];
      const [tokens, classes] = [tf.tensor1d([1, 2, 3, 0, 8, 1], 'int32'), labels()];
      const trunk: Record<string, () => tf.Tensor> = {
        rmsNorm: () => rmsNorm(a!, gamma),
        layerNorm: () => layerNorm(a!, gamma!, gamma!),
        swiglu: () => swiglu(a!, b!),
        linear: () => linear(a!, weight!),
        'linear, gelu': () => linear(a!, weight!, { activation: 'gelu' }),
        swigluMlp: () => swigluMlp(a!, weight!, weight!, weight!),
        embedding: () => embedding(table!, tokens),
        flashAttention: () => flashAttention(q!, q!, q!, { causal: true }),
        softmax: () => softmax(a!),
        crossEntropy: () => crossEntropy(a!, classes, { reduction: 'none' }),
      };
      for (const [name, layer] of Object.entries(trunk)) {
        const kept = (isFrozen: boolean) => {
          let bytes = 0;
          const loss = (x: tf.Tensor) => {
            const before = tf.memory().numBytes;
            const y = tf.tidy(layer);
            bytes = tf.memory().numBytes - before - 4 * y.size;
            return tf.mul(x, tf.sum(y)) as tf.Scalar;
          };
          const x = tf.scalar(2);
          const xs = isFrozen ? [x] : [x, a!, table!, q!];
          tf.dispose(tf.engine().gradients(() => loss(x), xs, undefined, true) as never);
          x.dispose();
          return bytes;
        };
        expect(kept(true), `${name}, frozen`).to.equal(0);
        if (['layerNorm', 'linear, gelu', 'swigluMlp', 'flashAttention'].includes(name)) {
          expect(kept(false), name).to.be.above(0);
        }
      }
      tf.dispose([a, b, gamma, weight, table, q, tokens, classes]);
    });
  });

  it('changes no number', async () => {
    await expectNoLeak(async () => {
      const [x, weight, gamma, target] = [random([6, 4]), random([5, 4], 2), random([4], 3), labels()];
      const loss = (x: tf.Tensor, weight: tf.Tensor, gamma: tf.Tensor) =>
        fusedLinearCrossEntropy(rmsNorm(x, gamma), weight, target);
      const all = tf.grads(loss as (...xs: tf.Tensor[]) => tf.Tensor)([x, weight, gamma]);
      const alone = [
        tf.grad((x: tf.Tensor) => loss(x, weight, gamma))(x),
        tf.grad((weight: tf.Tensor) => loss(x, weight, gamma))(weight),
        tf.grad((gamma: tf.Tensor) => loss(x, weight, gamma))(gamma),
      ];
      for (const [i, gradient] of alone.entries()) await expectClose(gradient, all[i]!, GRADIENT_TOLERANCE);
      tf.dispose([x, weight, gamma, target, all, alone]);
    });
  });

  // Composed kernels sum up with stock ops, which tell nothing.
  if (backendName === 'webgpu') {
    it('costs a norm no sum over rows', async () => {
      await expectNoLeak(async () => {
        const [x, gamma] = [random([6, 4]), random([4], 3)];
        const run = (xs: tf.Tensor[]) =>
          namesOf(() => tf.engine().gradients(() => tf.sum(rmsNorm(x, gamma)) as tf.Scalar, xs) as never);
        expect(count(await run([x, gamma]), 'columnSum')).to.equal(1);
        expect(count(await run([x]), 'columnSum')).to.equal(0);
        tf.dispose([x, gamma]);
      });
    });
  }
});
