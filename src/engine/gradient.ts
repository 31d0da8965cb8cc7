import { type GradConfig, getGradient, registerGradient, type Tensor } from '@tensorflow/tfjs-core';
import type { Contract, Tensors } from '../kernels/contracts/shared/contract.js';
import { SavedNames, type SavedTensors } from './saved_tensors.js';

/** The gradient of each input that has one, as a function that the tape calls only where it needs it. */
type GradientsOf<Inputs> = { [K in keyof Inputs]?: (() => Tensor | undefined) | undefined };

interface GradientDefinition<
  Inputs,
  Attrs,
  Outputs,
  Saved extends keyof Inputs | keyof Outputs,
  Hidden extends keyof Outputs,
> {
  /** The inputs and outputs that are kept for the backward pass. Those that a call does not have are left out. */
  save: readonly Saved[];
  /** Leaves some of them out, by the call's attributes. A call of the kernel by its name saves them all the same. */
  saves?(name: Saved, attrs: Attrs): boolean;
  /**
   * The outputs that are there for the backward pass alone. The tape does not see them as outputs, for each of which it would
   * make a gradient of zeros in JavaScript.
   */
  hide?: readonly Hidden[];
  /**
   * The gradients of the inputs.
   *
   * @param dys The gradients of the outputs.
   * @param saved What was saved.
   * @param wants Whether the gradient of a saved input is wanted: for a kernel that computes several at once.
   * @param inPlace Whether a kernel may write over the data of what was saved, where no one else holds it: it is not read again.
   */
  backward(
    dys: { readonly [K in Exclude<keyof Outputs, Hidden>]: NonNullable<Tensors<Outputs, Tensor>[K]> },
    saved: { readonly [K in Saved]: K extends keyof Inputs ? Tensors<Inputs, Tensor>[K] : SavedOutput<Outputs, K> },
    attrs: Attrs,
    wants: { readonly [K in Saved & keyof Inputs]: boolean },
    inPlace: boolean,
  ): GradientsOf<Inputs>;
}

type SavedOutput<Outputs, K> = K extends keyof Outputs ? Tensors<Outputs, Tensor>[K] : never;

/** The gradient of a kernel, by names. */
export interface Gradient {
  readonly contract: Contract;
  /** What tfjs looks up. */
  readonly config: GradConfig;
  readonly hidden: ReadonlySet<string>;
  /** Whether a call has hidden outputs. */
  hides(attrs: object): boolean;
  /** The names of what a call saves. */
  savedBy(inputs: object, attrs: object): string[];
}

/** The gradient's definition, by names that are no longer typed. */
type Backward = (
  dys: Readonly<Record<string, Tensor>>,
  saved: Readonly<Record<string, Tensor>>,
  attrs: object,
  wants: Readonly<Record<string, boolean>>,
  inPlace: boolean,
) => Record<string, () => Tensor>;

/** Every gradient that was registered, by the name of its kernel. */
export const gradients = new Map<string, Gradient>();

/** Registers a gradient, for this library's calls and for those of the kernel by its name. */
export function registerGradientOf(gradient: Gradient): void {
  const { name } = gradient.contract;
  gradients.set(name, gradient);
  // Another copy of this library may have registered its own.
  if (!getGradient(name)) registerGradient(gradient.config);
}

/**
 * The gradient of a kernel:
 *
 *     export const rmsNormGradient = gradientOf(RmsNorm, {
 *       save: ['x', 'gamma', 'rstd'],
 *       backward: ({ y: dy }, { x, gamma, rstd }, { offset }) => …
 *     });
 */
export function gradientOf<
  Inputs,
  Attrs,
  Outputs,
  const Saved extends keyof Inputs | keyof Outputs,
  const Hidden extends keyof Outputs = never,
>(
  contract: Contract<Inputs, Attrs, Outputs>,
  definition: GradientDefinition<Inputs, NoInfer<Attrs>, Outputs, Saved, Hidden>,
): Gradient {
  const save = definition.save as readonly string[];
  const hidden = new Set(definition.hide as readonly string[] | undefined);
  const backward = definition.backward as unknown as Backward;
  const { outputs } = contract;
  const savedOutputs = outputs.filter((name) => save.includes(name));
  // Beyond the first output that a call may lack, the places of outputs are not certain: all are saved then.
  const certain = savedOutputs.every((name) => outputs.indexOf(name) <= contract.always);
  return {
    contract,
    hidden,
    hides: (attrs) => hidden.size > 0 && contract.outputsOf(attrs).some((name) => hidden.has(name)),
    savedBy: (inputs, attrs) => {
      const present = contract.outputsOf(attrs);
      const saves = (name: string) => definition.saves?.(name as Saved, attrs as Attrs) ?? true;
      return save.filter((name) => (name in inputs || present.includes(name)) && saves(name));
    },
    config: {
      kernelName: contract.name,
      inputsToSave: new SavedNames(...save),
      outputsToSave: outputs.map((name) => !certain || savedOutputs.includes(name)),
      gradFunc: (dys, saved, attrs) => {
        const tensors = saved as SavedTensors;
        const present = contract.outputsOf(attrs);
        const list = Array.isArray(dys) ? dys : [dys];
        const dysByName: Record<string, Tensor> = {};
        for (const [i, name] of (tensors.visible ?? present).entries()) dysByName[name] = list[i]!;
        const outputNames = certain ? present.filter((name) => savedOutputs.includes(name)) : present;
        return backward(dysByName, tensors.byName(outputNames), attrs, tensors.wants, tensors.isLastUse);
      },
    },
  };
}
