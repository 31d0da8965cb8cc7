/** Gradients that are written over what the tape saved: where no one else holds it, and nowhere else. */
import { expect } from 'chai';
import fc from 'fast-check';
import type { LigerWebGPUBackend } from '../../src/backend/webgpu_backend.js';
import {
  capture,
  checkpoint,
  crossEntropy,
  fusedCrossEntropyTvd,
  logSoftmax,
  scaledCrossEntropy,
  softCrossEntropy,
} from '../../src/index.js';
import { oddSize, random, smallOddSize } from '../support/against_composed.js';
import { backendName, submit, target, tf, webgpuDevice } from '../support/backend.js';
import { expectClose, expectNoLeak } from '../support/golden.js';

/** Composed kernels write nothing in place. */
const isWebGPU = backendName === 'webgpu';

const labelsOf = (rows: number, vocabulary: number) =>
  tf.tensor1d(
    Array.from({ length: rows }, (_, i) => (i % 5 === 4 ? -100 : (i * 7 + 3) % vocabulary)),
    'int32',
  );

/** A scalar, in which each element of `y` has a share of its own. */
const weighted = (y: tf.Tensor) => tf.sum(tf.mul(y, random(y.shape, 8)));

/** What a loss is given: logits whose gradient is looked at, and what may be saved instead of them. */
type Loss = (logits: tf.Tensor, saves: (tensor: tf.Tensor) => void) => tf.Tensor;

/** Losses of [rows, vocabulary]. They make what they need beside the logits. */
const losses: Record<string, (rows: number, vocabulary: number) => Loss> = {
  crossEntropy: (rows, vocabulary) => (logits) => crossEntropy(logits, labelsOf(rows, vocabulary)),
  'crossEntropy with every option': (rows, vocabulary) => (logits) =>
    weighted(
      crossEntropy(logits, labelsOf(rows, vocabulary), {
        weight: tf.add(random([vocabulary], 2), 1.5),
        ...{ labelSmoothing: 0.1, lseSquareScale: 1e-3, softcap: 2, reduction: 'none' },
      }),
    ),
  softCrossEntropy: (rows, vocabulary) => (logits) => softCrossEntropy(logits, tf.relu(random([rows, vocabulary], 2))),
  'softCrossEntropy of integers': (rows, vocabulary) => (logits) =>
    weighted(
      softCrossEntropy(logits, tf.oneHot(labelsOf(rows, vocabulary), vocabulary), {
        ...{ labelSmoothing: 0.2, reduction: 'none' },
      }),
    ),
  scaledCrossEntropy: (rows, vocabulary) => (logits) => {
    const { nll, entropy } = scaledCrossEntropy(logits, labelsOf(rows, vocabulary), { returnEntropy: true });
    return tf.add(weighted(nll), tf.sum(entropy));
  },
  fusedCrossEntropyTvd: (rows, vocabulary) => (logits) => {
    const other = random([rows, vocabulary], 2);
    const { crossEntropy, tvd } = fusedCrossEntropyTvd(logits, other, labelsOf(rows, vocabulary));
    return tf.add(weighted(crossEntropy), tf.sum(tvd));
  },
  logSoftmax: () => (logits, saves) => {
    const y = logSoftmax(logits);
    saves(y);
    return weighted(y);
  },
};

/**
 * The gradient of a loss of logits that are computed from x, and whether it lies where what was saved did. `hold` may keep the logits,
 * or what the loss saves instead of them.
 */
function gradientOf(loss: Loss, x: tf.Tensor, hold: (saved: tf.Tensor) => void = () => {}) {
  let saved: object | undefined;
  let isInPlace = false;
  const note = (tensor: tf.Tensor) => {
    saved = tensor.dataId;
    hold(tensor);
  };
  const compute = tf.customGrad((x) => ({
    value: tf.mul(x as tf.Tensor, 1),
    gradFunc: (dy) => {
      isInPlace = dy.dataId === saved;
      return tf.clone(dy);
    },
  }));
  const f = (x: tf.Tensor) => {
    const logits = compute(x);
    let savesOther = false;
    const value = loss(logits, (tensor) => {
      savesOther = true;
      note(tensor);
    });
    if (!savesOther) note(logits);
    return value;
  };
  const gradient = tf.tidy(() => tf.grad(f)(x));
  return { gradient, isInPlace };
}

const [ROWS, VOCABULARY] = [6, 12];
const usual = losses.crossEntropy!(ROWS, VOCABULARY);
const inputs = () => tf.tidy(() => tf.mul(random([ROWS, VOCABULARY]), 4));

describe('a gradient in the place of what was saved', () => {
  for (const [name, lossOf] of Object.entries(losses)) {
    it(`of ${name} is bit for bit that beside it`, async () => {
      await fc.assert(
        fc.asyncProperty(
          smallOddSize,
          oddSize.filter((size) => size > 1),
          async (rows, vocabulary) => {
            await expectNoLeak(async () => {
              const x = tf.tidy(() => tf.mul(random([rows, vocabulary]), 4));
              const before = await x.data();
              const over = gradientOf(lossOf(rows, vocabulary), x);
              const kept: tf.Tensor[] = [];
              const beside = gradientOf(lossOf(rows, vocabulary), x, (saved) => kept.push(tf.keep(saved.clone())));
              expect(over.isInPlace, 'of what no one holds').to.equal(isWebGPU);
              expect(beside.isInPlace, 'of what was kept').to.equal(false);
              expect([...(await over.gradient.data())]).to.deep.equal([...(await beside.gradient.data())]);
              if (name !== 'logSoftmax') await expectClose(kept[0]!, [...before], 0, 'logits that were kept');
              tf.dispose([x, over.gradient, beside.gradient, kept]);
            });
          },
        ),
        { numRuns: 6, seed: 1, endOnFailure: true },
      );
    });
  }

  if (target === 'webgpu') {
    it('needs no memory beside the logits and what is given', async () => {
      const [rows, vocabulary] = [256, 2048];
      const [x, weight, labels, oneHot, floats] = tf.tidy(() => {
        const labels = labelsOf(rows, vocabulary);
        const oneHot = tf.oneHot(labels, vocabulary);
        return [random([rows, 4]), random([4, vocabulary], 2), labels, oneHot, tf.mul(oneHot, 1)] as tf.Tensor[];
      });
      const given: Record<string, (logits: tf.Tensor) => tf.Tensor> = {
        crossEntropy: (logits) => crossEntropy(logits, labels!),
        softCrossEntropy: (logits) => softCrossEntropy(logits, floats!),
        'softCrossEntropy of integers': (logits) => softCrossEntropy(logits, oneHot!),
        'softCrossEntropy of integers that were cast': (logits) =>
          softCrossEntropy(logits, tf.cast(oneHot!, 'float32')),
        scaledCrossEntropy: (logits) => tf.sum(scaledCrossEntropy(logits, labels!).nll),
        fusedCrossEntropyTvd: (logits) => tf.sum(fusedCrossEntropyTvd(logits, floats!, labels!).crossEntropy),
      };
      const memory = () => tf.memory() as unknown as { peakBytesInGPU: number; numBytesInGPU: number };
      for (const [name, loss] of Object.entries(given)) {
        const gradients = () =>
          tf.tidy(() => tf.grads((x: tf.Tensor, weight: tf.Tensor) => loss(tf.matMul(x, weight)))([x!, weight!]));
        tf.dispose(gradients()); // what is uploaded is there from here on
        submit();
        (tf.backend() as LigerWebGPUBackend).resetPeakMemory();
        const before = memory().numBytesInGPU;
        tf.dispose(gradients());
        const sizes = (memory().peakBytesInGPU - before) / (4 * rows * vocabulary);
        expect(sizes, `${name}: sizes of the logits`).to.be.below(1.5);
      }
      tf.dispose([x!, weight!, labels!, oneHot!, floats!]);
    });
  }

  it('is never that of a variable, or of a reshape of a tensor that lives', async () => {
    await expectNoLeak(async () => {
      const x = inputs();
      const values = [...(await x.data())];
      const { gradient: expected } = gradientOf(usual, x);
      const variable = tf.variable(x);
      const { value, grads } = tf.variableGrads(() => usual(variable, () => {}) as tf.Scalar, [variable]);
      const ofCube = tf.tidy(() =>
        tf.grad((x: tf.Tensor) => usual(tf.reshape(x, [ROWS, VOCABULARY]), () => {}))(
          tf.reshape(x, [2, 3, VOCABULARY]),
        ),
      );
      for (const gradient of [grads[variable.name]!, ofCube]) {
        await expectClose(gradient, [...(await expected.data())], 0);
      }
      await expectClose(variable, values, 0, 'the variable');
      await expectClose(x, values, 0, 'x');
      tf.dispose([x, expected, variable as tf.Tensor, value, grads, ofCube]);
    });
  });

  it('is that of a variable whose value was replaced since', async () => {
    await expectNoLeak(async () => {
      const x = inputs();
      const { gradient: expected } = gradientOf(usual, x);
      const variable = tf.tidy(() => tf.variable(tf.mul(x, 1)));
      const { value, grads } = tf.variableGrads(() => {
        const loss = usual(variable, () => {});
        variable.assign(tf.ones([ROWS, VOCABULARY]));
        return loss as tf.Scalar;
      }, [variable]);
      await expectClose(grads[variable.name]!, [...(await expected.data())], 0);
      await expectClose(variable, Array(ROWS * VOCABULARY).fill(1), 0);
      tf.dispose([x, expected, variable as tf.Tensor, value, grads]);
    });
  });

  it('leaves logits to the other losses of theirs, and adds up', async () => {
    await expectNoLeak(async () => {
      const x = inputs();
      const others = ['softCrossEntropy', 'scaledCrossEntropy', 'crossEntropy'].map((name) =>
        losses[name]!(ROWS, VOCABULARY),
      );
      const all: Loss = (logits, saves) => {
        const [a, b, c] = others.map((loss) => loss(logits, saves));
        return tf.add(tf.add(a!, b!), c!);
      };
      const sum = gradientOf(all, x);
      // The last loss comes first.
      const parts = others.map((loss) => gradientOf(loss, x).gradient);
      const expected = tf.tidy(() => tf.add(tf.add(parts[2]!, parts[1]!), parts[0]!));
      await expectClose(sum.gradient, [...(await expected.data())], 0);
      tf.dispose([x, sum.gradient, parts, expected]);
    });
  });

  it('leaves alone what is saved as both inputs', async () => {
    await expectNoLeak(async () => {
      const x = inputs();
      const { gradient, isInPlace } = gradientOf((logits) => softCrossEntropy(logits, tf.exp(logits)), x);
      const same = gradientOf((logits) => softCrossEntropy(logits, logits), x);
      expect(isInPlace).to.equal(false); // exp has saved, and its gradient is added
      expect(same.isInPlace).to.equal(false);
      const expected = tf.tidy(() => {
        const lse = tf.logSumExp(x, -1, true);
        const p = tf.exp(tf.sub(x, lse));
        const dlogits = tf.sub(tf.mul(p, tf.sum(x, -1, true)), x);
        return tf.div(tf.add(dlogits, tf.sub(lse, x)), ROWS);
      });
      await expectClose(same.gradient, [...(await expected.data())], 1e-5);
      tf.dispose([x, gradient, same.gradient, expected]);
    });
  });

  it('waits for the outermost tape', async () => {
    await expectNoLeak(async () => {
      const x = inputs();
      const { gradient: expected } = gradientOf(usual, x);
      const wanted = [...(await expected.data())];
      const another = random([ROWS, VOCABULARY]);
      // The outer pass comes to the inner one's nodes again.
      const inner: Array<{ gradient: tf.Tensor; isInPlace: boolean }> = [];
      const outer = tf.tidy(() =>
        tf.grad((x: tf.Tensor) => {
          const logits = tf.mul(x, 1);
          const { value, grad } = tf.valueAndGrad((z: tf.Tensor) => usual(tf.mul(z, 1), () => {}))(logits);
          inner.push({ gradient: tf.keep(grad), isInPlace: false });
          const other = gradientOf(usual, another);
          inner.push({ ...other, gradient: tf.keep(other.gradient) });
          return value;
        })(x),
      );
      expect(inner[1]!.isInPlace, 'within another tape').to.equal(false);
      await expectClose(inner[0]!.gradient, wanted, 0, 'of the inner tape');
      await expectClose(outer, wanted, 0, 'of the outer tape');
      tf.dispose([x, expected, another, outer, inner.map(({ gradient }) => gradient)]);
    });
  });

  it('is there in the backward pass of a customGrad, which keeps what it saved', async () => {
    await expectNoLeak(async () => {
      const x = inputs();
      const { gradient: expected } = gradientOf(usual, x);
      const wanted = [...(await expected.data())];
      const within: boolean[] = [];
      const custom = tf.customGrad((x, save) => {
        (save as tf.GradSaveFunc)([x as tf.Tensor]);
        return {
          value: tf.sum(x as tf.Tensor),
          gradFunc: (_, [saved]) => {
            const direct = tf.grad((z: tf.Tensor) => usual(z, () => {}))(saved!);
            const { gradient, isInPlace } = gradientOf(usual, saved!);
            within.push(isInPlace);
            return tf.div(tf.add(direct, gradient), 2);
          },
        };
      });
      const gradient = tf.tidy(() => tf.grad((x: tf.Tensor) => custom(tf.mul(x, 1)))(x));
      expect(within).to.deep.equal([isWebGPU]);
      await expectClose(gradient, wanted, 0);
      tf.dispose([x, expected, gradient]);
    });
  });

  it('is there in a part that is computed again, but not of what that was given', async () => {
    await expectNoLeak(async () => {
      const x = inputs();
      const { gradient: expected } = gradientOf(usual, x);
      const wanted = [...(await expected.data())];
      const whole = tf.tidy(() => tf.grad((x: tf.Tensor) => checkpoint((x) => usual(tf.mul(x, 1), () => {}), x))(x));
      const twice: Loss = (logits) =>
        checkpoint(
          (given) =>
            tf.add(
              usual(given, () => {}),
              usual(given, () => {}),
            ),
          logits,
        );
      const ofGiven = gradientOf(twice, x);
      const doubled = tf.tidy(() => tf.mul(expected, 2));
      await expectClose(whole, wanted, 0);
      await expectClose(ofGiven.gradient, [...(await doubled.data())], 0);
      tf.dispose([x, expected, whole, ofGiven.gradient, doubled]);
    });
  });

  it('is scaled by the dy that tf.grads is given', async () => {
    await expectNoLeak(async () => {
      const x = inputs();
      const labels = labelsOf(ROWS, VOCABULARY);
      const dy = random([ROWS], 5);
      const f = (x: tf.Tensor) => crossEntropy(tf.mul(x, 1), labels, { reduction: 'none' });
      const beside = (x: tf.Tensor) => crossEntropy(tf.reshape(x, x.shape), labels, { reduction: 'none' });
      const [over] = tf.tidy(() => tf.grads(f)([x], dy));
      const [expected] = tf.tidy(() => tf.grads(beside)([x], dy));
      await expectClose(over!, [...(await expected!.data())], 0);
      tf.dispose([x, labels, dy, over!, expected!]);
    });
  });

  /** The gradient of logits that no one holds by the time of the backward pass. */
  const consuming = (x: tf.Tensor) =>
    tf.tidy(() =>
      tf.grad((x: tf.Tensor) => {
        const loss = usual(x, () => {});
        x.dispose();
        return loss;
      })(x),
    );

  it('is read, and not what was read of the logits before', async () => {
    await expectNoLeak(async () => {
      const x = inputs();
      const { gradient: expected } = gradientOf(usual, x);
      const [wanted, values] = [[...(await expected.data())], [...(await x.data())]];
      // Few numbers are multiplied in JavaScript, but not by a matrix.
      const onDevice = () => tf.tidy(() => tf.matMul(x, tf.eye(VOCABULARY)));
      const [known, coming, uploaded] = [onDevice(), onDevice(), tf.tensor2d(values, [ROWS, VOCABULARY])];
      await known.data();
      const reading = coming.data();
      const gradients = [known, coming, uploaded].map(consuming);
      expect([...(await reading)]).to.deep.equal(values);
      for (const gradient of gradients) await expectClose(gradient, wanted, 0);
      tf.dispose([x, expected, gradients]);
    });
  });

  it('is a tensor of floats where tfjs cast integers', async () => {
    await expectNoLeak(async () => {
      const numbers = Array.from({ length: ROWS * VOCABULARY }, (_, i) => ((i * 7) % 11) - 5);
      const [x, integers] = (['float32', 'int32'] as const).map((dtype) =>
        tf.tensor2d(numbers, [ROWS, VOCABULARY], dtype),
      );
      const { gradient: expected } = gradientOf(usual, x!);
      const cast = tf.cast(integers!, 'float32');
      integers!.dispose();
      const gradient = consuming(cast);
      await expectClose(gradient, [...(await expected.data())], 0);
      tf.dispose([x!, expected, gradient]);
    });
  });

  it('leaves the numbers of a captured step as they are, those that it uploads once among them', async () => {
    await expectNoLeak(async () => {
      const x = inputs();
      const values = [...(await x.data())];
      const { gradient: expected } = gradientOf(usual, x);
      const wanted = [...(await expected.data())];
      const wereInPlace: boolean[] = [];
      const computed = capture((x: tf.Tensor) => {
        const { gradient, isInPlace } = gradientOf(usual, x);
        wereInPlace.push(isInPlace);
        return gradient;
      });
      const constant = capture((x: tf.Tensor) =>
        tf.add(consuming(tf.tensor2d(values, [ROWS, VOCABULARY])), tf.mul(x, 0)),
      );
      for (let call = 0; call < 5; call++) {
        for (const step of [computed, constant]) {
          const gradient = step(x);
          await expectClose(gradient, wanted, 0, `call ${call}`);
          gradient.dispose();
        }
      }
      for (const isInPlace of wereInPlace) expect(isInPlace).to.equal(isWebGPU);
      computed.dispose();
      constant.dispose();
      tf.dispose([x, expected]);
    });
  });

  if (isWebGPU) {
    it("is not written to a buffer of the user's own", async () => {
      await expectNoLeak(async () => {
        const x = inputs();
        const { gradient: expected } = gradientOf(usual, x);
        const device = webgpuDevice();
        const buffer = device.createBuffer({
          size: 4 * ROWS * VOCABULARY,
          usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
        });
        device.queue.writeBuffer(buffer, 0, new Float32Array(await x.data()));
        const gradient = consuming(tf.tensor({ buffer, zeroCopy: true }, [ROWS, VOCABULARY], 'float32'));
        const after = tf.tensor({ buffer }, [ROWS, VOCABULARY], 'float32');
        await expectClose(gradient, [...(await expected.data())], 0);
        await expectClose(after, [...(await x.data())], 0);
        tf.dispose([x, expected, gradient, after]);
        submit();
        await device.queue.onSubmittedWorkDone();
        buffer.destroy();
      });
    });
  }
});
