import { engine, Tensor, type TensorContainer, tidy } from '@tensorflow/tfjs-core';
import { type Recorder, recorderOf } from '../backend/recorder.js';
import { fail } from '../checks/errors.js';
import { isRecording } from '../engine/tape.js';
import { CapturedStep } from './captured_step.js';

const name = 'capture';

/** What {@link capture} returns: the step, to be called in its place. */
export interface Captured<Inputs extends readonly Tensor[], R> {
  (...inputs: Inputs): R;
  /** Gives back what the step holds: its buffers, and the tensors that it returned. */
  dispose(): void;
}

/** Steps of so many shapes are kept; the one that was not called for longest goes first. */
const MOST_SHAPES = 32;

/**
 * A step that is recorded once and then replayed: what CUDA graphs are to PyTorch. The first call with inputs of new shapes runs
 * `step` as always, and records the commands that it gives the device. Later calls copy the inputs to where the commands expect
 * them and run the commands again: no tape, no ops, a microsecond of JavaScript for each dispatch. The numbers are those of the
 * step itself, bit for bit.
 *
 * - Outputs are the same tensors in each call, with new values: read or copy them before the next one. One that was disposed is
 *   another tensor in the next call.
 * - Variables may be updated, by any optimizer. The learning rate and the step's number of `train.adamW` are read at each call;
 *   attention's dropout drops others at each call, unless it is given a seed.
 * - A call that leaves tensors behind, such as an optimizer's first, which makes its state, is not replayed: the next one is recorded
 *   anew. So is a call after variables were assigned, or tensors that the step reads were disposed.
 * - JavaScript in `step` runs only while it is recorded: what it computes from numbers remains as it was.
 *
 * What the step makes besides its outputs is disposed, as by `tf.tidy`. On other backends, and where a gradient of the step is
 * asked for, `step` just runs in one.
 *
 * ```js
 * const step = liger.capture((inputIds, labels) =>
 *   optimizer.minimize(() => model.loss(inputIds, labels), true));
 * for (const [inputIds, labels] of batches) step(inputIds, labels);
 * ```
 *
 * @param step A synchronous function of tensors of type float32, int32 or bool.
 * @returns A function of the same inputs and outputs, with `dispose`.
 * @throws A call throws where an input is no tensor, and where the step can't be captured: it reads a tensor back, draws random numbers in
 *     JavaScript, or leaves tensors behind at each call. The step ran as always then, and nothing is lost.
 */
export function capture<const Inputs extends readonly Tensor[], R extends TensorContainer | null>(
  step: (...inputs: Inputs) => R,
): Captured<Inputs, R> {
  if (typeof step !== 'function') fail(name, 'step', 'a function', step);
  let recorder: Recorder | null = null;
  const steps = new Map<string, CapturedStep<R>>();
  const dispose = () => {
    for (const captured of steps.values()) captured.dispose();
    steps.clear();
    recorder?.dispose();
    recorder = null;
  };
  const call = (...inputs: Inputs): R => {
    for (const [i, input] of inputs.entries()) {
      if (!(input instanceof Tensor)) fail(name, `input ${i}`, 'a tensor', input);
      if (input.isDisposed) fail(name, `input ${i}`, 'a tensor that was not disposed', input);
      if (input.dtype === 'string' || input.dtype === 'complex64') {
        fail(name, `input ${i}`, 'a tensor of type float32, int32 or bool', input);
      }
    }
    const { backend } = engine();
    if (recorder && !recorder.isOf(backend)) dispose();
    recorder ??= recorderOf(backend);
    // Within another capture the step is part of that one; a tape would miss what is replayed.
    if (!recorder || recorder.isBusy || isRecording()) return tidy(() => step(...inputs) as TensorContainer) as R;
    const key = inputs.map(({ dtype, shape }) => `${dtype}[${shape}]`).join();
    const known = steps.get(key);
    const captured = known ?? new CapturedStep(recorder, step as unknown as (...inputs: Tensor[]) => R, inputs);
    if (known) steps.delete(key);
    else if (steps.size >= MOST_SHAPES) {
      const [oldest, forgotten] = steps.entries().next().value!;
      steps.delete(oldest);
      forgotten.dispose();
    }
    steps.set(key, captured);
    return captured.call(inputs);
  };
  return Object.assign(call, { dispose });
}
