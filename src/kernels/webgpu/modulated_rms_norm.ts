import type { TensorInfo } from '@tensorflow/tfjs-core';
import {
  ModulatedRmsNorm,
  ModulatedRmsNormGrad,
  type ModulatedRmsNormGradAttrs,
  type ModulatedRmsNormGradInputs,
  segmentsOf,
} from '../contracts/modulated_rms_norm.js';
import type { Gpu } from './runtime/gpu.js';
import { defineProgram } from './runtime/program.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { columnSum, columnSums } from './shared/column_sum.js';
import { differentiateNormalizedRows, normalizeRows, rmsNormGradProgram } from './shared/rms_norm_rows.js';
import { backwardWorkgroups, Row } from './wgsl/row.js';

interface FactorGradSpec {
  columns: number;
  /** Whether dgamma is wanted. */
  sums: boolean;
}

/**
 * The gradients of the factors of x̂ from a segment's dproduct = Σ dy · x̂: dscale = dproduct · (gamma + offset) and the segment's
 * part of dgamma, dproduct · (1 + scale).
 */
const factorGradProgram = defineProgram('modulatedRmsNormFactorGrad', ({ columns, sums }: FactorGradSpec, gpu) => {
  const row = new Row(gpu, columns, { streamed: true });
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { dproduct: row.type, gamma: row.type, ...(sums && { scale: row.type }) },
    writes: { dscale: row.type, ...(sums && { dgamma: row.type }) },
    uniforms: { ...row.uniforms, offset: 'f32' },
    body: `
  ${row.begin()}
  ${row.pass(
    { product: 'dproduct[base + @]' },
    ({ product }, at) => `
    dscale[base + ${at}] = ${product} * (gamma[${at}] + u.offset);
    ${sums ? `dgamma[base + ${at}] = ${product} * (1.0 + scale[base + ${at}]);` : ''}`,
  )}`,
  };
});

type Gradients = Record<'dx' | 'dscale' | 'dshift', TensorInfo> & { dgamma: TensorInfo | undefined };

/** Records the gradients where the rows of a segment share a row of scale: each workgroup walks rows of one segment. */
function differentiateSegments(
  gpu: Gpu,
  { dy, x, gamma, scale, rstd }: ModulatedRmsNormGradInputs,
  { offset, dgamma: isWanted }: ModulatedRmsNormGradAttrs,
): Gradients {
  const [segments, rows, columns] = segmentsOf(x.shape, scale.shape);
  const dx = gpu.output(x.shape);
  const parts = Math.ceil(backwardWorkgroups(segments * rows) / segments);
  const workgroups = segments * parts;
  const [products, shifts] = [gpu.output([workgroups, columns]), gpu.output([workgroups, columns])];
  gpu.run(
    rmsNormGradProgram,
    { columns, hasGamma: gamma !== undefined, scaled: 'segment', sums: ['dproduct', 'dshift'], hasDsum: false },
    { dy, x, rstd, gamma, scale, dx, dproduct: products, dshift: shifts },
    { rows, offset, parts },
    workgroups,
  );
  const totals = [gpu.output(scale.shape), gpu.output(scale.shape)] as const;
  const [dproduct, dshift] = columnSums(gpu, [products, shifts], workgroups, columns, { segments, totals });
  gpu.release(products, shifts);
  if (!gamma) return { dx, dscale: dproduct, dgamma: undefined, dshift };
  const dscale = gpu.output(scale.shape);
  const dgammas = isWanted ? gpu.output([segments, columns]) : undefined;
  const tensors = { dproduct, gamma, scale, dscale, dgamma: dgammas };
  gpu.run(factorGradProgram, { columns, sums: isWanted }, tensors, { offset }, { rows: segments });
  const dgamma = dgammas && columnSum(gpu, dgammas, segments, columns);
  gpu.release(dproduct, dgammas);
  return { dx, dscale, dgamma, dshift };
}

export const modulatedRmsNorm = webgpuKernel(ModulatedRmsNorm, normalizeRows);

export const modulatedRmsNormGrad = webgpuKernel(ModulatedRmsNormGrad, (gpu, inputs, attrs) => {
  if (attrs.dshift) return differentiateSegments(gpu, inputs, attrs);
  const dscale = gpu.output(inputs.scale.shape);
  return { ...differentiateNormalizedRows(gpu, { ...inputs, dscale }, attrs), dscale };
});
