import { geglu, linear } from '../../src/index.js';
import { gegluMlp } from '../../src/layers/index.js';
import { tf } from '../support/backend.js';
import { describeLayer } from './describe_layer.js';

describeLayer({
  name: 'gegluMlp',
  make: (args) => gegluMlp({ intermediateSize: 6, kernelInitializer: tf.initializers.heNormal({ seed: 3 }), ...args }),
  inputShape: [3, 4],
  weights: { gate: [6, 4], up: [6, 4], down: [4, 6] },
  reference: (x, [gate, up, down]) => linear(geglu(linear(x, gate!), linear(x, up!)), down!),
});
