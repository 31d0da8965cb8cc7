/** A GPT of tf.layers as one writes it with TensorFlow.js alone, after minGPT. Nothing here knows of tfjs-liger. */
import * as tf from '@tensorflow/tfjs';

export interface MinGptConfig {
  vocabSize: number;
  blockSize: number;
  nLayer: number;
  nHead: number;
  nEmbd: number;
}

/** minGPT's names of its sizes. */
export const minGptSizes = {
  'gpt-nano': { nLayer: 3, nHead: 3, nEmbd: 48 },
  'gpt-micro': { nLayer: 4, nHead: 4, nEmbd: 128 },
  'gpt-mini': { nLayer: 6, nHead: 6, nEmbd: 192 },
} as const;

type Inputs = tf.Tensor | tf.Tensor[];
const first = (inputs: Inputs) => (Array.isArray(inputs) ? inputs[0]! : inputs);

/** Seeds of initializers, so that two models have the same weights and no two layers of one have. */
type Seeds = () => number;
const normal = (seeds: Seeds) => tf.initializers.randomNormal({ mean: 0, stddev: 0.02, seed: seeds() });

/** The positions of tokens. */
export class Positions extends tf.layers.Layer {
  static readonly className = 'Positions';

  override computeOutputShape(shape: tf.Shape): tf.Shape {
    return shape;
  }

  override call(inputs: Inputs): tf.Tensor {
    return tf.tidy(() => tf.expandDims(tf.range(0, first(inputs).shape[1]!, 1, 'int32'), 0));
  }
}

/** The tanh formula. */
class Gelu extends tf.layers.Layer {
  static readonly className = 'GELU';

  override computeOutputShape(shape: tf.Shape): tf.Shape {
    return shape;
  }

  override call(inputs: Inputs): tf.Tensor {
    return tf.tidy(() => {
      const x = first(inputs);
      const inner = tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(0.044715, tf.pow(x, 3))));
      return tf.mul(tf.mul(0.5, x), tf.add(1, tf.tanh(inner)));
    });
  }
}

interface Projection {
  kernel: tf.LayerVariable;
  bias: tf.LayerVariable;
}

/** The kernel is tiled, since the gradient of tf.matMul wants both to have a batch. */
function project(x: tf.Tensor, { kernel, bias }: Projection): tf.Tensor {
  const kernels = tf.tile(tf.expandDims(kernel.read(), 0), [x.shape[0]!, 1, 1]);
  return tf.add(tf.matMul(x, kernels), bias.read());
}

class CausalSelfAttention extends tf.layers.Layer {
  static readonly className = 'CausalSelfAttention';

  private readonly lowerTriangle: tf.Tensor;
  private cAttn!: Projection;
  private cProj!: Projection;

  constructor(
    private readonly config: MinGptConfig,
    private readonly seeds: Seeds,
  ) {
    super({});
    const { blockSize } = config;
    this.lowerTriangle = tf.tidy(() => tf.linalg.bandPart(tf.ones([blockSize, blockSize]), -1, 0));
  }

  override build(shape: tf.Shape): void {
    const { nEmbd } = this.config;
    this.cAttn = this.addProjection('c_attn', nEmbd, 3 * nEmbd);
    this.cProj = this.addProjection('c_proj', nEmbd, nEmbd);
    super.build(shape);
  }

  private addProjection(name: string, inputs: number, outputs: number): Projection {
    return {
      kernel: this.addWeight(`${name}/kernel`, [inputs, outputs], 'float32', normal(this.seeds)),
      bias: this.addWeight(`${name}/bias`, [outputs], 'float32', tf.initializers.zeros()),
    };
  }

  override computeOutputShape(shape: tf.Shape): tf.Shape {
    return shape;
  }

  override call(inputs: Inputs): tf.Tensor {
    return tf.tidy(() => {
      const x = first(inputs);
      const [batch, length, width] = x.shape as [number, number, number];
      const headWidth = width / this.config.nHead;
      const heads = (part: tf.Tensor) =>
        tf.transpose(tf.reshape(part, [batch, length, this.config.nHead, headWidth]), [0, 2, 1, 3]);
      const [q, k, v] = tf.split(project(x, this.cAttn), 3, -1).map(heads);
      const scores = tf.mul(tf.matMul(q!, k!, false, true), 1 / Math.sqrt(headWidth));
      const isFuture = tf.sub(1, tf.slice(this.lowerTriangle, [0, 0], [length, length]));
      const weights = tf.softmax(tf.add(scores, tf.mul(isFuture, -1e9)));
      const y = tf.transpose(tf.matMul(weights, v!), [0, 2, 1, 3]);
      return project(tf.reshape(y, [batch, length, width]), this.cProj);
    });
  }

  protected override disposeWeights(): number {
    this.lowerTriangle.dispose();
    return super.disposeWeights();
  }
}

for (const layer of [Positions, Gelu, CausalSelfAttention]) tf.serialization.registerClass(layer);

/** Tokens [B, T] to logits [B, T, V]. There is no dropout, so that two trainings can be compared. */
export function createMinGpt(config: MinGptConfig, seed: number): tf.LayersModel {
  const { vocabSize, blockSize, nLayer, nEmbd } = config;
  let next = 1000 * seed;
  const seeds = () => next++;
  const embedding = (inputDim: number) =>
    tf.layers.embedding({ inputDim, outputDim: nEmbd, embeddingsInitializer: normal(seeds) });
  const dense = (units: number, useBias = true) =>
    tf.layers.dense({ units, useBias, kernelInitializer: normal(seeds) });
  const norm = () => tf.layers.layerNormalization({ epsilon: 1e-5 });
  const through = (x: tf.SymbolicTensor, ...layers: tf.layers.Layer[]) =>
    layers.reduce((y, layer) => layer.apply(y) as tf.SymbolicTensor, x);
  const add = (...xs: tf.SymbolicTensor[]) => tf.layers.add().apply(xs) as tf.SymbolicTensor;

  const tokens = tf.input({ shape: [blockSize], dtype: 'int32' });
  let x = add(through(tokens, embedding(vocabSize)), through(tokens, new Positions({}), embedding(blockSize)));
  for (let i = 0; i < nLayer; i++) {
    x = add(x, through(x, norm(), new CausalSelfAttention(config, seeds)));
    x = add(x, through(x, norm(), dense(4 * nEmbd), new Gelu({}), dense(nEmbd)));
  }
  return tf.model({ inputs: tokens, outputs: through(x, norm(), dense(vocabSize, false)) });
}

/** Scales gradients down to a global norm of 1. */
function clip(gradients: tf.NamedTensorMap): tf.NamedTensorMap {
  const squares = Object.values(gradients).map((gradient) => tf.sum(tf.square(gradient)));
  const norm = tf.sqrt(squares.reduce((sum, square) => tf.add(sum, square)));
  const scale = tf.minimum(1, tf.div(1, norm));
  return Object.fromEntries(Object.entries(gradients).map(([name, gradient]) => [name, tf.mul(gradient, scale)]));
}

/** One step of training. Returns the loss: how far the tokens that follow, [B, T], are from what the model makes of those before. */
export function trainMinGpt(
  model: tf.LayersModel,
  optimizer: tf.Optimizer,
  tokens: tf.Tensor2D,
  labels: tf.Tensor2D,
): tf.Scalar {
  return tf.tidy(() => {
    const { value, grads } = optimizer.computeGradients(() => {
      const logits = model.apply(tokens, { training: true }) as tf.Tensor;
      return tf.losses.softmaxCrossEntropy(tf.oneHot(labels, logits.shape.at(-1)!), logits);
    });
    optimizer.applyGradients(clip(grads));
    return value;
  });
}
