import { expect } from 'chai';
import {
  crossEntropy,
  fusedLinearDistillation,
  fusedLinearJsd,
  fusedLinearJsdDistillation,
  fusedLinearKlDiv,
} from '../../src/index.js';
import { random } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { expectClose, expectError, expectNoLeak, GRADIENT_TOLERANCE, OUTPUT_TOLERANCE } from '../support/golden.js';

const [TOKENS, CLASSES, HIDDEN, TEACHER_HIDDEN] = [7, 9, 4, 6];

const modelsOf = (teacherClasses = CLASSES) => ({
  studentInput: random([TOKENS, HIDDEN], 1),
  studentWeight: random([CLASSES, HIDDEN], 2),
  studentBias: random([CLASSES], 3),
  teacherInput: random([TOKENS, TEACHER_HIDDEN], 4),
  teacherWeight: random([teacherClasses, TEACHER_HIDDEN], 5),
  labels: tf.tensor1d([0, 3, -100, 8, 1, -100, 5], 'int32'),
});
type Models = ReturnType<typeof modelsOf>;

/** The loss, and its gradients in what the student has. */
function lossAndGradients(models: Models, lossOf: (models: Models) => tf.Tensor): tf.Tensor[] {
  const { studentInput, studentWeight, studentBias } = models;
  const xs = [studentInput, studentWeight, studentBias];
  const { value, grads } = tf.valueAndGrads((...[studentInput, studentWeight, studentBias]: tf.Tensor[]) =>
    lossOf({ ...models, studentInput, studentWeight, studentBias } as Models),
  )(xs);
  return [value, ...grads];
}

async function expectAlike(actual: tf.Tensor[], expected: tf.Tensor[], tolerance?: number): Promise<void> {
  for (const [i, value] of actual.entries()) {
    await expectClose(
      value,
      expected[i]!,
      tolerance ?? (i === 0 ? OUTPUT_TOLERANCE : GRADIENT_TOLERANCE),
      `number ${i}`,
    );
  }
}

/** Logits that exist as a whole. */
const logitsOf = (x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor | number = 0) =>
  tf.add(tf.matMul(x as tf.Tensor2D, weight as tf.Tensor2D, false, true), bias);

const jsdDistillation =
  (config: Parameters<typeof fusedLinearJsdDistillation>[5] = {}) =>
  ({ studentInput, studentWeight, studentBias, teacherInput, teacherWeight, labels }: Models): tf.Tensor =>
    fusedLinearJsdDistillation(studentInput, studentWeight, teacherInput, teacherWeight, labels, {
      ...config,
      studentBias,
    }) as tf.Tensor;

describe('fusedLinearDistillation', () => {
  it('gives a loss of one’s own chunks, gradients and the cross entropy', async () => {
    await expectNoLeak(async () => {
      const models = modelsOf();
      const config = { temperature: 2, weightHardLoss: 0.3, weightSoftLoss: 0.7, chunkSize: 3 };
      const squares = (student: tf.Tensor, teacher: tf.Tensor) => tf.sum(tf.square(tf.sub(student, teacher)), 1);
      const actual = lossAndGradients(models, ({ studentInput, studentWeight, studentBias, labels }) =>
        fusedLinearDistillation(
          ...([studentInput, studentWeight, models.teacherInput, models.teacherWeight, labels] as const),
          ({ studentLogits, teacherLogits }) => squares(studentLogits, teacherLogits),
          { ...config, studentBias },
        ),
      );
      const expected = tf.tidy(() =>
        lossAndGradients(models, ({ studentInput, studentWeight, studentBias, labels }) => {
          const student = logitsOf(studentInput, studentWeight, studentBias);
          const teacher = logitsOf(models.teacherInput, models.teacherWeight);
          const counts = tf.cast(tf.notEqual(labels, -100), 'float32');
          const soft = tf.div(tf.sum(tf.mul(squares(tf.div(student, 2), tf.div(teacher, 2)), counts)), tf.sum(counts));
          return tf.add(tf.mul(crossEntropy(student, labels), 0.3), tf.mul(soft, 0.7));
        }),
      );
      await expectAlike(actual, expected);
      tf.dispose([models, actual, expected] as tf.TensorContainer);
    });
  });

  it('gives a student zeros for the classes that its teacher has beyond its own', async () => {
    await expectNoLeak(async () => {
      const models = modelsOf(CLASSES + 3);
      const actual = lossAndGradients(models, jsdDistillation({ weightHardLoss: 0, weightSoftLoss: 1 }));
      // The same of a student whose weights there are 0.
      const more = tf.tidy(() => ({
        ...models,
        studentWeight: tf.pad(models.studentWeight as tf.Tensor2D, [
          [0, 3],
          [0, 0],
        ]),
        studentBias: tf.pad(models.studentBias as tf.Tensor1D, [[0, 3]]),
      }));
      const whole = lossAndGradients(more, jsdDistillation({ weightHardLoss: 0, weightSoftLoss: 1 }));
      const expected = [whole[0]!, whole[1]!, tf.slice(whole[2]!, 0, CLASSES), tf.slice(whole[3]!, 0, CLASSES)];
      await expectAlike(actual, expected);
      tf.dispose([models, more.studentWeight, more.studentBias, actual, whole, expected] as tf.TensorContainer);
    });
  });

  it('is the same for chunks of any size, for weights in their other layout, and bit for bit when repeated', async () => {
    await expectNoLeak(async () => {
      const models = modelsOf();
      const whole = lossAndGradients(models, jsdDistillation());
      const again = lossAndGradients(models, jsdDistillation());
      await expectAlike(again, whole, 0);
      for (const chunkSize of [1, 3, 5]) {
        const chunks = lossAndGradients(models, jsdDistillation({ chunkSize }));
        await expectAlike(chunks, whole, 1e-6);
        tf.dispose(chunks);
      }
      const turned = tf.tidy(() => ({
        ...models,
        studentWeight: tf.transpose(models.studentWeight),
        teacherWeight: tf.transpose(models.teacherWeight),
      }));
      const other = lossAndGradients(turned, jsdDistillation({ transposeWeight: true, chunkSize: 4 }));
      const dweight = tf.transpose(other[2]!);
      await expectAlike([other[0]!, other[1]!, dweight, other[3]!], whole);
      tf.dispose([models, whole, again, turned.studentWeight, turned.teacherWeight, other, dweight]);
    });
  });

  it('is 0 with gradients of 0 where all tokens are ignored, and of none', async () => {
    await expectNoLeak(async () => {
      const models = modelsOf();
      const ignored = { ...models, labels: tf.fill([TOKENS], -100, 'int32') as tf.Tensor1D };
      for (const loss of lossAndGradients(ignored, jsdDistillation())) {
        await expectClose(loss, new Float32Array(loss.size), 0);
        loss.dispose();
      }
      const { studentWeight, teacherWeight } = models;
      const [x, y] = [tf.zeros([0, HIDDEN]), tf.zeros([0, TEACHER_HIDDEN])];
      const none = [
        fusedLinearJsd(x, studentWeight, y, teacherWeight),
        tf.tidy(() => fusedLinearKlDiv(x, studentWeight, tf.zeros([0, CLASSES]))),
      ];
      for (const loss of none) await expectClose(loss, [0], 0);
      tf.dispose([models, ignored.labels, x, y, none] as tf.TensorContainer);
    });
  });

  it('computes no gradient of a head that nobody differentiates', async () => {
    await expectNoLeak(async () => {
      const models = modelsOf();
      const { studentInput, studentWeight } = models;
      const count = async (xs: tf.Tensor[]) => {
        const loss = () => jsdDistillation({ chunkSize: TOKENS })(models) as tf.Scalar;
        const { kernels, result } = await tf.profile(() => tf.engine().gradients(loss, xs) as never);
        tf.dispose(result);
        return kernels.filter(({ name }) => name === 'LigerLinearGradWeight').length;
      };
      expect(await count([studentInput])).to.equal(0);
      expect(await count([studentInput, studentWeight])).to.equal(1);
      tf.dispose(models as unknown as tf.TensorContainer);
    });
  });

  it('names a teacher of too few classes, and a loss that is none', () => {
    const models = modelsOf(CLASSES - 1);
    const { studentInput, studentWeight, teacherInput, teacherWeight, labels } = models;
    const tensors = [studentInput, studentWeight, teacherInput, teacherWeight, labels] as const;
    expectError(
      () => fusedLinearJsdDistillation(...tensors),
      /^fusedLinearJsdDistillation: teacherWeight must be of at least as many classes as studentWeight, 9, but got/,
    );
    const own = [studentInput, studentWeight, studentInput, studentWeight, labels] as const;
    expectError(
      () => fusedLinearDistillation(...own, ({ studentLogits }) => studentLogits),
      /^fusedLinearDistillation: what lossOf returns must be a float32 scalar, or one for each of the 7 tokens, but got/,
    );
    expectError(
      () => fusedLinearDistillation(...own, undefined as never),
      /^fusedLinearDistillation: lossOf must be a function, but got undefined$/,
    );
    tf.dispose(models as unknown as tf.TensorContainer);
  });
});
