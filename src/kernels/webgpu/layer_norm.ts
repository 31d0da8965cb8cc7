import type { KernelConfig } from '@tensorflow/tfjs-core';
import {
  LayerNorm,
  type LayerNormAttrs,
  LayerNormGrad,
  type LayerNormGradInputs,
  type LayerNormInputs,
} from '../kernel_names.js';
import { columnSum } from './column_sum.js';
import { Gpu } from './runtime/gpu.js';
import { defineProgram } from './runtime/program.js';
import { workgroupReduction } from './runtime/reduction.js';
import { asRows, backwardWorkgroups, Row } from './runtime/row.js';

interface LayerNormSpec {
  hidden: number;
}

/** The mean comes first and the squares are of what it leaves: mean(x²) − mean² would cancel. */
const layerNormProgram = defineProgram('layerNorm', ({ hidden }: LayerNormSpec, gpu) => {
  const row = new Row(gpu, hidden);
  const source = { x: 'x[base + @]' };
  return {
    workgroupSize: row.workgroupSize,
    reads: { x: row.type, gamma: row.type, beta: row.type },
    writes: { y: row.type, mean: 'f32', rstd: 'f32' },
    uniforms: { epsilon: 'f32' },
    declarations: workgroupReduction(gpu, row.workgroupSize, 'workgroupSum'),
    body: `
  let base = workgroup * ${row.count}u;
  var total = 0.0;
  ${row.pass(source, ({ x }) => `total += ${row.sum(x)};`)}
  let m = workgroupSum(total) / ${hidden}.0;
  var squares = 0.0;
  ${row.pass(source, ({ x }) => `let centred = ${x} - m; squares += ${row.dot('centred', 'centred')};`)}
  let r = inverseSqrt(workgroupSum(squares) / ${hidden}.0 + u.epsilon);
  if (thread == 0u) {
    mean[workgroup] = m;
    rstd[workgroup] = r;
  }
  ${row.pass(source, ({ x }, at) => `y[base + ${at}] = (${x} - m) * r * gamma[${at}] + beta[${at}];`)}`,
  };
});

/**
 * With x̂ = (x − mean) · rstd and w = dy · gamma: dx = rstd · (w − mean(w) − x̂ · mean(w · x̂)), dgamma = Σ dy · x̂ and
 * dbeta = Σ dy. A workgroup walks every `u.workgroups`-th row and keeps its parts of dgamma and dbeta.
 */
const layerNormGradProgram = defineProgram('layerNormGrad', ({ hidden }: LayerNormSpec, gpu) => {
  const row = new Row(gpu, hidden, { inputs: 2 });
  const gamma = 'gamma[@]';
  const sources = { dy: 'dy[base + @]', normalized: '(x[base + @] - m) * r', gamma };
  return {
    workgroupSize: row.workgroupSize,
    reads: { dy: row.type, x: row.type, gamma: row.type, mean: 'f32', rstd: 'f32' },
    writes: { dx: row.type, dgamma: row.type, dbeta: row.type },
    uniforms: { rows: 'u32' },
    declarations: workgroupReduction(gpu, row.workgroupSize, 'workgroupSum', { type: 'vec2f' }),
    body: `
  ${row.accumulators('dgamma')}
  ${row.accumulators('dbeta')}
  ${row.hold({ gamma })}
  for (var index = workgroup; index < u.rows; index += u.workgroups) {
    let base = index * ${row.count}u;
    let m = mean[index];
    let r = rstd[index];
    var sums = vec2f();
    ${row.pass(
      sources,
      ({ dy, normalized, gamma }) =>
        `let w = ${dy} * ${gamma}; sums += vec2f(${row.sum('w')}, ${row.dot('w', normalized)});`,
    )}
    let means = workgroupSum(sums) / ${hidden}.0;
    ${row.pass(
      sources,
      ({ dy, normalized, gamma }, at, i) => `
        dx[base + ${at}] = r * (${dy} * ${gamma} - means.x - ${normalized} * means.y);
        ${row.accumulate('dgamma', `${dy} * ${normalized}`, at, i)}
        ${row.accumulate('dbeta', dy, at, i)}`,
    )}
  }
  ${row.storeAccumulators('dgamma')}
  ${row.storeAccumulators('dbeta')}`,
  };
});

export const layerNormConfig: KernelConfig = {
  kernelName: LayerNorm,
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { x, gamma, beta } = inputs as unknown as LayerNormInputs;
    const { epsilon } = attrs as unknown as LayerNormAttrs;
    const gpu = Gpu.of(backend);
    const [rows, hidden] = asRows(x.shape);
    const y = gpu.output(x.shape);
    const mean = gpu.output(x.shape.slice(0, -1));
    const rstd = gpu.output(x.shape.slice(0, -1));
    gpu.run(layerNormProgram, { hidden }, { x, gamma, beta, y, mean, rstd }, { epsilon }, rows);
    return [y, mean, rstd];
  },
};

export const layerNormGradConfig: KernelConfig = {
  kernelName: LayerNormGrad,
  backendName: 'webgpu',
  kernelFunc: ({ inputs, backend }) => {
    const { dy, x, gamma, mean, rstd } = inputs as unknown as LayerNormGradInputs;
    const gpu = Gpu.of(backend);
    const [rows, hidden] = asRows(x.shape);
    const dx = gpu.output(x.shape);
    const workgroups = backwardWorkgroups(rows);
    const dgammas = gpu.output([workgroups, hidden]);
    const dbetas = gpu.output([workgroups, hidden]);
    const tensors = { dy, x, gamma, mean, rstd, dx, dgamma: dgammas, dbeta: dbetas };
    gpu.run(layerNormGradProgram, { hidden }, tensors, { rows }, workgroups);
    const dgamma = columnSum(gpu, dgammas, workgroups, hidden);
    const dbeta = columnSum(gpu, dbetas, workgroups, hidden);
    gpu.release(dgammas, dbetas);
    return [dx, dgamma, dbeta];
  },
};
