import { rmsNorm, softmax, swiglu } from '../../src/index.js';
import { backendName, tf } from '../support/backend.js';
import { expectClose, expectNoLeak } from '../support/golden.js';

if (backendName === 'webgpu') {
  describe('integers that tfjs cast to floats', () => {
    const values = [3, -1, 2, 5, 0, 7];
    for (const dtype of ['int32', 'bool'] as const) {
      it(`of type ${dtype} are what kernels read`, async () => {
        await expectNoLeak(async () => {
          const integers = tf.tensor2d(dtype === 'bool' ? values.map((x) => Number(x > 1)) : values, [2, 3], dtype);
          const floats = tf.tensor2d([...integers.dataSync()], [2, 3]);
          const onDevice = tf.tidy(() => tf.cast(tf.reverse(integers, [0, 1]).reverse([0, 1]), 'float32'));
          for (const x of [onDevice, tf.cast(integers, 'float32')]) {
            for (const op of [rmsNorm, softmax, (y: tf.Tensor) => swiglu(y, y)]) {
              const [given, wanted] = [op(x), op(floats)];
              await expectClose(given, [...(await wanted.data())], 0);
              tf.dispose([given, wanted]);
            }
            x.dispose();
          }
          tf.dispose([integers, floats]);
        });
      });
    }
  });
}
