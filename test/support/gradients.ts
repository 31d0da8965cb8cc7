/** For the specs of gradients that no import registers. */
import { backendName, tf } from './backend.js';
import { expectClose, GRADIENT_TOLERANCE } from './golden.js';

/** Registers gradients for the tests of the suite that is being defined, and leaves the registry as it was. */
export function withGradients(...configs: readonly tf.GradConfig[]): void {
  const earlier = new Map<string, tf.GradConfig | undefined>();
  before(() => {
    for (const config of configs) {
      earlier.set(config.kernelName, tf.getGradient(config.kernelName));
      tf.registerGradient(config);
    }
  });
  after(() => {
    for (const [kernelName, config] of earlier) {
      tf.unregisterGradient(kernelName);
      if (config) tf.registerGradient(config);
    }
  });
}

/** Has a GPU compute in the tests of the suite what tfjs would compute in JavaScript: its gatherND leaks data there. */
export function withoutCpuForwarding(): void {
  const flag = { webgpu: 'WEBGPU_CPU_FORWARD', webgl: 'WEBGL_CPU_FORWARD' }[backendName];
  if (!flag) return;
  before(() => tf.env().set(flag, false));
  after(() => tf.env().set(flag, true));
}

/** The gradients that a GradConfig gives for the result `dy` of saved tensors; the caller's to dispose. */
export const gradientsBy = (
  { gradFunc }: Pick<tf.GradConfig, 'gradFunc'>,
  dy: tf.Tensor | tf.Tensor[],
  saved: tf.Tensor[],
  attrs: object = {},
): Record<string, tf.Tensor> =>
  tf.tidy(() => {
    const slopes = Object.entries(gradFunc(dy, saved, attrs as tf.NamedAttrMap));
    return Object.fromEntries(slopes.map(([name, slope]) => [name, slope()]));
  });

/** Compares the gradients of `f`, from the tape, with expected ones. */
export async function expectGradients(
  f: (...inputs: tf.Tensor[]) => tf.Tensor,
  inputs: tf.Tensor[],
  dy: tf.Tensor | undefined,
  expected: ArrayLike<number>[],
): Promise<void> {
  const gradients = tf.tidy(() => tf.grads(f)(inputs, dy));
  for (const [i, gradient] of gradients.entries()) {
    await expectClose(
      gradient,
      { dtype: 'float32', shape: inputs[i]!.shape, data: Float32Array.from(expected[i]!) },
      GRADIENT_TOLERANCE,
      `gradient ${i}`,
    );
  }
  tf.dispose(gradients);
}

/** The slopes of a function of numbers, in float64: how much more it gives where each of them is a little larger. */
export function slopesOf(f: (x: number[]) => number, x: ArrayLike<number>, step = 1e-4): number[] {
  const numbers = Array.from(x);
  const at = (i: number, delta: number) => f(numbers.map((value, j) => (j === i ? value + delta : value)));
  return numbers.map((_, i) => (at(i, step) - at(i, -step)) / (2 * step));
}

/** Σ a_i · b_i. */
export const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((sum, value, i) => sum + value * b[i]!, 0);
