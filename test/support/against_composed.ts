/** Property tests: the kernel of the backend under test against the composed one, over odd sizes. */
import { expect } from 'chai';
import fc from 'fast-check';
import '../../src/register.js';
import { fallbackKernel } from '../../src/engine/fallback_kernels.js';
import { runKernel } from '../../src/engine/run_kernel.js';
import type { Contract, Tensors } from '../../src/kernels/contracts/shared/contract.js';
import { backendName, tf } from './backend.js';
import { expectClose, expectNoLeak, GRADIENT_TOLERANCE, OUTPUT_TOLERANCE } from './golden.js';
import { runsOf } from './passes.js';

/** Where kernels go wrong: one, primes, no multiple of four, multiples, and one past a workgroup. */
export const oddSize = fc.constantFrom(1, 2, 3, 4, 5, 7, 8, 13, 31, 32, 33, 64, 97, 128, 129, 257, 1025);
/** As `oddSize`, but for a dimension that costs more. */
export const smallOddSize = fc.constantFrom(1, 2, 3, 4, 5, 7, 16, 17, 33);

export interface KernelCall<Inputs, Attrs> {
  inputs: Tensors<Inputs, tf.Tensor>;
  attrs: Attrs;
}

/** Runs `fn`, inside a tidy, on tfjs's cpu backend. Tensors move to the backend under test when that reads them. */
async function onCpu<T>(fn: () => T): Promise<T> {
  await tf.setBackend('cpu');
  try {
    return tf.tidy(fn as () => tf.TensorContainer) as T;
  } finally {
    await tf.setBackend(backendName);
  }
}

/**
 * Defines a test that runs a kernel and, on the CPU, its composed counterpart on the same random inputs. Where the backend has
 * no kernel of its own there is nothing to compare, and no test.
 *
 * @param sizes The sizes that a case is made of.
 * @param makeCall Makes the call for some sizes, on the CPU and inside a tidy.
 */
export function describeAgainstComposed<Inputs, Attrs, Outputs, Sizes extends unknown[]>(
  contract: Contract<Inputs, Attrs, Outputs>,
  sizes: { [K in keyof Sizes]: fc.Arbitrary<Sizes[K]> },
  makeCall: (...sizes: Sizes) => KernelCall<NoInfer<Inputs>, NoInfer<Attrs>>,
  options: { numRuns?: number; tolerance?: number } = {},
): void {
  const { name } = contract;
  const { numRuns = 12, tolerance = name.endsWith('Grad') ? GRADIENT_TOLERANCE : OUTPUT_TOLERANCE } = options;
  if (tf.getKernel(name, backendName)?.kernelFunc === fallbackKernel(contract)) return;
  it(`${name} agrees with its composed kernel`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.tuple(...sizes), async (values) => {
        const { inputs, attrs, composed } = await onCpu(() => {
          const call = makeCall(...(values as Sizes));
          const outputs = fallbackKernel(contract)({ ...call, backend: tf.backend() } as never) as
            | tf.Tensor
            | tf.Tensor[];
          return { ...call, composed: Array.isArray(outputs) ? outputs : [outputs] };
        });
        const own = tf.tidy(() => Object.values(runKernel(contract, inputs, attrs) as Record<string, tf.Tensor>));
        try {
          expect(own.length).to.equal(composed.length);
          for (const [i, output] of own.entries()) {
            const what = contract.outputs[i] ?? `output ${i}`;
            await expectClose(output, composed[i]!, output.dtype === 'int32' ? 0 : tolerance, what);
          }
        } finally {
          tf.dispose([inputs, own, composed] as never);
        }
      }),
      { numRuns: runsOf(numRuns), seed: 1, endOnFailure: true },
    );
  });
}

/** A kernel over rows, as `describeRowsAgainstComposed` takes it. */
type RowsCall = (
  sizes: [rows: fc.Arbitrary<number>, columns: fc.Arbitrary<number>],
  options?: { numRuns?: number },
) => void;

export const rowsOf =
  <Inputs, Attrs, Outputs>(
    contract: Contract<Inputs, Attrs, Outputs>,
    makeCall: (rows: number, columns: number) => KernelCall<NoInfer<Inputs>, NoInfer<Attrs>>,
  ): RowsCall =>
  (sizes, options) =>
    describeAgainstComposed(contract, sizes, makeCall, options);

/**
 * The same for kernels over rows, over odd sizes and then over each of `shapes`, [rows, columns]: rows that do not fit the
 * registers of a workgroup, or more rows than workgroups.
 */
export function describeRowsAgainstComposed(
  calls: readonly RowsCall[],
  shapes: ReadonlyArray<readonly [rows: number, columns: number]>,
): void {
  for (const call of calls) call([smallOddSize, oddSize]);
  for (const [rows, columns] of shapes) {
    describe(`of [${rows}, ${columns}]`, () => {
      for (const call of calls) call([fc.constant(rows), fc.constant(columns)], { numRuns: 1 });
    });
  }
}

/**
 * Defines a test that a kernel which is run by its name has the gradients of its op, bit for bit, in all of `inputs`.
 *
 * @param makeCall Makes the call; `constants` are the inputs that have no gradient.
 * @param op The op on the same tensors: the kernel's first output.
 * @param tolerance Above 0 for an op of which a backend may compute the same twice, and differently.
 */
export function itDifferentiatesByName(
  { name: kernelName }: Contract,
  makeCall: () => {
    inputs: Record<string, tf.Tensor>;
    constants?: Record<string, tf.Tensor>;
    attrs: object;
  },
  op: (tensors: Record<string, tf.Tensor>) => tf.Tensor,
  tolerance = 0,
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
      for (const [i, gradient] of byName.entries()) await expectClose(gradient, byOp[i]!, tolerance, names[i]);
      tf.dispose([inputs, constants, byName, byOp]);
    });
  });
}

/** A random tensor from a seed, uniform in [-1, 1): the same on every backend. */
export function random(shape: number[], seed = 1): tf.Tensor {
  return tf.randomUniform(shape, -1, 1, 'float32', seed);
}
