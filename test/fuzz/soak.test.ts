import { expect } from 'chai';
import type { LigerWebGPUBackend } from '../../src/backend/webgpu_backend.js';
import { capture, crossEntropy, embedding, linear, rmsNorm, swiglu, train } from '../../src/index.js';
import { random } from '../support/against_composed.js';
import { submit, target, tf } from '../support/backend.js';
import { expectNoLeak } from '../support/golden.js';

// There is none in a browser.
const env = (globalThis as { process?: NodeJS.Process }).process?.env ?? {};
const isLong = env.LIGER_SOAK_STEPS !== undefined;
const steps = Number(env.LIGER_SOAK_STEPS ?? 60);
/** Lengths of sequences, which come in no order, and the steps after which each has been there. */
const [LENGTHS, SETTLED] = isLong ? [29, 50] : [11, 30];

/** What the pool may keep at least, and how much of what was used lately. */
const KEPT = 64 * 2 ** 20;
const SLACK = 1.5;

const lengthOf = (step: number) => 1 + ((step * 17) % LENGTHS);

function makeModel() {
  const [width, inner, classes] = [16, 32, 11];
  const shapes = {
    table: [classes, width],
    gamma: [width],
    gate: [inner, width],
    up: [inner, width],
    down: [width, inner],
  };
  const weights = Object.entries(shapes).map(([, shape], i) => tf.tidy(() => tf.variable(random(shape, i + 1))));
  const [table, gamma, gate, up, down] = weights as [tf.Variable, tf.Variable, tf.Variable, tf.Variable, tf.Variable];
  const optimizer = train.adamW({ learningRate: 0.01, clipNorm: 1 });
  const loss = (ids: tf.Tensor, labels: tf.Tensor) => {
    const x = embedding(table, ids);
    const normal = rmsNorm(x, gamma);
    const hidden = tf.add(x, linear(swiglu(linear(normal, gate), linear(normal, up)), down));
    return crossEntropy(linear(hidden, table), labels) as tf.Scalar;
  };
  return {
    step: (ids: tf.Tensor, labels: tf.Tensor) => optimizer.minimize(() => loss(ids, labels), true, weights)!,
    dispose() {
      optimizer.dispose();
      tf.dispose(weights);
    },
  };
}

/** What is there between steps. */
function held() {
  submit();
  const { numBytesUsed, numUsedBuffers, numBytesAllocated } = (tf.backend() as unknown as LigerWebGPUBackend).pool;
  const counts = { tensors: tf.memory().numTensors, dataIds: (tf.backend() as tf.KernelBackend).numDataIds() };
  return { counts: { ...counts, numBytesUsed, numUsedBuffers }, allocated: numBytesAllocated };
}

async function trainFor(isCaptured: boolean): Promise<number[]> {
  const model = makeModel();
  const step = isCaptured ? capture(model.step) : model.step;
  const losses: number[] = [];
  let settled: ReturnType<typeof held> | undefined;
  for (let i = 0; i < steps; i++) {
    const length = lengthOf(i);
    const text = Int32Array.from({ length: length + 1 }, (_, j) => (i + j * j) % 11);
    const [ids, labels] = [tf.tensor1d(text.slice(0, length), 'int32'), tf.tensor1d(text.slice(1), 'int32')];
    const loss = step(ids, labels);
    if (i % 10 === 9) losses.push((await loss.data())[0]!);
    tf.dispose([ids, labels, loss]);
    if (i + 1 === SETTLED) settled = held();
  }
  const { counts, allocated } = held();
  // The captured step has seen each length by then, and made what it keeps for it.
  expect(counts, isCaptured ? 'captured' : 'eager').to.deep.equal(settled!.counts);
  expect(allocated).to.be.at.most(Math.max(KEPT, SLACK * settled!.allocated));
  if ('dispose' in step) (step.dispose as () => void)();
  model.dispose();
  return losses;
}

if (target === 'webgpu') {
  describe('a long training', () => {
    it('takes no more memory in the end than after its first steps, and is the same captured', async function () {
      this.timeout(isLong ? 0 : 120_000);
      await expectNoLeak(async () => {
        const before = held().counts;
        const eager = await trainFor(false);
        expect(held().counts).to.deep.equal(before);
        const captured = await trainFor(true);
        expect(held().counts).to.deep.equal(before);
        expect(captured).to.deep.equal(eager);
      });
    });
  });
}
