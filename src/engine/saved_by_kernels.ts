/** Has tfjs's engine save of a kernel's tensors what its gradient will read. */
import { type GradConfig, getGradient, type Tensor } from '@tensorflow/tfjs-core';
import { engineInternals } from './internals.js';
import { type ReadBy, readByGradients, readersOf, readingAll } from './read_by_gradients.js';
import { isShapeOnly, ShapeOnly } from './shape_only.js';
import { mayNeedGradient } from './tape.js';

/** By the gradients that were registered then, so that another one in the place of one of these has all that it wants. */
const readersByGradient = new WeakMap<GradConfig, NonNullable<ReturnType<typeof readersOf>>>();
const known = new Set<string>();
let isReplaced = false;

/** Puts stand-ins in the place of what no gradient of a kernel of tfjs's will read, while `isOn` says so. */
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
  const tensorsForGradient = target.getTensorsForGradient;
  target.getTensorsForGradient = (kernelName, inputs, outputs) => {
    const tensors = tensorsForGradient.call(target, kernelName, inputs, outputs);
    if (tensors.length === 0) return tensors;
    const readers = readersByGradient.get(getGradient(kernelName));
    if (!readers || !isOn()) return tensors;
    const isRead = (readBy: ReadBy) => {
      if (readBy === 'none') return false;
      // In a backward pass that is recorded, what is computed with it leads to it.
      if (readBy === 'none, but computed with') return target.state.gradientDepth > 1;
      return readBy.some((name) => inputs[name] && mayNeedGradient(inputs[name]));
    };
    if (readers === 'no input' || (readers === 'all' && !isRead(Object.keys(inputs)))) return tensors.map(shapeOf);
    return readers === 'all' ? tensors : tensors.map((tensor, i) => (isRead(readers[i]!) ? tensor : shapeOf(tensor)));
  };
  target.saveTensorsForBackwardMode = (tensors) =>
    tensors.map((tensor) => (tensor && isShapeOnly(tensor) ? tensor : target.keep(target.clone(tensor))));
}

/** An optional input that a call lacks remains undefined. */
const shapeOf = (tensor: Tensor): Tensor => (tensor ? new ShapeOnly(tensor) : tensor);
