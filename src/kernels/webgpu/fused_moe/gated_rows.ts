import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Gpu } from '../runtime/gpu.js';
import { defineProgram } from '../runtime/program.js';
import { gated as gatedLinearUnit } from '../wgsl/pointwise.js';
import { asRows, Row } from '../wgsl/row.js';

interface GatedRowsSpec {
  columns: number;
  experts: number;
}

/**
 * Of each row, with gated = silu(gate) · up and dgated its gradient before the weight: dweight = Σ dgated · gated,
 * weighted = weight · gated, and dgate and dup for dy = weight · dgated.
 */
const gatedRowsProgram = defineProgram('expertGatedGrad', ({ columns, experts }: GatedRowsSpec, gpu) => {
  const row = new Row(gpu, columns, { inputs: 3, streamed: true });
  const { y, common, slopes, uniforms, declarations } = gatedLinearUnit('silu', row.type);
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { dgated: row.type, gates: row.type, ups: row.type, index: 'i32', weights: 'f32' },
    writes: { dgateUp: row.type, weighted: row.type, dweights: 'f32' },
    uniforms: { ...row.uniforms, ...uniforms },
    declarations: row.reduction('rowSum') + declarations,
    body: `
  ${row.begin()}
  let expert = index[row];
  ${row.skip(`expert < 0 || expert >= ${experts}`, `if (${row.isFirst}) { dweights[row] = 0.0; }`)}
  let weight = weights[row];
  var dweight = 0.0;
  ${row.pass(
    { slope: 'dgated[base + @]', gate: 'gates[base + @]', up: 'ups[base + @]' },
    (values, at) => `
    let gate = ${values.gate};
    let up = ${values.up};
    let gated = ${y};
    dweight += ${row.dot(values.slope, 'gated')};
    weighted[base + ${at}] = weight * gated;
    let dy = weight * ${values.slope};
    ${common}
    dgateUp[2u * base + ${at}] = ${slopes.dgate};
    dgateUp[2u * base + ${row.count}u + ${at}] = ${slopes.dup};`,
  )}
  let total = rowSum(dweight);
  if (${row.isFirst} && isWorked) { dweights[row] = total; }`,
  };
});

interface GatedRows {
  /** [P, I] */
  dgated: TensorInfo;
  gates: TensorInfo;
  ups: TensorInfo;
  /** [..., K], P in all. */
  index: TensorInfo;
  weights: TensorInfo;
  /** [P, 2I] */
  dgateUp: TensorInfo;
  /** [P, I] */
  weighted: TensorInfo;
  /** [..., K] */
  dweights: TensorInfo;
}

/** Records the gradients of gate, up and weights; dweights is 0 where an index is out of range, and the rest undefined. */
export function gatedRows(gpu: Gpu, tensors: GatedRows, experts: number): void {
  const [rows, columns] = asRows(tensors.dgated.shape);
  const uniforms = { gateMultiplier: 1, downMultiplier: 1 };
  gpu.run(gatedRowsProgram, { columns, experts }, { ...tensors }, uniforms, { rows });
}
