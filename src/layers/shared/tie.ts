/** Layers whose weight is an embedding's table: found again when a saved model is loaded, which knows layers by their names. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { LayersModel, type layers, SymbolicTensor } from '@tensorflow/tfjs-layers';
import type { Option } from '../../checks/config_schema.js';
import type { Embedding } from '../embedding.js';

type Layer = InstanceType<typeof layers.Layer>;

/** What a saved model has in the place of a layer. */
export interface LayerName {
  readonly name: string;
}

/** As another copy of this module would have it, too: CommonJS beside ES modules. */
const isEmbedding = (layer: object): layer is Embedding =>
  'getClassName' in layer && (layer as Layer).getClassName() === 'LigerEmbedding';

/** An option that is an embedding layer, or what a saved model has of one. */
export function embeddingLayer(): Option<LayerName | undefined> {
  return {
    default: undefined,
    expected: "a layer that layers.embedding made, or an object with such a layer's name",
    accepts: (value) =>
      typeof value === 'object' &&
      value !== null &&
      (isEmbedding(value) || (Object.keys(value).join() === 'name' && typeof (value as LayerName).name === 'string')),
  };
}

/** What a layer's `apply` takes. */
export type LayerInputs = Tensor | Tensor[] | SymbolicTensor | SymbolicTensor[];

/** A layer's tie to the embedding whose table it uses. */
export class Tie {
  private found: Embedding | undefined;

  /** @param label Names the tied layer in errors. */
  constructor(
    private readonly label: string,
    private readonly option: LayerName,
  ) {
    if (isEmbedding(option)) this.found = option;
  }

  /** The embedding. */
  get embedding(): Embedding {
    if (!this.found) throw new Error(`${this.label}: no model has shown it the embedding '${this.option.name}' yet`);
    return this.found;
  }

  /**
   * Finds the embedding before symbolic inputs.
   *
   * @throws If it is not there: the model would neither train nor save its table.
   */
  follow(inputs: LayerInputs): void {
    const symbolic = [inputs].flat().filter((input) => input instanceof SymbolicTensor);
    if (symbolic.length === 0) return;
    const { name } = this.option;
    const before = embeddingsBefore(symbolic).find((layer) =>
      this.found ? layer === this.found : layer.name === name,
    );
    if (!before) throw new Error(`${this.label}: the input must come from the embedding '${name}', but does not`);
    this.found = before;
  }
}

/** The embeddings that some tensors are computed by, those in nested models included. */
function embeddingsBefore(tensors: readonly SymbolicTensor[]): Embedding[] {
  const seen = new Set(tensors);
  // A set goes on to what is added while it is walked.
  for (const { inputs } of seen) for (const input of inputs) seen.add(input);
  return [...seen].flatMap(({ sourceLayer }) => embeddingsOf(sourceLayer));
}

function embeddingsOf(layer: Layer): Embedding[] {
  if (layer instanceof LayersModel) return layer.layers.flatMap(embeddingsOf);
  return isEmbedding(layer) ? [layer] : [];
}
