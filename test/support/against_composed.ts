/** Property tests: the kernel of the backend under test against the composed one, over odd sizes. */
import fc from 'fast-check';
import '../../src/index.js';
import { composedKernel, runKernel } from '../../src/kernels/run_kernel.js';
import { backendName, tf } from './backend.js';
import { expectClose, expectNoLeak, GRADIENT_TOLERANCE, OUTPUT_TOLERANCE } from './golden.js';

/** Where kernels go wrong: one, primes, no multiple of four, multiples, and one past a workgroup. */
export const oddSize = fc.constantFrom(1, 2, 3, 4, 5, 7, 8, 13, 31, 32, 33, 64, 97, 128, 129, 257, 1025);
/** As `oddSize`, but for a dimension that costs more. */
export const smallOddSize = fc.constantFrom(1, 2, 3, 4, 5, 7, 16, 17, 33);

export interface KernelCall {
  inputs: Record<string, tf.Tensor>;
  attrs: object;
}

/**
 * Defines a test that runs a kernel and its composed counterpart on the same random inputs. Where the backend has no kernel
 * of its own there is nothing to compare, and no test.
 *
 * @param sizes The sizes that a case is made of.
 * @param makeCall Makes the call for some sizes, inside a tidy.
 */
export function describeAgainstComposed<Sizes extends unknown[]>(
  kernelName: string,
  sizes: { [K in keyof Sizes]: fc.Arbitrary<Sizes[K]> },
  makeCall: (...sizes: Sizes) => KernelCall,
  { numRuns = 12, tolerance = kernelName.endsWith('Grad') ? GRADIENT_TOLERANCE : OUTPUT_TOLERANCE } = {},
): void {
  if (tf.getKernel(kernelName, backendName)?.kernelFunc === composedKernel(kernelName)) return;
  it(`${kernelName} agrees with its composed kernel`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.tuple(...sizes), async (values) => {
        const [own, composed] = tf.tidy(() => {
          const { inputs, attrs } = makeCall(...(values as Sizes));
          const call = { inputs, attrs: attrs as tf.NamedAttrMap, backend: tf.backend() };
          const reference = composedKernel(kernelName)(call as never) as unknown as tf.Tensor | tf.Tensor[];
          return [runKernel(kernelName, inputs, attrs), Array.isArray(reference) ? reference : [reference]];
        });
        try {
          for (const [i, output] of own!.entries()) {
            await expectClose(output, composed![i]!, output.dtype === 'int32' ? 0 : tolerance, `output ${i}`);
          }
        } finally {
          tf.dispose([own, composed] as never);
        }
      }),
      { numRuns, seed: 1, endOnFailure: true },
    );
  });
}

/**
 * The same for kernels over rows, over odd sizes and then over each of `shapes`, [rows, length]: rows that do not fit the
 * registers of a workgroup, or more rows than workgroups.
 */
export function describeRowsAgainstComposed(
  makeCalls: Record<string, (rows: number, length: number) => KernelCall>,
  shapes: ReadonlyArray<readonly [rows: number, length: number]>,
): void {
  for (const [kernelName, makeCall] of Object.entries(makeCalls)) {
    describeAgainstComposed(kernelName, [smallOddSize, oddSize], makeCall);
  }
  for (const [rows, length] of shapes) {
    describe(`of [${rows}, ${length}]`, () => {
      for (const [kernelName, makeCall] of Object.entries(makeCalls)) {
        describeAgainstComposed(kernelName, [fc.constant(rows), fc.constant(length)], makeCall, { numRuns: 1 });
      }
    });
  }
}

/**
 * Defines a test that a kernel which is run by its name has the gradients of its op, bit for bit, in all of `inputs`.
 *
 * @param makeCall Makes the call; `constants` are the inputs that have no gradient.
 * @param op The op on the same tensors: the kernel's first output.
 */
export function itDifferentiatesByName(
  kernelName: string,
  makeCall: () => KernelCall & { constants?: Record<string, tf.Tensor> },
  op: (tensors: Record<string, tf.Tensor>) => tf.Tensor,
): void {
  it('differentiates when its kernel is run by name', async () => {
    await expectNoLeak(async () => {
      const { inputs, constants = {}, attrs } = makeCall();
      const names = Object.keys(inputs);
      const gradients = (f: (tensors: Record<string, tf.Tensor>) => tf.Tensor) =>
        tf.tidy(() => {
          const ofList = (...tensors: tf.Tensor[]) =>
            f({ ...Object.fromEntries(names.map((name, i) => [name, tensors[i]!])), ...constants });
          const list = Object.values(inputs);
          return tf.grads(ofList)(list, random(ofList(...list).shape, 9));
        });
      const byName = gradients((tensors) => {
        const outputs = tf.engine().runKernel(kernelName, tensors, attrs as tf.NamedAttrMap) as tf.Tensor | tf.Tensor[];
        return Array.isArray(outputs) ? outputs[0]! : outputs;
      });
      const byOp = gradients(op);
      for (const [i, gradient] of byName.entries()) await expectClose(gradient, byOp[i]!, 0, names[i]);
      tf.dispose([inputs, constants, byName, byOp]);
    });
  });
}

/** A random tensor from a seed, uniform in [-1, 1): the same on every backend. */
export function random(shape: number[], seed = 1): tf.Tensor {
  return tf.randomUniform(shape, -1, 1, 'float32', seed);
}
