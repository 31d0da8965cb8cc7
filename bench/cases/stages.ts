import * as tf from '@tensorflow/tfjs';
import {
  createMinGpt,
  type MinGptConfig,
  minGptSizes,
  Positions,
  trainMinGpt,
} from '../../examples/adopters/min_gpt.js';
import { type Gpt2Config, gpt2Config } from '../../examples/gpt2/config.js';
import { createGpt2 } from '../../examples/gpt2/model.js';
import { patch } from '../../src/index.js';
import * as layers from '../../src/layers/index.js';
import type { BenchCase, Subject } from '../harness/bench_case.js';
import { indices } from '../harness/inputs.js';
import { adamW, capturedTraining, trainingOfOurs } from './shared/training_steps.js';

/** A GPT of tf.layers, as it is. */
function ofTfLayers(config: MinGptConfig, [batch, length]: [number, number]): Subject {
  const model = createMinGpt(config, 1);
  const optimizer = tf.train.adam(1e-3);
  const [tokens, labels] = [1, 2].map((seed) => indices([batch, length], config.vocabSize, seed) as tf.Tensor2D);
  return {
    call: () => [trainMinGpt(model, optimizer, tokens!, labels!)],
    dispose() {
      model.dispose();
      optimizer.dispose();
      tf.dispose([tokens, labels]);
    },
  };
}

/** The same code after `patch()`. */
function patched(make: () => Subject): Subject {
  const unpatch = patch();
  const subject = make();
  return {
    ...subject,
    dispose() {
      subject.dispose();
      unpatch();
    },
  };
}

/** The same model of this library's layers. */
function ofLayers({ vocabSize, nLayer, nHead, nEmbd }: MinGptConfig, [batch, length]: [number, number]): Subject {
  const tokens = tf.input({ shape: [length], dtype: 'int32' });
  const embedding = layers.embedding({ inputDim: vocabSize, outputDim: nEmbd });
  const positions = layers.embedding({ inputDim: length, outputDim: nEmbd });
  const parts = [embedding.apply(tokens), positions.apply(new Positions({}).apply(tokens) as tf.SymbolicTensor)];
  let x = tf.layers.add().apply(parts as tf.SymbolicTensor[]) as tf.SymbolicTensor;
  for (let i = 0; i < nLayer; i++) {
    const block = layers.transformerBlock({
      ...{ numHeads: nHead, intermediateSize: 4 * nEmbd, useBias: true },
      ...{ normalization: 'layerNorm', activation: 'geluTanh', rotary: false },
    });
    x = block.apply(x) as tf.SymbolicTensor;
  }
  const head = layers.fusedLinearCrossEntropy({ units: vocabSize });
  const hidden = layers.layerNorm().apply(x) as tf.SymbolicTensor;
  const model = tf.model({ inputs: tokens, outputs: head.apply(hidden) as tf.SymbolicTensor });
  const optimizer = adamW();
  const [inputIds, labels] = [1, 2].map((seed) => indices([batch, length], vocabSize, seed));
  return {
    call() {
      const loss = () => head.loss(labels!, model.apply(inputIds!, { training: true }) as tf.Tensor);
      return [optimizer.minimize(loss, true)!];
    },
    dispose() {
      model.dispose();
      optimizer.dispose();
      tf.dispose([inputIds, labels]);
    },
  };
}

/** One small GPT in the stages of docs/from-model-fit.md. The first two differ by --backend, of which webgpu-stock is tfjs's own. */
export function stages(quick: boolean): BenchCase[] {
  const size = [quick ? 2 : 8, quick ? 16 : 128] as [number, number];
  const names = quick ? (['tiny'] as const) : (['gpt-nano', 'gpt-mini'] as const);
  return names.flatMap((name) => {
    const config: MinGptConfig =
      name === 'tiny'
        ? { nLayer: 1, nHead: 2, nEmbd: 16, blockSize: size[1], vocabSize: 128 }
        : { ...minGptSizes[name], blockSize: size[1], vocabSize: 50257 };
    const { vocabSize, blockSize, nLayer, nHead, nEmbd } = config;
    const sizes = { vocab_size: vocabSize, n_positions: blockSize, n_embd: nEmbd, n_layer: nLayer, n_head: nHead };
    const gpt2: Gpt2Config = { ...gpt2Config, ...sizes };
    const subjects: Record<string, () => Subject> = {
      'tf.layers': () => ofTfLayers(config, size),
      'tf.layers after patch()': () => patched(() => ofTfLayers(config, size)),
      'tfjs-liger/layers': () => ofLayers(config, size),
      ops: () => trainingOfOurs(createGpt2(gpt2, 1), gpt2, size),
      'ops, captured': () => capturedTraining(createGpt2(gpt2, 1), gpt2, size),
    };
    return Object.entries(subjects).map(
      ([stage, ours]): BenchCase => ({
        op: 'stages',
        shape: `${name} of ${stage}, batch ${size.join('×')}`,
        timed: 'step',
        totalMemory: true,
        ours,
      }),
    );
  });
}
