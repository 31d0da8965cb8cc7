import { keep, Tensor, type TensorContainer, tensor_util, tidy, Variable } from '@tensorflow/tfjs-core';
import type { TensorData } from '../backend/device_backend.js';
import type { Recorder } from '../backend/recorder.js';
import type { Recording } from '../backend/recording.js';
import { noticeRandom } from '../engine/replay.js';

const { getTensorsInContainer } = tensor_util;

/** So many calls may leave tensors behind before the step is given up. */
const MOST_ATTEMPTS = 3;

/** A step for inputs of one set of shapes. */
export class CapturedStep<R extends TensorContainer | null> {
  /** What the step reads. */
  private readonly inputs: Tensor[];
  /** What the step writes: the tensors that it returned when it was recorded. */
  private outputs: Tensor[] = [];
  /** Those that its caller has of them, who may dispose them. */
  private given: Tensor[] = [];
  /** What the step returned, and what is returned for it. */
  private returned: R | undefined;
  private result: R | undefined;
  private recording: Recording | null = null;
  private attempts = 0;

  constructor(
    private readonly recorder: Recorder,
    private readonly step: (...inputs: Tensor[]) => R,
    like: readonly Tensor[],
  ) {
    this.inputs = like.map((tensor) => keep(recorder.tensorLike(tensor)));
  }

  call(inputs: readonly Tensor[]): R {
    const { recorder, recording } = this;
    for (const [i, input] of inputs.entries()) recorder.copy(input, this.inputs[i]!);
    if (recording?.isCurrent) {
      recorder.separateVariables(recording);
      recording.replay();
    } else {
      recording?.dispose();
      this.recording = null;
      this.record();
    }
    return this.give();
  }

  /** Runs the step as always, and records it. */
  private record(): void {
    const recording = this.recorder.begin();
    const before = this.recorder.variables();
    let returned: R | undefined;
    let left = 0;
    const outputs = () => getTensorsInContainer(returned as TensorContainer).filter((tensor) => !isIn(before, tensor));
    try {
      recording.record(() => {
        try {
          returned = this.run(recording, before);
        } finally {
          // After an error, too: variables that were assigned by then must not lie where a recording writes.
          left = recording.finish(before, outputs());
        }
      });
      if (left > 0 && ++this.attempts >= MOST_ATTEMPTS) {
        recording.refuse(`the step leaves ${left} tensors behind at each call; what it keeps must be a tf.variable`);
      }
    } catch (error) {
      recording.dispose();
      for (const tensor of outputs()) tensor.dispose();
      throw error;
    }
    this.adopt(returned as R, outputs());
    if (left === 0) {
      this.recording = recording;
      this.attempts = 0;
      this.recorder.limitMemory(recording);
    } else {
      recording.dispose();
    }
  }

  private run(recording: Recording, before: ReadonlyMap<Variable, TensorData>): R {
    const { recorder } = this;
    const run = () => {
      const { result, drewIn } = noticeRandom(() => this.step(...this.inputs));
      if (result instanceof Promise) {
        result.catch(() => {}); // It may be told of what is refused here.
        throw new Error('capture: the step must not be async');
      }
      if (drewIn !== null) {
        recording.refuse(`${drewIn} draws random numbers in JavaScript, which would be the same in each replay`);
      }
      // The step may have caught the error.
      if (recording.problem) recording.refuse(recording.problem);
      recorder.separateAssigned(recording, before);
      const outputOf = recorder.outputsOf(recording);
      return mapTensors(result, (tensor) => (isIn(before, tensor) ? tensor : outputOf(tensor)));
    };
    return tidy(run as () => TensorContainer) as R;
  }

  /** Has the tensors that were returned before hold what was returned now, if they are alike. */
  private adopt(returned: R, made: Tensor[]): void {
    const { outputs } = this;
    const pairs = new Map<TensorData, TensorData>();
    const isAlike = made.length === outputs.length && made.every((tensor, i) => this.pair(pairs, tensor, outputs[i]!));
    if (!isAlike) {
      for (const tensor of [...outputs, ...this.given]) tensor.dispose();
      this.outputs = made.map((tensor) => keep(tensor));
      this.given = [];
      this.returned = returned;
      return;
    }
    for (const [data, old] of pairs) {
      const { resource, values } = old;
      old.resource = data.resource;
      old.values = data.values;
      data.resource = resource;
      data.values = values;
    }
    this.returned = mapTensors(returned, (tensor) => outputs[made.indexOf(tensor)] ?? tensor);
    for (const tensor of made) tensor.dispose();
  }

  /** Notes whose data an output's is to replace. False where one can't hold what the other does. */
  private pair(pairs: Map<TensorData, TensorData>, tensor: Tensor, output: Tensor): boolean {
    const [data, old] = [this.recorder.dataOf(tensor), this.recorder.dataOf(output)];
    if (pairs.has(data) ? pairs.get(data) !== old : [...pairs.values()].includes(old)) return false;
    pairs.set(data, old);
    const isOnDevice = ({ resource }: TensorData) => resource != null;
    return (
      `${tensor.shape}` === `${output.shape}` && tensor.dtype === output.dtype && isOnDevice(data) === isOnDevice(old)
    );
  }

  /** What is returned to the caller: the same tensors as before, but for those that it disposed. */
  private give(): R {
    const { outputs, given } = this;
    let isSame = this.result !== undefined && given.length === outputs.length;
    for (const [i, output] of outputs.entries()) {
      if (given[i] && !given[i].isDisposed) continue;
      given[i] = keep(output.clone());
      isSame = false;
    }
    if (!isSame) this.result = mapTensors(this.returned!, (tensor) => given[outputs.indexOf(tensor)] ?? tensor);
    return this.result!;
  }

  dispose(): void {
    this.recording?.dispose();
    this.recording = null;
    for (const tensor of [...this.inputs, ...this.outputs, ...this.given]) tensor.dispose();
  }
}

/** Whether a tensor is one of these variables. */
const isIn = (variables: ReadonlyMap<Variable, unknown>, tensor: Tensor) =>
  tensor instanceof Variable && variables.has(tensor);

/** A container like another, of other tensors. */
function mapTensors<R>(value: R, map: (tensor: Tensor) => Tensor): R {
  const visit = (part: unknown): unknown => {
    if (part instanceof Tensor) return map(part);
    if (Array.isArray(part)) return part.map(visit);
    if (part === null || typeof part !== 'object' || ArrayBuffer.isView(part)) return part;
    return Object.fromEntries(Object.entries(part).map(([name, inner]) => [name, visit(inner)]));
  };
  return visit(value) as R;
}
