import { expect } from 'chai';
import { mixtureOfExperts } from '../../src/layers/index.js';
import { tf } from '../support/backend.js';
import { expectClose, expectError, GRADIENT_TOLERANCE } from '../support/golden.js';
import { describeLayer } from './describe_layer.js';
import { referenceLinear } from './reference_attention.js';

const [BATCH, LENGTH, SIZE, INNER, EXPERTS, CHOSEN] = [2, 3, 4, 3, 4, 2];
/** Of sums in another order. */
const TOLERANCE = 5e-6;

const make = (args?: object) =>
  mixtureOfExperts({ numExperts: EXPERTS, expertsPerToken: CHOSEN, intermediateSize: INNER, ...args });
const input = () => tf.randomNormal([BATCH, LENGTH, SIZE], 0, 1, 'float32', 1);

const probabilitiesOf = (x: tf.Tensor, router: tf.Tensor) => tf.softmax(referenceLinear(x, router));

/** 1 for the experts that a token goes through, [..., E]. */
function chosenOf(x: tf.Tensor, router: tf.Tensor): tf.Tensor {
  const probabilities = probabilitiesOf(x, router);
  const least = tf.min(tf.topk(probabilities, CHOSEN).values, -1, true);
  return tf.cast(tf.greaterEqual(probabilities, least), 'float32');
}

/** Every expert of every token, times its weight. */
function reference(
  x: tf.Tensor,
  weights: tf.Tensor[],
  chosen = chosenOf(x, weights[0]!),
  isNormalized = true,
): tf.Tensor {
  const [router, gateUp, down] = weights as [tf.Tensor, tf.Tensor, tf.Tensor];
  const picked = tf.mul(probabilitiesOf(x, router), chosen);
  const shares = isNormalized ? tf.div(picked, tf.sum(picked, -1, true)) : picked;
  const parts = tf.split(shares, EXPERTS, 2).map((share, expert) => {
    const matrix = (stack: tf.Tensor, first: number, rows: number) =>
      tf.squeeze(tf.slice(stack, [expert, first, 0], [1, rows, stack.shape[2]!]), [0]);
    const gate = referenceLinear(x, matrix(gateUp, 0, INNER));
    const inner = tf.mul(tf.mul(gate, tf.sigmoid(gate)), referenceLinear(x, matrix(gateUp, INNER, INNER)));
    return tf.mul(referenceLinear(inner, matrix(down, 0, SIZE)), share);
  });
  return tf.addN(parts);
}

describeLayer({
  name: 'mixtureOfExperts',
  make: (args) => make({ auxLossWeight: 0.1, ...args }),
  inputShape: [LENGTH, SIZE],
  weights: {
    router_kernel: [EXPERTS, SIZE],
    gate_up_kernel: [EXPERTS, 2 * INNER, SIZE],
    down_kernel: [EXPERTS, SIZE, INNER],
  },
  reference: (x, weights) => reference(x, weights),
  tolerance: TOLERANCE,
});

describe('layers.mixtureOfExperts', () => {
  it('has gradients of its input and weights, the router among them', async () => {
    for (const normalizeTopK of [true, false]) {
      const layer = make({ normalizeTopK });
      const x = tf.variable(input());
      layer.build(x.shape);
      const weights = layer.weights.map((weight) => weight.read() as tf.Variable);
      const dy = tf.randomNormal(x.shape, 0, 1, 'float32', 2);
      const chosen = chosenOf(x, weights[0]!);
      const gradientsOf = (f: () => tf.Tensor) =>
        Object.values(tf.variableGrads(() => tf.sum(tf.mul(f(), dy)), [x, ...weights]).grads);
      const grads = gradientsOf(() => layer.apply(x) as tf.Tensor);
      const wanted = gradientsOf(() => reference(x, weights, chosen, normalizeTopK));
      expect(grads.length).to.equal(4);
      for (const [i, grad] of grads.entries()) await expectClose(grad, wanted[i]!, GRADIENT_TOLERANCE, `gradient ${i}`);
    }
  });

  it('adds a loss that balances the experts', async () => {
    const losses: number[] = [];
    for (const auxLossWeight of [0, 0.5]) {
      const layer = make({ auxLossWeight, inputShape: [LENGTH, SIZE], kernelInitializer: 'zeros' });
      const model = tf.sequential({ layers: [layer] });
      model.compile({ optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError' });
      layer.setWeights(
        layer.getWeights().map((weight, i) => (i === 0 ? tf.randomNormal(weight.shape, 0, 1, 'float32', 3) : weight)),
      );
      const router = tf.clone(layer.getWeights()[0]!);
      const { history } = await model.fit(input(), input(), { epochs: 1, verbose: 0, shuffle: false });
      losses.push(history.loss![0] as number);
      const change = await tf.sum(tf.abs(tf.sub(layer.getWeights()[0]!, router))).data();
      // What experts give is 0 at first: the loss alone moves the router.
      expect(change[0]! > 0).to.equal(auxLossWeight > 0);
      if (auxLossWeight === 0) continue;
      const f = tf.sum(tf.mean(tf.reshape(chosenOf(input(), router), [-1, EXPERTS]), 0, true), 0);
      const p = tf.mean(tf.reshape(probabilitiesOf(input(), router), [-1, EXPERTS]), 0);
      const wanted = await tf.mul(tf.sum(tf.mul(f, p)), EXPERTS * auxLossWeight).data();
      expect(losses[1]! - losses[0]!).to.be.closeTo(wanted[0]!, 1e-5);
    }
  });

  it('begins each expert by its own size and seed', async () => {
    const layer = make({ kernelInitializer: tf.initializers.heNormal({ seed: 3 }) });
    layer.build([null, SIZE]);
    const first = tf.squeeze(tf.slice(layer.getWeights()[2]!, [0, 0, 0], [1, SIZE, INNER]), [0]);
    const second = tf.squeeze(tf.slice(layer.getWeights()[2]!, [1, 0, 0], [1, SIZE, INNER]), [0]);
    await expectClose(first, tf.transpose(tf.initializers.heNormal({ seed: 3 }).apply([INNER, SIZE])), 0);
    await expectClose(second, tf.transpose(tf.initializers.heNormal({ seed: 4 }).apply([INNER, SIZE])), 0);
  });

  it('has no fewer experts than a token goes through', () => {
    expectError(() => make({ expertsPerToken: 5 }), /expertsPerToken must be at most numExperts = 4, but is 5/);
  });
});
