/** What every layer's spec tests: in a model that is built, trained, saved and loaded. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { layers as tfLayers } from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { tf } from '../support/backend.js';
import { expectClose, OUTPUT_TOLERANCE } from '../support/golden.js';
import { triesLayers } from '../support/passes.js';

type Layer = InstanceType<typeof tfLayers.Layer>;

export interface LayerCase {
  /** The factory's name, such as `rmsNorm`. */
  readonly name: string;
  /** A new layer, with options that are not all defaults. */
  readonly make: (args?: object) => Layer;
  /** Without the batch. */
  readonly inputShape: number[];
  /** A batch of inputs. Default: normal ones. */
  readonly inputs?: () => Tensor;
  readonly inputDType?: 'float32' | 'int32';
  /** What the layer should compute, in the functional API, of its weights. */
  readonly reference: (x: Tensor, weights: Tensor[]) => Tensor;
  /** Names of the weights, without the layer's, with their shapes. */
  readonly weights: Readonly<Record<string, number[]>>;
  /** Of the reference, where that is written in other ops. */
  readonly tolerance?: number;
}

const BATCH = 2;

/** Weights that are not what they are at first, so that one which is forgotten shows. */
function disturb(layer: Layer): void {
  layer.setWeights(
    layer.getWeights().map((weight, i) => tf.add(weight, tf.randomNormal(weight.shape, 0, 0.1, 'float32', i + 1))),
  );
}

/** The layer as a model; if it has no weights, after one that has, so that there is something to train. */
function modelOf(layer: Layer, { inputShape, inputDType = 'float32', weights }: LayerCase, isTrained = false) {
  const input = tf.input({ shape: inputShape, dtype: inputDType });
  const needsWeights = isTrained && Object.keys(weights).length === 0;
  const x = needsWeights ? tf.layers.prelu({ alphaInitializer: 'ones' }).apply(input) : input;
  return tf.model({ inputs: input, outputs: layer.apply(x) as ReturnType<typeof tf.input> });
}

/** The model as it is loaded after it was saved. */
export async function reload(model: tf.LayersModel): Promise<tf.LayersModel> {
  let artifacts: Parameters<typeof tf.io.fromMemory>[0] | undefined;
  await model.save(
    tf.io.withSaveHandler(async (saved) => {
      artifacts = saved;
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    }),
  );
  return tf.loadLayersModel(tf.io.fromMemory(artifacts!));
}

const namesOf = (layer: Layer) => layer.weights.map((weight) => weight.originalName.split('/').at(-1));

export function describeLayer(layerCase: LayerCase): void {
  if (!triesLayers) return;
  const { name, make, reference, weights, tolerance = OUTPUT_TOLERANCE } = layerCase;
  const inputs = layerCase.inputs ?? (() => tf.randomNormal([BATCH, ...layerCase.inputShape], 0, 1, 'float32', 7));

  describe(`layers.${name}`, () => {
    it('computes what the functional API does, of its weights', async () => {
      const atFirst = tf.memory().numTensors;
      const layer = make();
      const model = modelOf(layer, layerCase);
      expect(Object.fromEntries(namesOf(layer).map((weight, i) => [weight, layer.weights[i]!.shape]))).to.deep.equal(
        weights,
      );
      tf.tidy(() => disturb(layer));
      // The first call may make tables that the layer keeps.
      tf.tidy(() => void model.predict(inputs()));
      const before = tf.memory().numTensors;
      const [y, wanted] = tf.tidy(() => {
        const x = inputs();
        return [model.predict(x) as Tensor, reference(x, layer.getWeights())];
      }) as [Tensor, Tensor];
      expect(tf.memory().numTensors, 'tensors').to.equal(before + 2);
      await expectClose(y, wanted, tolerance);
      expect((model.outputs[0]!.shape as number[]).slice(1)).to.deep.equal(wanted.shape.slice(1));
      tf.dispose([y, wanted]);
      model.dispose();
      expect(tf.memory().numTensors, 'tensors after dispose').to.equal(atFirst);
    });

    it('trains by fit, saves and loads', async () => {
      const layer = make();
      const model = modelOf(layer, layerCase, true);
      model.compile({ optimizer: tf.train.sgd(0.02), loss: 'meanSquaredError' });
      const x = tf.tidy(inputs);
      const target = tf.tidy(() => tf.add(model.predict(x) as Tensor, 1));
      await model.fit(x, target, { epochs: 1, verbose: 0 });
      const before = tf.memory().numTensors;
      const { history } = await model.fit(x, target, { epochs: 5, verbose: 0 });
      expect(tf.memory().numTensors, 'tensors').to.equal(before);
      expect(history.loss!.at(-1)).to.be.below(history.loss![0] as number);

      const loaded = await reload(model);
      expect(loaded.layers.at(-1)!.getConfig()).to.deep.equal({ ...layer.getConfig(), name: layer.name });
      const [y, wanted] = [loaded.predict(x) as Tensor, model.predict(x) as Tensor];
      await expectClose(y, wanted, 0);
      tf.dispose([x, target, y, wanted]);
      model.dispose();
      loaded.dispose();
    });

    it('takes no option that it does not know', () => {
      expect(() => make({ inputshape: [3] })).to.throw(/unknown option 'inputshape'; did you mean 'inputShape'\?/);
    });
  });
}
