import { add, engine, fill, ones, Tensor, type TensorContainer, util } from '@tensorflow/tfjs-core';

/** A node of the tape, with what tfjs does not declare of it. */
export interface TapeNode {
  readonly id: number;
  readonly kernelName: string;
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: readonly Tensor[];
  /** `isLastUse` says that no one reads them after the gradient that is computed now. */
  saved?: Tensor[] & { isLastUse?: boolean };
  gradient?(dys: Array<Tensor | null>): Record<string, () => Tensor>;
}

/** What of the engine a backward pass works with. */
interface EngineWithTape {
  readonly state: { activeTape: TapeNode[] | null; gradientDepth: number; activeScope: { id: number } };
  startTape(): void;
  endTape(): void;
  scopedRun<R>(start: () => void, end: () => void, f: () => R): R;
  tidy<R>(name: string | (() => R), f?: () => R): R;
}

/**
 * What the engine's `gradients` computes, in less memory: the gradient of a tensor is given back once the node that made the tensor
 * has used it, and so is what the node saved, which a gradient may be written over. tfjs holds all of them to the end of the pass.
 */
export function gradientsOf(
  f: () => Tensor,
  xs: readonly Tensor[],
  dy: Tensor | null | undefined,
  allowNoGradients: boolean,
): { value: Tensor; grads: Tensor[] } {
  util.assert(xs.length > 0, () => 'gradients() received an empty list of xs.');
  util.assert(dy == null || dy.dtype === 'float32', () => `dy must have 'float32' dtype, but has '${dy!.dtype}'`);
  const target = engine() as unknown as EngineWithTape;
  const { state } = target;
  const y = target.scopedRun(
    () => target.startTape(),
    () => target.endTape(),
    () => target.tidy('forward', f),
  );
  util.assert(y instanceof Tensor, () => 'The result y returned by f() must be a tensor.');
  const tape = state.activeTape ?? [];
  const path = nodesBetween(tape, xs, y);
  if (!allowNoGradients && path.length === 0) {
    throw new Error(
      'Cannot compute gradient of y=f(x) with respect to x. Make sure that the f you passed encloses all operations that lead from x to y.',
    );
  }
  // A tape around this one may ask for what was saved.
  const isOutermost = state.gradientDepth === 0;
  return target.tidy('backward', () => {
    const gradients = new Gradients(state.activeScope.id, dy);
    // Ones would be made in JavaScript.
    gradients.add(y, dy ?? (y.size > 1 ? fill(y.shape, 1) : ones(y.shape)));
    if (isOutermost) {
      const onPath = new Set(path.map(({ node }) => node));
      for (const node of tape) if (!onPath.has(node)) disposeSaved(node);
    }
    const wanted = new Set(xs.map(({ id }) => id));
    for (const { node, inputs } of path.reverse()) {
      if (isOutermost && node.saved) node.saved.isLastUse = true;
      const dys = node.outputs.map((output) => gradients.get(output));
      const dxs = target.tidy(() => gradientsOfNode(node, dys, inputs));
      for (const [name, dx] of Object.entries(dxs)) gradients.add(node.inputs[name]!, dx);
      for (const output of node.outputs) if (!wanted.has(output.id)) gradients.drop(output);
      // What is passed on as it was saved is needed still.
      if (isOutermost && !Object.values(dxs).some((dx) => node.saved?.includes(dx))) disposeSaved(node);
    }
    const grads = xs.map((x) => gradients.get(x)) as Tensor[];
    if (isOutermost) {
      for (const node of tape) disposeSaved(node);
      state.activeTape = null;
    }
    return { value: y, grads } as unknown as TensorContainer as { value: Tensor; grads: Tensor[] };
  });
}

/** Gives back what a node of a tape has saved. */
export function disposeSaved(node: { saved?: Tensor[] }): void {
  for (const tensor of node.saved ?? []) tensor.dispose();
  node.saved = [];
}

/** The gradients of the inputs that are asked for. */
function gradientsOfNode(node: TapeNode, dys: Array<Tensor | null>, inputs: readonly string[]): Record<string, Tensor> {
  const { kernelName } = node;
  if (!node.gradient) throw new Error(`Cannot compute gradient: gradient function not found for ${kernelName}.`);
  const functions = node.gradient(dys);
  const dxs: Record<string, Tensor> = {};
  for (const name of inputs) {
    const gradient = functions[name];
    if (!gradient) {
      throw new Error(`Cannot backprop through input ${name}. Available gradients found: ${Object.keys(functions)}.`);
    }
    const dx = gradient();
    const { shape } = node.inputs[name]!;
    if (dx.dtype !== 'float32' || !util.arraysEqual(dx.shape, shape)) {
      throw new Error(
        `Error in gradient for op ${kernelName}. The gradient of input '${name}' must have 'float32' dtype and shape ` +
          `'${shape}', but has '${dx.dtype}' and '${dx.shape}'`,
      );
    }
    dxs[name] = dx;
  }
  return dxs;
}

/** The gradients of tensors so far. One tensor may be the gradient of several. */
class Gradients {
  private readonly byTensor = new Map<number, Tensor>();
  private readonly uses = new Map<Tensor, number>();

  constructor(
    /** The scope of what may be disposed. */
    private readonly scopeId: number,
    private readonly given: Tensor | null | undefined,
  ) {}

  get({ id }: Tensor): Tensor | null {
    return this.byTensor.get(id) ?? null;
  }

  /** Adds to a tensor's gradient. */
  add(tensor: Tensor, gradient: Tensor): void {
    const before = this.get(tensor);
    const sum = before ? add(before, gradient) : gradient;
    this.uses.set(sum, (this.uses.get(sum) ?? 0) + 1);
    this.byTensor.set(tensor.id, sum);
    if (!before) return;
    this.release(before);
    this.disposeUnused(gradient);
  }

  /** Forgets a tensor's gradient. */
  drop({ id }: Tensor): void {
    const gradient = this.byTensor.get(id);
    this.byTensor.delete(id);
    if (gradient) this.release(gradient);
  }

  private release(gradient: Tensor): void {
    this.uses.set(gradient, this.uses.get(gradient)! - 1);
    this.disposeUnused(gradient);
  }

  private disposeUnused(gradient: Tensor): void {
    if (this.uses.get(gradient)) return;
    this.uses.delete(gradient);
    const { kept, scopeId } = gradient as unknown as { kept: boolean; scopeId: number };
    if (gradient !== this.given && !kept && scopeId === this.scopeId) gradient.dispose();
  }
}

/** The nodes of a tape by which y depends on xs, each with those of its inputs that depend on them. */
function nodesBetween(
  tape: readonly TapeNode[],
  xs: readonly Tensor[],
  y: Tensor,
): Array<{ node: TapeNode; inputs: string[] }> {
  const fromX = new Set(xs.map(({ id }) => id));
  const nodesFromX = tape.filter(({ inputs, outputs }) => {
    const isFromX = Object.values(inputs).some(({ id }) => fromX.has(id));
    if (isFromX) for (const { id } of outputs) fromX.add(id);
    return isFromX;
  });
  const toY = new Set([y.id]);
  const path: Array<{ node: TapeNode; inputs: string[] }> = [];
  for (const node of nodesFromX.reverse()) {
    if (!node.outputs.some(({ id }) => toY.has(id))) continue;
    const inputs = Object.keys(node.inputs).filter((name) => fromX.has(node.inputs[name]!.id));
    for (const name of inputs) toY.add(node.inputs[name]!.id);
    path.push({ node, inputs });
  }
  return path.reverse();
}
