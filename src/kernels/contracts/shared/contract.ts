import type { TensorInfo } from '@tensorflow/tfjs-core';

/**
 * What ops, gradients and the kernels of every backend share: a kernel's name in tfjs's registry, and the types of its inputs,
 * attributes and outputs.
 *
 * `Inputs` and `Outputs` are objects of tensors by their names, or lists of tensors.
 */
export interface Contract<Inputs = unknown, Attrs = unknown, Outputs = unknown> {
  readonly name: string;
  /** The names of all outputs that a call may have, in the order in which tfjs has them; none where they are a list. */
  readonly outputs: readonly string[];
  readonly isList: boolean;
  /** How many of them every call has: the first ones. */
  readonly always: number;
  /** The names of those that a call has. */
  outputsOf(attrs: object): readonly string[];
  /** For the compiler alone. */
  readonly types?: { readonly inputs: Inputs; readonly attrs: Attrs; readonly outputs: Outputs };
}

/** An object, or a list, of `T` in the place of each tensor. */
export type Tensors<Shape, T> = { [K in keyof Shape]: Shape[K] extends TensorInfo ? T : T | undefined };

/** The attributes of a kernel without any. */
type NoAttrs = Readonly<Record<string, never>>;

/** When an output is there that not every call has. */
type Conditions<Attrs, Name extends string> = { readonly [K in Name]: (attrs: Attrs) => boolean };

type Outputs<Always extends string, Sometimes extends string> = { [K in Always]: TensorInfo } & {
  [K in Sometimes]?: TensorInfo;
};

/**
 * A contract:
 *
 *     export const Linear = contract<LinearInputs, LinearAttrs>()('LigerLinear', ['y'], { z: ({ keepZ }) => keepZ });
 *
 * The last argument has the outputs that some calls lack; they come after the others.
 */
export const contract =
  <Inputs extends object, Attrs extends object = NoAttrs>() =>
  <const Always extends string, const Sometimes extends string = never>(
    name: string,
    always: readonly Always[],
    sometimes = {} as Conditions<Attrs, Sometimes>,
  ): Contract<Inputs, Attrs, Outputs<Always, Sometimes>> => {
    const conditions = Object.entries<(attrs: Attrs) => boolean>(sometimes);
    return {
      name,
      outputs: [...always, ...conditions.map(([output]) => output)],
      always: always.length,
      isList: false,
      outputsOf(attrs) {
        if (conditions.length === 0) return always;
        return [...always, ...conditions.flatMap(([output, isThere]) => (isThere(attrs as Attrs) ? [output] : []))];
      },
    };
  };

/** A contract whose outputs are a list. */
export const listContract =
  <Inputs extends object, Attrs extends object>() =>
  (name: string): Contract<Inputs, Attrs, readonly TensorInfo[]> => ({
    name,
    outputs: [],
    always: 0,
    isList: true,
    outputsOf: () => [],
  });
