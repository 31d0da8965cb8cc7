import { type ConfigOf, defaultsOf, flag, type ResolvedConfig, resolveConfig } from '../checks/config_schema.js';
import { fail } from '../checks/errors.js';
import { runsOnWebGPU } from '../engine/backends.js';
import { activations, isReplaced, replaceActivation } from './activations.js';
import { replaceAdam } from './adam.js';
import { appliesActivation, layerReplacements, replaceCall } from './layer_replacements.js';
import { howLossIsReplaced, modelLosses, replaceLoss } from './model_losses.js';
import { isFlash, replaceAttention, replaceAttentionWeights, replaceDecoder } from './multi_head_attention.js';
import { modelOptions } from './options.js';
import { inTurn, replaceMethod } from './replace_method.js';
import {
  type ActivationLayer,
  classNamed,
  isModel,
  isSequential,
  isWrapper,
  type Layer,
  type Model,
  type MultiHeadAttentionLayer,
  type TransformerDecoderLayer,
} from './tfjs_layers.js';

const schema = {
  ...modelOptions,
  /** Prints the report as a table. Default true. */
  print: flag(true),
} as const;

/** Options of {@link applyTo}. */
export interface ApplyToOptions extends ConfigOf<typeof schema> {}

const defaults = defaultsOf(schema);

/** What became of a layer, the loss or the optimizer of a model. */
export interface ReplacementReport {
  /** Its name, after the names of the models and wrappers that it is in, such as `encoder/dense_1`. */
  name: string;
  /** Its class's name in tfjs. */
  className: string;
  /** What is used instead, or '' where it is left as it is. */
  replacedBy: string;
  /** Why it is left as it is, or ''. */
  reason: string;
}

/** What {@link applyTo} returns. */
export interface ApplyToReport {
  replacements: ReplacementReport[];
  /** Makes the model tfjs's own again. */
  unpatch(): void;
}

/** A tf.LayersModel, as far as it matters here. */
export interface AnyLayersModel {
  readonly layers: readonly object[];
  compile(args: never): void;
}

type Config = ResolvedConfig<typeof modelOptions>;

/** What replaces a part of a model: its name and how to undo it; or why it is left as it is. */
type Replacement = { by: string; undo: () => void } | { reason: string };

const OFF = { reason: 'the option is off' };
const NOTHING = { reason: 'nothing takes its place' };

/** What replaces something, with a note where it does not on the current backend. */
const onWebGPU = (by: string, onEveryBackend = false) =>
  onEveryBackend || runsOnWebGPU() ? by : `${by}, on WebGPU alone`;

function replaceLayer(layer: Layer, config: Config): Replacement {
  for (const [keyword, replacement] of Object.entries(layerReplacements)) {
    if (replacement.className !== layer.getClassName()) continue;
    if (!config[keyword as keyof typeof layerReplacements]) return OFF;
    const found = replacement.of(layer);
    return typeof found === 'string'
      ? { reason: found }
      : { by: onWebGPU(replacement.by, replacement.onEveryBackend), undo: replaceCall(layer, replacement) };
  }
  const within = layer.getClassName() === 'TransformerDecoder' ? (layer as TransformerDecoderLayer) : undefined;
  if (within || layer.getClassName() === 'MultiHeadAttention') {
    if (!config.multiHeadAttention) return OFF;
    const attention = (within?.selfAttentionLayer ?? layer) as MultiHeadAttentionLayer;
    if (!isFlash(attention)) return { reason: 'it attends along several axes, or its values are wider than its keys' };
    const undo = [replaceAttention(attention), replaceAttentionWeights(attention)];
    if (within) undo.push(replaceDecoder(within));
    return { by: 'liger.flashAttention', undo: inTurn(undo) };
  }
  return NOTHING;
}

/** The activation of a layer, where it is not a part of what replaced the layer. */
function replaceActivationOf(layer: Layer, config: Config): Replacement {
  const { activation } = layer as Partial<ActivationLayer>;
  const name = activation?.getClassName();
  if (!activation || !name || !isReplaced(name)) return NOTHING;
  if (config.dense && appliesActivation(layer)) return NOTHING;
  const { keyword, by } = activations[name];
  return config[keyword] ? { by: onWebGPU(by), undo: replaceActivation(activation, name) } : OFF;
}

/** The model that layers lie in: a Sequential has another one inside. */
function innermost(model: Model): Model {
  if (!isSequential(model)) return model;
  if (!model.model) throw new Error('applyTo: the model is not built yet; give its first layer an inputShape');
  return model.model;
}

function replaceLayers(model: Model, config: Config, path: string, add: Add): void {
  for (const layer of innermost(model).layers) {
    const name = path + layer.name;
    if (isModel(layer)) {
      replaceLayers(layer, config, `${name}/`, add);
      continue;
    }
    const inside = isWrapper(layer) ? layer.layer : layer;
    const replacement = replaceLayer(inside, config);
    const ofActivation = replaceActivationOf(inside, config);
    add(isWrapper(layer) ? `${name}/${inside.name}` : name, inside.getClassName(), replacement, ofActivation);
  }
}

type Add = (name: string, className: string, ...replacements: Replacement[]) => void;

/** Replaces the update of the model's optimizer, also of one that it is compiled with later. */
function replaceOptimizer(model: Model): () => void {
  let undo = () => {};
  const replace = () => {
    undo();
    const { optimizer_: optimizer } = model;
    undo =
      optimizer?.getClassName() === 'Adam' ? replaceAdam(optimizer as Parameters<typeof replaceAdam>[0]) : () => {};
  };
  replace();
  const undoCompile = replaceMethod(
    model,
    'compile',
    (stock) =>
      function (this: Model, args) {
        stock.call(this, args);
        replace();
      },
  );
  return inTurn([() => undo(), undoCompile]);
}

/** A model may be applied to again, with other options. */
const applied = new WeakMap<object, () => void>();

/**
 * Has one tf.LayersModel run on this library's kernels, as {@link patch} does for all of them: its layers, those of models and wrappers
 * within it, its loss and its optimizer. The numbers are the same to float32 rounding. Called again, its options replace the earlier ones.
 *
 * @param model Built; compiled before or after.
 * @returns What replaced each layer, and what was left as it is and why.
 * @throws If an option is unknown, or the model is no LayersModel of the tfjs that this library imports.
 */
export function applyTo(model: AnyLayersModel, options?: ApplyToOptions): ApplyToReport {
  const config = resolveConfig('applyTo', schema, defaults, options);
  const LayersModel = classNamed<Model>('Model');
  if (!LayersModel || !(model instanceof LayersModel)) fail('applyTo', 'model', 'a tf.LayersModel', model);
  const inner = innermost(model);
  applied.get(inner)?.();
  const replacements: ReplacementReport[] = [];
  const undo: Array<() => void> = [];
  const add: Add = (name, className, ...found) => {
    const done = found.flatMap((replacement) => ('by' in replacement ? [replacement] : []));
    undo.push(...done.map((replacement) => replacement.undo));
    const [reason = ''] = found.flatMap((replacement) => ('reason' in replacement ? [replacement.reason] : []));
    const replacedBy = done.map(({ by }) => by).join('; ');
    replacements.push({ name, className, replacedBy, reason: replacedBy ? '' : reason });
  };

  replaceLayers(model, config, '', add);
  for (const name of modelLosses) {
    if (!config[name]) continue;
    undo.push(replaceLoss(inner, name));
    for (const row of howLossIsReplaced(inner, name)) replacements.push(row);
  }
  if (config.adam) undo.push(replaceOptimizer(inner));
  if (inner.optimizer_?.getClassName() === 'Adam') {
    const replacedBy = config.adam ? 'liger.train.adamW, without decay' : '';
    replacements.push({ name: 'optimizer', className: 'Adam', replacedBy, reason: config.adam ? '' : OFF.reason });
  }
  const unpatch = inTurn(undo);
  applied.set(inner, unpatch);
  if (config.print) console.table(replacements);
  return { replacements, unpatch };
}
