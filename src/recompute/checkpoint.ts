import { Tensor, type TensorContainer, tidy, Variable } from '@tensorflow/tfjs-core';
import { fail } from '../checks/errors.js';
import { runDiscarding } from '../engine/discarding_tape.js';
import { gradientsThrough, recordNode } from '../engine/recorded_node.js';
import { newSeed } from '../engine/replay.js';
import { withRandom } from './repeatable_random.js';

const name = 'checkpoint';

/**
 * Runs a part of a model, such as a block, of which nothing is kept for the backward pass: it is computed again there. A model of
 * L blocks then holds the inputs of all blocks and what one of them keeps, instead of what all keep, for one more forward pass.
 *
 * Gradients reach the inputs and the variables that `fn` uses. Random ops in it (dropout) give the same numbers both times.
 * Checkpoints may stand within one another. Where no gradient is asked for, `fn` just runs.
 *
 * Chen et al., "Training Deep Nets with Sublinear Memory Cost" (2016); PyTorch's `torch.utils.checkpoint`.
 *
 * @param fn A synchronous function of tensors. Tensors that it uses without being given them must live until the backward pass, as
 *     variables do: pass what was computed as an input.
 * @param inputs What `fn` is given.
 * @returns What `fn` returns: a tensor, or an array or object of tensors.
 * @throws If an input is no tensor. In the backward pass, if a tensor that `fn` uses was disposed.
 */
export function checkpoint<const Inputs extends readonly Tensor[], R extends TensorContainer>(
  fn: (...inputs: Inputs) => R,
  ...inputs: Inputs
): R {
  if (typeof fn !== 'function') fail(name, 'fn', 'a function', fn);
  for (const [i, input] of inputs.entries())
    if (!(input instanceof Tensor)) fail(name, `input ${i}`, 'a tensor', input);
  return tidy(name, () => {
    const seed = newSeed();
    const { value, used } = runDiscarding(() => withRandom(seed, () => fn(...inputs)));
    if (used.length === 0) return value;
    const outputs = tensorsIn(value);
    const given = [...new Set(inputs)];
    recordNode({
      inputs: used,
      outputs,
      save: given,
      backward: (dys, saved) => {
        // What `fn` was given is replaced by what was saved of it.
        const savedOf = (tensor: Tensor) => saved[given.indexOf(tensor)];
        const again = () => fn(...(inputs.map(savedOf) as unknown as Inputs));
        const xs = used.map((tensor) => savedOf(tensor) ?? living(tensor));
        return gradientsThrough(() => tensorsIn(withRandom(seed, again)), xs, dys);
      },
    });
    return value;
  });
}

/** Of a variable, or of another tensor that is still there. */
export function living(tensor: Tensor): Tensor {
  if (tensor.isDisposed && !(tensor instanceof Variable)) {
    throw new Error(
      `${name}: a tensor of shape [${tensor.shape}] that fn uses was disposed before the backward pass; pass it as an input`,
    );
  }
  return tensor;
}

const tensorsIn = (container: TensorContainer): Tensor[] => {
  const tensors: Tensor[] = [];
  const visit = (value: unknown) => {
    if (value instanceof Tensor) tensors.push(value);
    else if (typeof value === 'object' && value !== null) Object.values(value).forEach(visit);
  };
  visit(container);
  return tensors;
};
