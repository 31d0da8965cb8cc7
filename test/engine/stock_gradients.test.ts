/** The gradients of stock ops that losses bring for those who have tfjs-core alone, against those of @tensorflow/tfjs. */
import { expect } from 'chai';
import { stockGradients } from '../../src/engine/stock_gradients.js';
import { random } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { expectClose, expectNoLeak, OUTPUT_TOLERANCE } from '../support/golden.js';

interface Call {
  inputs: Record<string, tf.Tensor>;
  attrs?: object;
}

/** What is broadcast to what: rows to a matrix, a scalar, and both to what neither is. */
const BROADCASTS: ReadonlyArray<readonly [a: number[], b: number[]]> = [
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
];

const binary = (seed = 1): Array<() => Call> =>
  BROADCASTS.map(([a, b]) => () => ({ inputs: { a: random(a, seed), b: random(b, seed + 1) } }));

/** Of which some elements are equal. */
const ties = (): Call => ({ inputs: { a: tf.tensor1d([1, 2, 3]), b: tf.tensor1d([2, 2, 2]) } });

const unary = (attrs?: object, make = () => random([2, 3])) => [() => ({ inputs: { x: make() }, attrs })];
const positive = () => tf.tidy(() => tf.add(random([2, 3]), 1.5));

/** Calls of each op. */
const CALLS: Readonly<Record<string, ReadonlyArray<() => Call>>> = {
  [tf.Add]: binary(),
  [tf.Sub]: binary(),
  [tf.Multiply]: binary(),
  [tf.RealDiv]: binary(),
  [tf.Maximum]: [...binary(), ties],
  [tf.Minimum]: [...binary(), ties],
  [tf.Neg]: unary(),
  [tf.Square]: unary(),
  [tf.Exp]: unary(),
  [tf.Log]: unary({}, positive),
  [tf.Sigmoid]: unary(),
  // Of which two elements are the bounds themselves.
  [tf.ClipByValue]: unary({ clipValueMin: -0.5, clipValueMax: 0.25 }, () => tf.tensor1d([-1, -0.5, 0, 0.25, 1])),
  [tf.Sum]: [{ axis: 0 }, { axis: [1] }, { axis: [0, 1] }, { axis: -1, keepDims: true }].flatMap((attrs) =>
    unary(attrs),
  ),
  [tf.Identity]: unary(),
  [tf.Cast]: unary({ dtype: 'float32' }),
  [tf.Reshape]: unary({ shape: [3, 2] }),
  [tf.ExpandDims]: [() => ({ inputs: { input: random([2, 3]) }, attrs: { dim: 1 } })],
  [tf.Slice]: [
    { begin: [0, 1], size: [2, 1] },
    { begin: [1], size: [-1] },
  ].flatMap((attrs) => unary(attrs)),
  [tf.PadV2]: unary({
    paddings: [
      [1, 0],
      [0, 2],
    ],
    constantValue: 3,
  }),
  [tf.Select]: [
    () => ({
      inputs: {
        condition: tf.tensor2d(
          [
            [1, 0, 1],
            [0, 0, 1],
          ],
          [2, 3],
          'bool',
        ),
        t: random([2, 3]),
        e: random([2, 3], 2),
      },
    }),
  ],
};

/** The gradients that a GradConfig gives for a call, each next to the input's name. */
function gradientsBy(
  { kernelName, inputsToSave = [], outputsToSave = [], gradFunc, saveAllInputs }: tf.GradConfig,
  { inputs, attrs = {} }: Call,
) {
  return tf.tidy(() => {
    const output = tf.engine().runKernel(kernelName, inputs, attrs as tf.NamedAttrMap) as tf.Tensor;
    const saved = [
      ...(saveAllInputs ? Object.values(inputs) : inputsToSave.map((name) => inputs[name]!)),
      ...(outputsToSave[0] ? [output] : []),
    ];
    const slopes = gradFunc(random(output.shape, 9), saved, attrs as tf.NamedAttrMap);
    const names = Object.keys(inputs).filter((name) => inputs[name]!.dtype === 'float32');
    return Object.fromEntries(names.map((name) => [name, slopes[name]!()]));
  });
}

/** tfjs leaves the gradients of what is broadcast to a maximum or a minimum as large as that. */
const summedTo = (shape: number[], gradient: tf.Tensor) =>
  tf.tidy(() => tf.reshape(tf.sum(gradient, tf.backend_util.getReductionAxes(shape, gradient.shape)), shape));

describe('stock gradients', () => {
  it('are all tried', () => {
    expect(Object.keys(CALLS).sort()).to.deep.equal(stockGradients.map(({ kernelName }) => kernelName).sort());
  });

  for (const own of stockGradients) {
    it(`of ${own.kernelName} are those of @tensorflow/tfjs`, async () => {
      await expectNoLeak(async () => {
        const theirs = tf.getGradient(own.kernelName)!;
        expect(theirs, 'another one than ours').not.to.equal(own);
        for (const makeCall of CALLS[own.kernelName]!) {
          const call = makeCall();
          const [actual, expected] = [gradientsBy(own, call), gradientsBy(theirs, call)];
          for (const [name, gradient] of Object.entries(actual)) {
            expect(gradient.dtype, `gradient of ${name}: dtype`).to.equal('float32');
            const summed = summedTo(call.inputs[name]!.shape, expected[name]!);
            await expectClose(gradient, summed, OUTPUT_TOLERANCE, `gradient of ${name}`);
            summed.dispose();
          }
          tf.dispose([call.inputs, actual, expected] as tf.TensorContainer);
        }
      });
    });
  }
});
