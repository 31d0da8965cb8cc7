/** Losses of a head, beside the same of logits that exist as a whole. */
import * as tf from '@tensorflow/tfjs';
import * as liger from '../../src/index.js';
import { type BenchCase, forwardAndBackward } from '../harness/bench_case.js';
import { indices, noise } from '../harness/inputs.js';

/** Log-probabilities of the labels, [B, T]. */
function stockLogps(x: tf.Tensor, weight: tf.Tensor, labels: tf.Tensor): tf.Tensor {
  const hidden = x.shape.at(-1)!;
  const logits = tf.matMul(tf.reshape(x, [-1, hidden]), weight, false, true);
  const logP = tf.logSoftmax(logits as tf.Tensor2D);
  const hit = tf.oneHot(tf.reshape(labels, [-1]), weight.shape[0]!);
  return tf.reshape(tf.sum(tf.mul(hit, logP), -1), labels.shape);
}

const logSigmoid = (x: tf.Tensor) => tf.neg(tf.softplus(tf.neg(x)));

/** Σ p · (log p − log m) of rows of log-probabilities, as composed from stock ops. */
const stockKl = (logP: tf.Tensor, logM: tf.Tensor) => tf.sum(tf.mul(tf.exp(logP), tf.sub(logP, logM)), -1);

export function losses(quick: boolean): BenchCase[] {
  const [sequences, length, hidden, vocabulary] = quick ? [4, 16, 32, 500] : [8, 512, 1024, 50304];
  const rows = sequences * length;
  const shape = `${rows}×${hidden}×${vocabulary}`;
  const head = () => ({
    x: noise([sequences, length, hidden], 1),
    weight: noise([vocabulary, hidden], 3, 1 / Math.sqrt(hidden)),
    labels: indices([sequences, length], vocabulary, 5),
  });
  const withReference = () => ({
    ...head(),
    refInput: noise([sequences, length, hidden], 7),
    refWeight: noise([vocabulary, hidden], 9, 1 / Math.sqrt(hidden)),
  });
  const matrix = rows * vocabulary * 4;
  const product = 2 * rows * hidden * vocabulary;
  const common = { op: 'losses', timed: 'forward and backward' as const, stockBytes: 8 * matrix };
  const wanted = ['x', 'weight'] as const;
  const pairs = sequences / 2;
  const oldLogps = () => tf.fill([sequences, length], -Math.log(vocabulary));
  const mask = () => tf.ones([sequences, length], 'int32');
  const signs = Array.from({ length: sequences }, (_, i) => i % 2);
  const advantages = signs.map((sign) => 2 * sign - 1);

  return [
    {
      ...common,
      shape: `fusedLinearDpo ${shape}`,
      // The logits twice, the reference's, and the gradients of x and of the weight.
      operations: 5 * product,
      ours: forwardAndBackward(withReference, wanted, ({ x, weight, labels, refInput, refWeight }) => {
        return liger.fusedLinearDpo(x, weight, labels, { refInput, refWeight }).loss;
      }),
      stock: forwardAndBackward(withReference, wanted, ({ x, weight, labels, refInput, refWeight }) => {
        const ratio = tf.sub(
          tf.sum(stockLogps(x, weight, labels), 1),
          tf.sum(stockLogps(refInput, refWeight, labels), 1),
        );
        const margin = tf.sub(tf.slice(ratio, 0, pairs), tf.slice(ratio, pairs, pairs));
        return tf.neg(tf.mean(logSigmoid(tf.mul(margin, 0.1))));
      }),
    },
    {
      ...common,
      shape: `fusedLinearKto ${shape}`,
      operations: 5 * product,
      ours: forwardAndBackward(withReference, wanted, ({ x, weight, labels, refInput, refWeight }) => {
        return liger.fusedLinearKto(x, weight, labels, signs, { refInput, refWeight }).loss;
      }),
      stock: forwardAndBackward(withReference, wanted, ({ x, weight, labels, refInput, refWeight }) => {
        const ratio = tf.sub(
          tf.sum(stockLogps(x, weight, labels), 1),
          tf.sum(stockLogps(refInput, refWeight, labels), 1),
        );
        return tf.mean(tf.sigmoid(tf.mul(tf.mul(ratio, advantages), -0.1)));
      }),
    },
    {
      ...common,
      shape: `fusedLinearGrpo ${shape}`,
      operations: 5 * product,
      ours: forwardAndBackward(withReference, wanted, ({ x, weight, labels, refInput, refWeight }) => {
        return liger.fusedLinearGrpo(x, weight, labels, mask(), advantages, {
          ...{ refInput, refWeight, oldPerTokenLogps: oldLogps() },
        }).loss;
      }),
      stock: forwardAndBackward(withReference, wanted, ({ x, weight, labels, refInput, refWeight }) => {
        const logps = stockLogps(x, weight, labels);
        const ratio = tf.exp(tf.sub(logps, oldLogps()));
        const advantage = tf.tensor(advantages, [sequences, 1]);
        const gain = tf.minimum(tf.mul(ratio, advantage), tf.mul(tf.clipByValue(ratio, 0.8, 1.2), advantage));
        const distance = tf.sub(stockLogps(refInput, refWeight, labels), logps);
        const k3 = tf.sub(tf.sub(tf.exp(distance), distance), 1);
        return tf.mean(tf.sub(tf.mul(k3, 0.04), gain));
      }),
    },
    {
      ...common,
      shape: `fusedLinearJsd ${shape}`,
      // The logits of both, and the gradients of x and of the weight.
      operations: 4 * product,
      stockBytes: 12 * matrix,
      ours: forwardAndBackward(withReference, wanted, ({ x, weight, refInput, refWeight }) =>
        liger.fusedLinearJsd(x, weight, refInput, refWeight),
      ),
      stock: forwardAndBackward(withReference, wanted, ({ x, weight, refInput, refWeight }) => {
        const logP = (x: tf.Tensor, weight: tf.Tensor) =>
          tf.logSoftmax(tf.matMul(tf.reshape(x, [rows, hidden]), weight, false, true) as tf.Tensor2D);
        const [q, p] = [logP(x, weight), logP(refInput, refWeight)];
        const m = tf.log(tf.mul(tf.add(tf.exp(p), tf.exp(q)), 0.5));
        return tf.mul(tf.mean(tf.add(stockKl(p, m), stockKl(q, m))), 0.5);
      }),
    },
  ];
}
