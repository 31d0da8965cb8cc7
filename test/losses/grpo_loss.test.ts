import { fusedLinearGrpo, type GrpoLossConfig, type GrpoResult, grpoLoss, linear } from '../../src/index.js';
import { random } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import {
  describeGolden,
  expectClose,
  expectError,
  expectNoLeak,
  GRADIENT_TOLERANCE,
  OUTPUT_TOLERANCE,
} from '../support/golden.js';

describeGolden('grpoLoss', ({ logits, selectedTokenIds, attentionMask, advantages, ...tensors }, options) =>
  grpoLoss(logits!, selectedTokenIds!, attentionMask!, advantages!, { ...options, ...tensors } as GrpoLossConfig),
);

describe('grpoLoss', () => {
  const selectedTokenIds = [
    [1, 4, 0],
    [6, 2, -100],
  ];
  const attentionMask = [
    [1, 1, 1],
    [1, 1, 0],
  ];
  const advantages = [0.7, -1.2];

  it('is fusedLinearGrpo of the same logits, with its gradients', async () => {
    await expectNoLeak(async () => {
      const [x, weight] = [random([2, 3, 5], 1), random([7, 5], 2)];
      const config = {
        temperature: 0.8,
        oldPerTokenLogps: tf.tidy(() => tf.sub(random([2, 3], 3), 2)),
        refPerTokenLogps: tf.tidy(() => tf.sub(random([2, 3], 4), 2)),
      };
      const withGradients = (f: (x: tf.Tensor, weight: tf.Tensor) => GrpoResult) =>
        tf.tidy(() => {
          const { loss, kl, clipRatio } = f(x, weight);
          const [dx, dweight] = tf.grads((x, weight) => f(x!, weight!).loss)([x, weight]);
          return { loss, kl: kl!, clipRatio, dx: dx!, dweight: dweight! };
        });
      const actual = withGradients((x, weight) =>
        grpoLoss(linear(x, weight), selectedTokenIds, attentionMask, advantages, config),
      );
      const expected = withGradients((x, weight) =>
        fusedLinearGrpo(x, weight, selectedTokenIds, attentionMask, advantages, config),
      );
      for (const name of ['loss', 'kl', 'clipRatio', 'dx', 'dweight'] as const) {
        const tolerance = name.startsWith('d') ? GRADIENT_TOLERANCE : OUTPUT_TOLERANCE;
        await expectClose(actual[name], expected[name], tolerance, name);
      }
      tf.dispose([x, weight, config, actual, expected] as tf.TensorContainer);
    });
  });

  it('names what does not fit', () => {
    const logits = random([2, 3, 7]);
    const ids = [
      [1, 4, 0],
      [6, 7, 2],
    ];
    expectError(
      () => grpoLoss(logits, ids, attentionMask, advantages),
      /^grpoLoss: selectedTokenIds must be in \[0, 7\) or -100 \(ignoreIndex\), but got 7 at position 4$/,
    );
    expectError(
      () => grpoLoss(logits, selectedTokenIds, attentionMask, advantages, { lossType: 'drGrpo' }),
      /^grpoLoss: option 'maxCompletionLength' must be given for the loss type 'drGrpo', but got undefined$/,
    );
    tf.dispose(logits);
  });
});
