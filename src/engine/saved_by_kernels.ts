/** Has tfjs's engine save of tensors what gradients will read. */
import { type GradConfig, getGradient, type Tensor } from '@tensorflow/tfjs-core';
import { type EngineInternals, engineInternals } from './internals.js';
import { type ReadBy, readByGradients, readersOf, readingAll, unreadOutputs } from './read_by_gradients.js';
import { isShapeOnly, ShapeOnly } from './shape_only.js';
import { mayNeedGradient } from './tape.js';

/** By the gradients that were registered then, so that another one in the place of one of these has all that it wants. */
const readersByGradient = new WeakMap<GradConfig, NonNullable<ReturnType<typeof readersOf>>>();
const known = new Set<string>();
let isReplaced = false;

/** Puts stand-ins in the place of what no gradient of tfjs's will read, while `isOn` says so. */
export function saveWhatIsRead(isOn: () => boolean): void {
  for (const kernelName of [...readByGradients.keys(), ...readingAll]) {
    const config: GradConfig | undefined = getGradient(kernelName);
    const readers = config && !known.has(kernelName) && readersOf(config);
    if (!readers) continue;
    known.add(kernelName);
    readersByGradient.set(config, readers);
  }
  if (isReplaced) return;
  isReplaced = true;
  const target = engineInternals();
  replaceSavingOfKernels(target, isOn);
  replaceSavingOfOps(target, isOn);
}

function replaceSavingOfKernels(target: EngineInternals, isOn: () => boolean): void {
  const { getTensorsForGradient } = target;
  target.getTensorsForGradient = (kernelName, inputs, outputs) => {
    const tensors = getTensorsForGradient.call(target, kernelName, inputs, outputs);
    if (tensors.length === 0) return tensors;
    const readers = readersByGradient.get(getGradient(kernelName));
    if (!readers || !isOn()) return tensors;
    const isRead = (readBy: ReadBy) => {
      if (readBy === 'none') return false;
      // In a backward pass that is recorded, what is computed with it leads to it.
      if (readBy === 'none, but computed with') return target.state.gradientDepth > 1;
      return readBy.some((name) => inputs[name] && mayNeedGradient(inputs[name]));
    };
    if (readers === 'no input') return Saving.make(tensors, () => false);
    if (readers !== 'all') return Saving.make(tensors, (i) => isRead(readers[i]!));
    return isRead(Object.keys(inputs)) ? tensors : Saving.make(tensors, () => false);
  };
}

function replaceSavingOfOps(target: EngineInternals, isOn: () => boolean): void {
  const { customGrad } = target;
  target.customGrad = (f) => {
    const unread = unreadOutputs.get(target.state.activeScope?.name ?? 'none');
    if (unread === undefined || !isOn()) return customGrad.call(target, f);
    return customGrad.call(target, (...inputs) => {
      const save = inputs.pop() as (tensors: Tensor[]) => void;
      return f(...inputs, (tensors: Tensor[]) => save(Saving.make(tensors, (i) => i !== unread)));
    });
  };
}

/** What tfjs maps to clones of it: stand-ins stay as they are. */
class Saving extends Array<Tensor> {
  static make(tensors: readonly Tensor[], isRead: (i: number) => boolean): Saving {
    const saving = new Saving();
    // An optional input that a call lacks remains undefined.
    for (const [i, tensor] of tensors.entries())
      saving.push(tensor && !isRead(i) && !isShapeOnly(tensor) ? new ShapeOnly(tensor) : tensor);
    return saving;
  }

  override map<U>(clone: (tensor: Tensor, index: number, all: Tensor[]) => U): U[] {
    const saved: U[] = [];
    for (const [i, tensor] of this.entries())
      saved.push(tensor && isShapeOnly(tensor) ? (tensor as U) : clone(tensor, i, this));
    return saved;
  }
}
