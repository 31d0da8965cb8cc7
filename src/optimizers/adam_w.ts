import {
  type NamedTensorMap,
  Optimizer,
  type Scalar,
  type serialization,
  type Tensor,
  tidy,
  util,
  type Variable,
  zeros,
  zerosLike,
} from '@tensorflow/tfjs-core';
import {
  type ConfigOf,
  callback,
  defaultsOf,
  either,
  number,
  type ResolvedConfig,
  resolveConfig,
  strings,
} from '../checks/config_schema.js';
import { fail } from '../checks/errors.js';
import { variableNamed } from '../engine/registered.js';
import { beforeReplay } from '../engine/replay.js';
import { runKernel } from '../engine/run_kernel.js';
import { AdamW, AdamWStep, SquaredNorms } from '../kernels/contracts/adam_w.js';
import { assignOutput } from './shared/assign_output.js';

const schema = {
  /** Default 1e-3. It may be changed at any time: `optimizer.learningRate = 1e-4`. */
  learningRate: number(1e-3, { min: 0 }),
  /** What remains of the running mean of gradients at a step. Default 0.9. */
  beta1: number(0.9, { min: 0, max: 1, below: true }),
  /** What remains of the running mean of their squares. Default 0.999. */
  beta2: number(0.999, { min: 0, max: 1, below: true }),
  /** Added to the root of the mean square. Default 1e-8. */
  epsilon: number(1e-8, { min: 0 }),
  /** Parameters shrink by learningRate · weightDecay at a step. Default 0.01. */
  weightDecay: number(0.01, { min: 0 }),
  /** The largest global norm of the gradients, which are scaled down to it. Default: they are not clipped. */
  clipNorm: number(undefined, { min: 0, above: true }),
  /**
   * The variables without weight decay: those whose name contains one of these strings (`['bias', 'norm']`), or for which
   * this function, asked once for each variable, returns true. Default: none.
   */
  excludeFromWeightDecay: either(strings(), callback<(name: string, variable: Variable) => boolean>()),
} as const;

/** Options of {@link adamW}. */
export interface AdamWConfig extends ConfigOf<typeof schema> {}

/** As tfjs-core has it, which does not export it. */
interface NamedTensor {
  name: string;
  tensor: Tensor;
}

const OP = 'adamW';
const defaults = defaultsOf(schema);

/** What the optimizer keeps of one variable. */
interface Moments {
  /** The running mean of the gradient. */
  m: Variable;
  /** The running mean of its square. */
  v: Variable;
  /** Known once the variable has been updated. */
  weightDecay?: number;
}

interface Update {
  name: string;
  variable: Variable;
  gradient: Tensor;
}

/** The optimizer that {@link adamW} makes: a `tf.Optimizer`. */
export class AdamWOptimizer extends Optimizer {
  static get className(): string {
    return 'AdamW';
  }

  private readonly config: ResolvedConfig<typeof schema>;
  private readonly moments = new Map<string, Moments>();
  /** Whether the moments are saved ones that no step has used yet. */
  private loaded = false;
  /** Scalars of the step, see LigerAdamWStep. It remains from step to step, and so do the bind groups that it is in. */
  private step: Variable | undefined;
  private norm: Variable | undefined;

  constructor(config?: AdamWConfig) {
    super();
    this.config = resolveConfig(OP, schema, defaults, config);
  }

  get learningRate(): number {
    return this.config.learningRate;
  }

  set learningRate(value: number) {
    const option = schema.learningRate;
    if (!option.accepts(value)) fail(OP, 'learningRate', option.expected, value);
    this.config.learningRate = value;
  }

  /**
   * The global norm of the last step's gradients before they were clipped, on the device; undefined without `clipNorm`. It is
   * the optimizer's own tensor, with a new value at each step.
   */
  get gradientNorm(): Scalar | undefined {
    return this.norm as Tensor as Scalar | undefined;
  }

  /**
   * Updates variables by their gradients. One without a gradient is left alone.
   *
   * @throws If there is no variable of a name, or a gradient does not fit its variable; nothing has changed then.
   */
  override applyGradients(variableGradients: NamedTensorMap | NamedTensor[]): void {
    const updates = checkGradients(variableGradients);
    if (updates.length === 0) return;
    this.adoptLoaded(updates);
    tidy(() => {
      const kept = updates.map((update) => this.momentsOf(update));
      const tensors: Tensor[] = [this.advance(updates.map(({ gradient }) => gradient))];
      const targets: Variable[] = [];
      for (const [i, { variable, gradient }] of updates.entries()) {
        const { m, v } = kept[i]!;
        tensors.push(variable, gradient, m, v);
        targets.push(variable, m, v);
      }
      const { beta1, beta2, epsilon } = this.config;
      const attrs = { beta1, beta2, epsilon, weightDecays: kept.map(({ weightDecay }) => weightDecay!) };
      const outputs = runKernel(AdamW, tensors, attrs);
      for (const [i, target] of targets.entries()) assignOutput(target, outputs[i]!);
    });
    this.incrementIterations();
    beforeReplay(() => this.incrementIterations());
  }

  /**
   * Variables of a model that was loaded beside others are named anew, such as `dense/kernel_1`. Moments of which none has the
   * name of a variable to update are then taken over in their order, if all their shapes agree.
   */
  private adoptLoaded(updates: readonly Update[]): void {
    if (!this.loaded) return;
    this.loaded = false;
    const kept = [...this.moments.values()];
    if (kept.length !== updates.length || updates.some(({ name }) => this.moments.has(name))) return;
    if (!updates.every(({ variable }, i) => util.arraysEqual(kept[i]!.m.shape, variable.shape))) return;
    this.moments.clear();
    for (const [i, { name }] of updates.entries()) this.moments.set(name, kept[i]!);
  }

  /** The moments of a variable, which start at zero. */
  private momentsOf({ name, variable }: Update): Moments {
    let moments = this.moments.get(name);
    if (!moments) {
      const zero = () => tidy(() => zerosLike(variable).variable(false));
      moments = { m: zero(), v: zero() };
      this.moments.set(name, moments);
    } else if (!util.arraysEqual(moments.m.shape, variable.shape)) {
      fail(OP, `variable '${name}'`, `of shape [${moments.m.shape}], as this optimizer knows it`, variable);
    }
    moments.weightDecay ??= this.isExcluded(name, variable) ? 0 : this.config.weightDecay;
    return moments;
  }

  private isExcluded(name: string, variable: Variable): boolean {
    const excluded = this.config.excludeFromWeightDecay;
    if (typeof excluded === 'function') return excluded(name, variable);
    return excluded?.some((part) => name.includes(part)) ?? false;
  }

  /** Computes the scalars of the next step on the device. */
  private advance(gradients: Tensor[]): Tensor {
    const { clipNorm = 0, beta1, beta2 } = this.config;
    const learningRate = () => this.learningRate;
    const iteration = () => this.iterations + 1;
    const attrs = { learningRate, clipNorm, beta1, beta2, iteration };
    this.step ??= tidy(() => zeros([4]).variable(false));
    if (clipNorm > 0) this.norm ??= tidy(() => zeros([]).variable(false));
    const squaredNorms = clipNorm > 0 ? runKernel(SquaredNorms, gradients, {}).squaredNorms : undefined;
    const inputs = { step: this.step, gradientNorm: this.norm, squaredNorms };
    const { step, gradientNorm } = runKernel(AdamWStep, inputs, attrs);
    assignOutput(this.step, step);
    if (this.norm && gradientNorm) assignOutput(this.norm, gradientNorm);
    return this.step;
  }

  override dispose(): void {
    for (const { m, v } of this.moments.values()) {
      m.dispose();
      v.dispose();
    }
    this.moments.clear();
    this.step?.dispose();
    this.norm?.dispose();
    this.step = this.norm = undefined;
  }

  /**
   * The number of steps, then m, then v of every variable, named as tf.train.adam names them. All but the first are the
   * optimizer's own tensors, with new values at each step.
   */
  override async getWeights(): Promise<NamedTensor[]> {
    const names = [...this.moments.keys()];
    const weights = [...this.moments.values()];
    return [
      await this.saveIterations(),
      ...names.map((name, i) => ({ name: `${name}/m`, tensor: weights[i]!.m as Tensor })),
      ...names.map((name, i) => ({ name: `${name}/v`, tensor: weights[i]!.v as Tensor })),
    ];
  }

  /**
   * Goes on from what `getWeights` gave, of this optimizer or of tf.train.adam.
   *
   * @throws If the number of steps is not first, or an m is without its v; nothing has changed then.
   */
  override async setWeights(weights: NamedTensor[]): Promise<void> {
    if (weights[0]?.name !== 'iter') throw new Error(`${OP}: setWeights must find 'iter', the number of steps, first`);
    const pairs = pairMoments(weights.slice(1));
    await this.extractIterations(weights);
    this.dispose();
    for (const [name, { m, v }] of pairs) this.moments.set(name, { m: m.variable(false), v: v.variable(false) });
    this.loaded = true;
  }

  /**
   * The options, to make an optimizer like this one with `fromConfig`. A function cannot be saved, and is left out.
   *
   * Where tfjs-layers loads a model, it turns `layer_norm` into `layerNorm`, but not `{ name: 'layer_norm' }`.
   */
  override getConfig(): serialization.ConfigDict {
    const { excludeFromWeightDecay: excluded, clipNorm, ...config } = this.config;
    return {
      ...config,
      ...(clipNorm !== undefined && { clipNorm }),
      ...(Array.isArray(excluded) && {
        excludeFromWeightDecay: excluded.map((part: string) => (part.includes('_') ? { name: part } : part)),
      }),
    };
  }

  /** Makes an optimizer of what `getConfig` gave. */
  static override fromConfig<T extends serialization.Serializable>(
    cls: serialization.SerializableConstructor<T>,
    { customObjects: _, ...config }: serialization.ConfigDict, // which tfjs-layers adds when it loads a model
  ): T {
    const { excludeFromWeightDecay: excluded } = config;
    if (!Array.isArray(excluded)) return new cls(config);
    const names = (excluded as Array<string | { name: string }>).map((part) =>
      typeof part === 'string' ? part : part.name,
    );
    return new cls({ ...config, excludeFromWeightDecay: names });
  }
}

/**
 * Adam with decoupled weight decay and clipping by the gradients' global norm. On WebGPU a step updates all variables in
 * place, in a few dispatches, and nothing is read back.
 *
 * Loshchilov and Hutter, "Decoupled Weight Decay Regularization" (2019); `torch.optim.AdamW` with
 * `torch.nn.utils.clip_grad_norm_`.
 */
export function adamW(config?: AdamWConfig): AdamWOptimizer {
  return new AdamWOptimizer(config);
}

function checkGradients(variableGradients: NamedTensorMap | NamedTensor[]): Update[] {
  const named = Array.isArray(variableGradients)
    ? variableGradients
    : Object.entries(variableGradients).map(([name, tensor]) => ({ name, tensor }));
  const seen = new Set<string>();
  const updates: Update[] = [];
  for (const { name, tensor: gradient } of named) {
    const variable = variableNamed(name);
    if (!variable) throw new Error(`${OP}: there is no variable '${name}'`);
    if (!gradient) continue;
    const wanted = () => `a float32 tensor of shape [${variable.shape}]`;
    if (variable.dtype !== 'float32') fail(OP, `variable '${name}'`, wanted(), variable);
    if (gradient.isDisposed) throw new Error(`${OP}: the gradient of '${name}' is a tensor that was disposed`);
    if (gradient.dtype !== 'float32' || !util.arraysEqual(gradient.shape, variable.shape)) {
      fail(OP, `the gradient of '${name}'`, wanted(), gradient);
    }
    if (seen.has(name)) throw new Error(`${OP}: there are two gradients of '${name}'`);
    seen.add(name);
    // An empty variable has nothing to update, and not every backend can sum over it.
    if (variable.size > 0) updates.push({ name, variable, gradient });
  }
  return updates;
}

function pairMoments(weights: NamedTensor[]): Map<string, { m: Tensor; v: Tensor }> {
  const pairs = new Map<string, { m?: Tensor; v?: Tensor }>();
  for (const { name, tensor } of weights) {
    const [, variable, moment] = /^(.*)\/([mv])$/.exec(name) ?? [];
    if (variable === undefined)
      throw new Error(`${OP}: setWeights knows no '${name}', only names that end in /m or /v`);
    const pair = pairs.get(variable) ?? {};
    pair[moment as 'm' | 'v'] = tensor;
    pairs.set(variable, pair);
  }
  for (const [name, { m, v }] of pairs) {
    if (!m || !v) throw new Error(`${OP}: setWeights misses '${name}/${m ? 'v' : 'm'}'`);
  }
  return pairs as Map<string, { m: Tensor; v: Tensor }>;
}
