import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { RmsNormAttrs, RmsNormGradAttrs, RmsNormGradInputs, RmsNormInputs } from '../../contracts/rms_norm.js';
import type { Gpu } from '../runtime/gpu.js';
import { defineProgram } from '../runtime/program.js';
import { asRows, backwardWorkgroups, Row } from '../wgsl/row.js';
import { columnSum } from './column_sum.js';

interface RmsNormSpec {
  columns: number;
  hasGamma: boolean;
  /** fusedAddRmsNorm: what is normalized is x + residual, which is written to `sum`. */
  hasResidual: boolean;
}

/** rstd = 1 / √(mean(x²) + epsilon) and y = x · rstd · (gamma + offset). */
const rmsNormProgram = defineProgram('rmsNorm', ({ columns, hasGamma, hasResidual }: RmsNormSpec, gpu) => {
  const row = new Row(gpu, columns);
  const summed = { first: 'x[base + @] + residual[base + @]', again: 'sum[base + @]' };
  const sources = { x: hasResidual ? summed : 'x[base + @]' };
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { x: row.type, ...(hasResidual && { residual: row.type }), ...(hasGamma && { gamma: row.type }) },
    writes: { y: row.type, ...(hasResidual && { sum: row.type }), rstd: 'f32' },
    uniforms: { ...row.uniforms, epsilon: 'f32', offset: 'f32' },
    declarations: row.reduction('rowSum'),
    body: `
  ${row.begin()}
  var squares = 0.0;
  ${row.pass(
    sources,
    ({ x }, at) => `squares += ${row.dot(x, x)};
      ${hasResidual ? `sum[base + ${at}] = ${x};` : ''}`,
  )}
  let r = inverseSqrt(rowSum(squares) / ${columns}.0 + u.epsilon);
  if (${row.isFirst}) { rstd[row] = r; }
  ${row.pass(sources, ({ x }, at) => `y[base + ${at}] = ${x} * r${hasGamma ? ` * (gamma[${at}] + u.offset)` : ''};`)}`,
  };
});

/** Records y and rstd; where there is a residual, of x + residual, which goes to `sum`. */
export function normalizeRows(
  gpu: Gpu,
  { x, residual, sum, gamma }: RmsNormInputs & { residual?: TensorInfo; sum?: TensorInfo },
  { epsilon, offset }: RmsNormAttrs,
): { y: TensorInfo; rstd: TensorInfo } {
  const [rows, columns] = asRows(x.shape);
  const y = gpu.output(x.shape);
  const rstd = gpu.output(x.shape.slice(0, -1));
  const spec = { columns, hasGamma: gamma !== undefined, hasResidual: residual !== undefined };
  gpu.run(rmsNormProgram, spec, { x, residual, gamma, y, sum, rstd }, { epsilon, offset }, { rows });
  return { y, rstd };
}

interface RmsNormGradSpec {
  columns: number;
  hasGamma: boolean;
  /** Whether dgamma is summed. */
  sums: boolean;
  /** fusedAddRmsNorm: adds the gradient that the sum x + residual has from elsewhere. */
  hasDsum: boolean;
}

/**
 * With x̂ = x · rstd and w = dy · (gamma + offset): dx = rstd · (w − x̂ · mean(w · x̂)) and dgamma = Σ dy · x̂. A workgroup keeps
 * its part of dgamma.
 */
const rmsNormGradProgram = defineProgram('rmsNormGrad', (spec: RmsNormGradSpec, gpu) => {
  const { columns, hasGamma, sums, hasDsum } = spec;
  const row = new Row(gpu, columns, { inputs: 2 });
  const dgamma = sums ? row.columnSums('dgamma') : undefined;
  const gamma = hasGamma ? 'gamma[@]' : undefined;
  const sources = { dy: 'dy[base + @]', x: 'x[base + @]', gamma };
  const w = (dy: string, gamma?: string) => (gamma ? `${dy} * (${gamma} + u.offset)` : dy);
  return {
    workgroupSize: row.workgroupSize,
    reads: {
      dy: row.type,
      ...(hasDsum && { dsum: row.type }),
      x: row.type,
      rstd: 'f32',
      ...(hasGamma && { gamma: row.type }),
    },
    writes: { dx: row.type, ...(sums && { dgamma: row.type }) },
    uniforms: { rows: 'u32', offset: 'f32' },
    declarations: row.reduction('rowSum') + (dgamma?.declarations ?? ''),
    body: `
  ${dgamma?.start ?? ''}
  ${row.hold({ gamma })}
  ${row.forEachGroup(`
    let r = rstd[row];
    var projection = 0.0;
    ${row.pass(sources, ({ dy, x, gamma }) => `projection += ${row.dot(w(dy, gamma), x)};`)}
    let mean = rowSum(projection) * r * r / ${columns}.0;
    ${row.pass(
      sources,
      ({ dy, x, gamma }, at, i) => `
        dx[base + ${at}] = r * (${w(dy, gamma)} - ${x} * mean)${hasDsum ? ` + dsum[base + ${at}]` : ''};
        ${dgamma?.add(`${dy} * (${x} * r)`, at, i) ?? ''}`,
    )}`)}
  ${dgamma?.store ?? ''}`,
  };
});

/** Records dx, and dgamma where it is wanted. */
export function differentiateNormalizedRows(
  gpu: Gpu,
  { dy, dsum, x, gamma, rstd }: RmsNormGradInputs & { dsum?: TensorInfo },
  { offset, dgamma: sums }: RmsNormGradAttrs,
): { dx: TensorInfo; dgamma: TensorInfo | undefined } {
  const [rows, columns] = asRows(x.shape);
  const dx = gpu.output(x.shape);
  const workgroups = backwardWorkgroups(rows);
  const parts = sums ? gpu.output([workgroups, columns]) : undefined;
  const spec = { columns, hasGamma: gamma !== undefined, sums, hasDsum: dsum !== undefined };
  gpu.run(rmsNormGradProgram, spec, { dy, dsum, x, rstd, gamma, dx, dgamma: parts }, { rows, offset }, workgroups);
  const dgamma = parts && columnSum(gpu, parts, workgroups, columns);
  gpu.release(parts);
  return { dx, dgamma };
}
