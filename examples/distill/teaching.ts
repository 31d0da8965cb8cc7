import * as tf from '@tensorflow/tfjs';
import { fusedLinearJsdDistillation } from '../../src/index.js';
import type { Llama } from '../llama/model.js';
import type { Batch } from '../support/token_batches.js';

/** What the student learns from, with beta 0: the KL divergence of the teacher from it, and a little of the true tokens. */
const options = { beta: 0, weightSoftLoss: 0.8, weightHardLoss: 0.2 };

/** A batch as the teacher sees it. */
export interface TaughtBatch extends Batch {
  /** [B, T, G]: hidden states of any size, since the teacher's own head makes logits of them. */
  teacherStates: tf.Tensor3D;
}

/** To be called outside of what is differentiated, so that nothing inside the teacher is kept for gradients. */
export function withTeacher(teacher: Llama, batch: Batch): TaughtBatch {
  return { ...batch, teacherStates: teacher.hiddenStates(batch.inputIds) };
}

export function distillationLoss(
  student: Llama,
  teacher: Llama,
  { inputIds, labels, teacherStates }: TaughtBatch,
  temperature: number,
): tf.Scalar {
  return tf.tidy(() => {
    const config = { ...options, temperature };
    const states = student.hiddenStates(inputIds);
    return fusedLinearJsdDistillation(states, student.head(), teacherStates, teacher.head(), labels, config);
  });
}
