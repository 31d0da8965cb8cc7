import type { KernelConfig, TensorInfo } from '@tensorflow/tfjs-core';
import {
  RmsNorm,
  type RmsNormAttrs,
  RmsNormGrad,
  type RmsNormGradAttrs,
  type RmsNormGradInputs,
  type RmsNormInputs,
} from '../kernel_names.js';
import { columnSum } from './column_sum.js';
import { Gpu } from './runtime/gpu.js';
import { defineProgram } from './runtime/program.js';
import { workgroupReduction } from './runtime/reduction.js';
import { asRows, backwardWorkgroups, Row } from './runtime/row.js';

interface RmsNormSpec {
  hidden: number;
  hasGamma: boolean;
  /** fusedAddRmsNorm: what is normalized is x + residual, which is written to `sum`; `dresidual` is its other gradient. */
  hasResidual: boolean;
}

export const rmsNormProgram = defineProgram('rmsNorm', ({ hidden, hasGamma, hasResidual }: RmsNormSpec, gpu) => {
  const row = new Row(gpu, hidden);
  const source = { x: hasResidual ? 'x[base + @] + residual[base + @]' : 'x[base + @]' };
  const sourceAgain = { x: hasResidual ? 'sum[base + @]' : 'x[base + @]' };
  return {
    workgroupSize: row.workgroupSize,
    reads: { x: row.type, ...(hasResidual && { residual: row.type }), ...(hasGamma && { gamma: row.type }) },
    writes: { y: row.type, ...(hasResidual && { sum: row.type }), rstd: 'f32' },
    uniforms: { epsilon: 'f32', offset: 'f32' },
    declarations: workgroupReduction(gpu, row.workgroupSize, 'workgroupSum'),
    body: `
  let base = workgroup * ${row.count}u;
  var squares = 0.0;
  ${row.pass(
    source,
    ({ x }, at) => `squares += ${row.dot(x, x)};
      ${hasResidual ? `sum[base + ${at}] = ${x};` : ''}`,
  )}
  let r = inverseSqrt(workgroupSum(squares) / ${hidden}.0 + u.epsilon);
  if (thread == 0u) { rstd[workgroup] = r; }
  ${row.pass(sourceAgain, ({ x }, at) => `y[base + ${at}] = ${x} * r${hasGamma ? ` * (gamma[${at}] + u.offset)` : ''};`)}`,
  };
});

/**
 * With x̂ = x · rstd and w = dy · (gamma + offset): dx = rstd · (w − x̂ · mean(w · x̂)) and dgamma = Σ dy · x̂. A workgroup
 * walks every `u.workgroups`-th row and keeps its part of dgamma.
 */
const rmsNormGradProgram = defineProgram('rmsNormGrad', ({ hidden, hasGamma, hasResidual }: RmsNormSpec, gpu) => {
  const row = new Row(gpu, hidden, { inputs: 2 });
  const gamma = hasGamma ? 'gamma[@]' : undefined;
  const sources = { dy: 'dy[base + @]', x: 'x[base + @]', gamma };
  const w = (dy: string, gamma?: string) => (gamma ? `${dy} * (${gamma} + u.offset)` : dy);
  return {
    workgroupSize: row.workgroupSize,
    reads: {
      dy: row.type,
      ...(hasResidual && { dresidual: row.type }),
      x: row.type,
      rstd: 'f32',
      ...(hasGamma && { gamma: row.type }),
    },
    writes: { dx: row.type, ...(hasGamma && { dgamma: row.type }) },
    uniforms: { rows: 'u32', offset: 'f32' },
    declarations: workgroupReduction(gpu, row.workgroupSize, 'workgroupSum'),
    body: `
  ${hasGamma ? row.accumulators('dgamma') : ''}
  ${row.hold({ gamma })}
  for (var index = workgroup; index < u.rows; index += u.workgroups) {
    let base = index * ${row.count}u;
    let r = rstd[index];
    var projection = 0.0;
    ${row.pass(sources, ({ dy, x, gamma }) => `projection += ${row.dot(w(dy, gamma), x)};`)}
    let mean = workgroupSum(projection) * r * r / ${hidden}.0;
    ${row.pass(
      sources,
      ({ dy, x, gamma }, at, i) => `
        dx[base + ${at}] = r * (${w(dy, gamma)} - ${x} * mean)${hasResidual ? ` + dresidual[base + ${at}]` : ''};
        ${hasGamma ? row.accumulate('dgamma', `${dy} * (${x} * r)`, at, i) : ''}`,
    )}
  }
  ${hasGamma ? row.storeAccumulators('dgamma') : ''}`,
  };
});

export const rmsNormConfig: KernelConfig = {
  kernelName: RmsNorm,
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { x, gamma } = inputs as unknown as RmsNormInputs;
    const { epsilon, offset } = attrs as unknown as RmsNormAttrs;
    const gpu = Gpu.of(backend);
    const [rows, hidden] = asRows(x.shape);
    const y = gpu.output(x.shape);
    const rstd = gpu.output(x.shape.slice(0, -1));
    const spec = { hidden, hasGamma: gamma !== undefined, hasResidual: false };
    gpu.run(rmsNormProgram, spec, { x, gamma, y, rstd }, { epsilon, offset }, rows);
    return [y, rstd];
  },
};

/** Records dx, and dgamma where there is a gamma. Of fusedAddRmsNorm, x is the sum. */
export function rmsNormGradient(
  gpu: Gpu,
  { dy, dresidual, x, gamma, rstd }: RmsNormGradInputs & { dresidual?: TensorInfo },
  { offset }: RmsNormGradAttrs,
): TensorInfo[] {
  const [rows, hidden] = asRows(x.shape);
  const dx = gpu.output(x.shape);
  const workgroups = backwardWorkgroups(rows);
  const partial = gamma && gpu.output([workgroups, hidden]);
  const spec = { hidden, hasGamma: gamma !== undefined, hasResidual: dresidual !== undefined };
  const tensors = { dy, dresidual, x, rstd, gamma, dx, dgamma: partial };
  gpu.run(rmsNormGradProgram, spec, tensors, { rows, offset }, workgroups);
  if (!partial) return [dx];
  const dgamma = columnSum(gpu, partial, workgroups, hidden);
  gpu.release(partial);
  return [dx, dgamma];
}

export const rmsNormGradConfig: KernelConfig = {
  kernelName: RmsNormGrad,
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) =>
    rmsNormGradient(Gpu.of(backend), inputs as unknown as RmsNormGradInputs, attrs as unknown as RmsNormGradAttrs),
};
