import type { LanguageModel } from './language_model.js';
import type { Batch } from './token_batches.js';

/** The loss of batches, each by its sequences. */
export async function meanLoss(model: LanguageModel, batches: Batch[]): Promise<number> {
  let [sum, sequences] = [0, 0];
  for (const { inputIds, labels } of batches) {
    const loss = model.loss(inputIds, labels);
    sum += (await loss.data())[0]! * inputIds.shape[0];
    sequences += inputIds.shape[0];
    loss.dispose();
  }
  return sum / sequences;
}
