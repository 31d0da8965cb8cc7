import { PackedSwiglu, PackedSwigluGrad } from '../contracts/packed_swiglu.js';
import { defineProgram } from './runtime/program.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { elementsOf, times } from './wgsl/elements.js';
import { gated } from './wgsl/pointwise.js';
import { asRows } from './wgsl/row.js';

interface PackedSpec {
  /** I */
  width: number;
}

const WORKGROUP_SIZE = 256;
const PER_THREAD = 4;

/** The kernels of swiglu, where gate and up lie in halves of one row. */
const definePacked = (name: string, backward: boolean) =>
  defineProgram(name, ({ width }: PackedSpec) => {
    const { type, count } = elementsOf(width);
    const { y, common, slopes, uniforms, declarations } = gated('silu', type);
    return {
      workgroupSize: WORKGROUP_SIZE,
      reads: { ...(backward && { dy: type }), gateUp: type },
      writes: { [backward ? 'dgateUp' : 'y']: type },
      uniforms: { count: 'u32', ...uniforms },
      declarations,
      // All loads come before the first store, so that they are under way together.
      body: `
  let last = u.count - 1u;
  ${times(
    PER_THREAD,
    (i) => `let at${i} = workgroup * ${PER_THREAD * WORKGROUP_SIZE}u + ${i * WORKGROUP_SIZE}u + thread;
  let element${i} = min(at${i}, last);
  let gateAt${i} = element${i} + element${i} / ${count}u * ${count}u;
  let gate${i} = gateUp[gateAt${i}];
  let up${i} = gateUp[gateAt${i} + ${count}u];
  ${backward ? `let dy${i} = dy[element${i}];` : ''}`,
  )}
  ${times(
    PER_THREAD,
    (i) => `if (at${i} <= last) {
    let gate = gate${i};
    let up = up${i};
    ${
      backward
        ? `let dy = dy${i};
    ${common}
    dgateUp[gateAt${i}] = ${slopes.dgate};
    dgateUp[gateAt${i} + ${count}u] = ${slopes.dup};`
        : `y[at${i}] = ${y};`
    }
  }`,
  )}`,
    };
  });

const program = definePacked('packedSwiglu', false);
const gradProgram = definePacked('packedSwigluGrad', true);

/** Elements of y, and the workgroups for them. */
function sizeOf(rows: number, width: number) {
  const count = rows * elementsOf(width).count;
  return { count, workgroups: Math.ceil(count / (PER_THREAD * WORKGROUP_SIZE)) };
}

export const packedSwiglu = webgpuKernel(PackedSwiglu, (gpu, { gateUp }, attrs) => {
  const [rows, columns] = asRows(gateUp.shape);
  const width = columns / 2;
  const y = gpu.output([...gateUp.shape.slice(0, -1), width]);
  const { count, workgroups } = sizeOf(rows, width);
  gpu.run(program, { width }, { gateUp, y }, { count, ...attrs }, workgroups);
  return { y };
});

export const packedSwigluGrad = webgpuKernel(PackedSwigluGrad, (gpu, { dy, gateUp }, attrs) => {
  const [rows, columns] = asRows(gateUp.shape);
  const width = columns / 2;
  const dgateUp = gpu.output(gateUp.shape);
  const { count, workgroups } = sizeOf(rows, width);
  gpu.run(gradProgram, { width }, { dy, gateUp, dgateUp }, { count, ...attrs }, workgroups);
  return { dgateUp };
});
