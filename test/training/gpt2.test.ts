import { gpt2Config } from '../../examples/gpt2/config.js';
import { createGpt2 } from '../../examples/gpt2/model.js';
import { createStockGpt2 } from '../../examples/gpt2/stock.js';
import { tf } from '../support/backend.js';
import { expectClose, expectNoLeak } from '../support/golden.js';
import { describeTraining } from '../support/repeat_training.js';

describeTraining('gpt2', createGpt2, createStockGpt2);

it('GPT-2 with recomputed blocks has the same loss and gradients, bit for bit', async () => {
  await expectNoLeak(async () => {
    const config = { ...gpt2Config, vocab_size: 17, n_positions: 8, n_embd: 16, n_layer: 2, n_head: 2 };
    const tokens = tf.tensor2d([[1, 5, 2, 9, 16]], [1, 5], 'int32');
    const gradientsOf = (recomputesBlocks: boolean) => {
      const model = createGpt2(config, 3, { recomputesBlocks });
      const names = Object.keys(model.variables);
      const { value, grads } = tf.variableGrads(() => model.loss(tokens, tokens), Object.values(model.variables));
      const tensors = [value, ...names.map((name) => grads[model.variables[name]!.name]!)];
      model.dispose();
      return tensors;
    };
    const [actual, expected] = [gradientsOf(true), gradientsOf(false)];
    for (const [i, tensor] of actual.entries()) await expectClose(tensor, expected[i]!, 0, `number ${i}`);
    tf.dispose([tokens, actual, expected]);
  });
});
