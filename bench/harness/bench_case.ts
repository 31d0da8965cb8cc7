import * as tf from '@tensorflow/tfjs';

/** One of the two things that a case compares: ours, or the same from stock tfjs ops. */
export interface Subject {
  /** What is timed. The tensors that it returns are disposed by the caller, whatever else it makes by a tidy around it. */
  call(): tf.Tensor[];
  /** What shows after the first call whether it was right; default what that call returned. */
  outputs?(): tf.Tensor[];
  dispose(): void;
}

/** One op at one shape. */
export interface BenchCase {
  /** The op's name: what --only takes. */
  readonly op: string;
  readonly shape: string;
  /** What is timed. */
  readonly timed: 'forward' | 'forward and backward' | 'step';
  /** The milliseconds to reach on an H200. */
  readonly target?: number;
  /** The least bytes that have to move between the device's memory and its cores. */
  readonly bytes?: number;
  /** The floating point operations of the matmuls. */
  readonly operations?: number;
  /** The most bytes that the stock variant holds at once, roughly, where that is a lot. */
  readonly stockBytes?: number;
  /** Peak memory with the inputs (a whole model) rather than above them. */
  readonly totalMemory?: boolean;
  /** Makes the inputs, which are the same for both. */
  ours(): Subject;
  stock?(): Subject;
}

type Inputs = Record<string, tf.Tensor>;

/** A function of inputs that are made once. */
export function onInputs<I extends Inputs>(make: () => I, call: (inputs: I) => tf.Tensor[]): () => Subject {
  return () => {
    const inputs = tf.tidy(make);
    return { call: () => call(inputs), dispose: () => tf.dispose(inputs) };
  };
}

/**
 * A function of inputs that are made once, and its gradients in those that `differentiated` names. Of the value the gradient is
 * the input `dy`, or 1 where there is none, as for a loss.
 */
export function forwardAndBackward<I extends Inputs>(
  make: () => I,
  differentiated: readonly (keyof I & string)[],
  run: (inputs: I) => tf.Tensor,
): () => Subject {
  return onInputs(make, (inputs) => {
    const xs = differentiated.map((name) => inputs[name]!);
    const { value, grads } = tf.engine().gradients(() => run(inputs), xs, inputs.dy as tf.Tensor);
    return [value, ...grads];
  });
}
