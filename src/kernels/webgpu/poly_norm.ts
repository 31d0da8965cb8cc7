import { PolyNorm, PolyNormGrad } from '../contracts/poly_norm.js';
import { defineProgram } from './runtime/program.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { columnSum } from './shared/column_sum.js';
import { workgroupReduction } from './wgsl/reduction.js';
import { asRows, backwardWorkgroups, Row } from './wgsl/row.js';

interface PolyNormSpec {
  columns: number;
}

/**
 * With r.z = 1 / √(mean(x²) + epsilon) and z = x · r.z: r.x = 1 / √(mean(z⁶) + epsilon · r.z⁶),
 * r.y = 1 / √(mean(z⁴) + epsilon · r.z⁴) and y = weight₀ · z³ · r.x + weight₁ · z² · r.y + weight₂ · z + bias.
 */
const polyNormProgram = defineProgram('polyNorm', ({ columns }: PolyNormSpec, gpu) => {
  const row = new Row(gpu, columns);
  const sources = { x: 'x[base + @]' };
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { x: row.type, weight: 'f32', bias: 'f32' },
    writes: { y: row.type, rstd: 'f32' },
    uniforms: { ...row.uniforms, epsilon: 'f32' },
    declarations: row.reduction('rowSum') + row.reduction('rowSums', { type: 'vec2f' }),
    body: `
  ${row.begin()}
  var squares = 0.0;
  ${row.pass(sources, ({ x }) => `squares += ${row.dot(x, x)};`)}
  let r1 = inverseSqrt(rowSum(squares) / ${columns}.0 + u.epsilon);
  var powers = vec2f();
  ${row.pass(
    sources,
    ({ x }) => `
    let z = ${x} * r1;
    let z2 = z * z;
    let z3 = z2 * z;
    powers += vec2f(${row.dot('z3', 'z3')}, ${row.dot('z2', 'z2')});`,
  )}
  let epsilon2 = u.epsilon * (r1 * r1) * (r1 * r1);
  let epsilon3 = epsilon2 * (r1 * r1);
  let r = vec3f(inverseSqrt(rowSums(powers) / ${columns}.0 + vec2f(epsilon3, epsilon2)), r1);
  if (${row.isFirst}) {
    rstd[row * 3u] = r.x;
    rstd[row * 3u + 1u] = r.y;
    rstd[row * 3u + 2u] = r.z;
  }
  let w = vec3f(weight[0], weight[1], weight[2]);
  ${row.pass(
    sources,
    ({ x }, at) => `
    let z = ${x} * r1;
    y[base + ${at}] = w.x * (z * z * z * r.x) + w.y * (z * z * r.y) + w.z * z + bias[0];`,
  )}`,
  };
});

/**
 * With n₃ = z³ · r.x, n₂ = z² · r.y and n₁ = z = x · r.z: dweight = Σ dy · (n₃, n₂, n₁), dbias = Σ dy and
 * dx = r.z · (weight₀ · 3z² · r.x · (dy − n₃ · mean(dy · n₃)) + weight₁ · 2z · r.y · (dy − n₂ · mean(dy · n₂)) +
 * weight₂ · (dy − n₁ · mean(dy · n₁))). A workgroup keeps its parts of dweight and dbias.
 */
const polyNormGradProgram = defineProgram('polyNormGrad', ({ columns }: PolyNormSpec, gpu) => {
  const row = new Row(gpu, columns, { inputs: 2 });
  const sources = { dy: 'dy[base + @]', z: 'x[base + @] * r.z' };
  const terms = (z: string) => `
    let n3 = ${z} * ${z} * ${z} * r.x;
    let n2 = ${z} * ${z} * r.y;`;
  // Where a row has the workgroup to itself, the sum over the row is the one over the workgroup.
  const isAlone = row.rowsPerWorkgroup === 1;
  const workgroupSum = isAlone ? 'rowSum' : 'workgroupSum';
  return {
    workgroupSize: row.workgroupSize,
    reads: { dy: row.type, x: row.type, weight: 'f32', rstd: 'f32' },
    writes: { dx: row.type, dweight: 'f32', dbias: 'f32' },
    uniforms: { rows: 'u32' },
    declarations:
      row.reduction('rowSum', { type: 'vec4f' }) +
      (isAlone ? '' : workgroupReduction(gpu, row.workgroupSize, workgroupSum, { type: 'vec4f' })),
    body: `
  let w = vec3f(weight[0], weight[1], weight[2]);
  var partials = vec4f();
  ${row.forEachGroup(`
    let r = vec3f(rstd[row * 3u], rstd[row * 3u + 1u], rstd[row * 3u + 2u]);
    var sums = vec4f();
    ${row.pass(
      sources,
      ({ dy, z }) => `${terms(z)}
    sums += vec4f(${row.dot(dy, 'n3')}, ${row.dot(dy, 'n2')}, ${row.dot(dy, z)}, ${row.sum(dy)});`,
    )}
    partials += sums;
    let means = rowSum(sums) / ${columns}.0;
    ${row.pass(
      sources,
      ({ dy, z }, at) => `${terms(z)}
    dx[base + ${at}] = r.z * (
      w.x * 3.0 * ${z} * ${z} * r.x * (${dy} - n3 * means.x) +
      w.y * 2.0 * ${z} * r.y * (${dy} - n2 * means.y) +
      w.z * (${dy} - ${z} * means.z)
    );`,
    )}`)}
  let total = ${workgroupSum}(partials);
  if (thread == 0u) {
    dweight[workgroup * 3u] = total.x;
    dweight[workgroup * 3u + 1u] = total.y;
    dweight[workgroup * 3u + 2u] = total.z;
    dbias[workgroup] = total.w;
  }`,
  };
});

export const polyNorm = webgpuKernel(PolyNorm, (gpu, { x, weight, bias }, { epsilon }) => {
  const [rows, columns] = asRows(x.shape);
  const y = gpu.output(x.shape);
  const rstd = gpu.output([...x.shape.slice(0, -1), 3]);
  gpu.run(polyNormProgram, { columns }, { x, weight, bias, y, rstd }, { epsilon }, { rows });
  return { y, rstd };
});

export const polyNormGrad = webgpuKernel(PolyNormGrad, (gpu, { dy, x, weight, rstd }) => {
  const [rows, columns] = asRows(x.shape);
  const dx = gpu.output(x.shape);
  const workgroups = backwardWorkgroups(rows);
  const [dweights, dbiases] = [gpu.output([workgroups, 3]), gpu.output([workgroups, 1])];
  const tensors = { dy, x, weight, rstd, dx, dweight: dweights, dbias: dbiases };
  gpu.run(polyNormGradProgram, { columns }, tensors, { rows }, workgroups);
  const dweight = columnSum(gpu, dweights, workgroups, 3);
  const dbias = columnSum(gpu, dbiases, workgroups, 1, { total: gpu.output([]) });
  gpu.release(dweights, dbiases);
  return { dx, dweight, dbias };
});
