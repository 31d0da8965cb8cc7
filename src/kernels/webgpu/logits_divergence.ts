import { LogitsDivergence, type LogitsDivergenceAttrs, LogitsDivergenceGrad } from '../contracts/logits_divergence.js';
import { defineProgram } from './runtime/program.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { type DivergenceTerms, type JsdBeta, jsdBeta, jsdTerms, surprise } from './shared/jsd_terms.js';
import { type ElementType, LOWEST } from './wgsl/elements.js';
import { asRows, Row } from './wgsl/row.js';

interface DivergenceSpec {
  vocabulary: number;
  kind: 'jsd' | 'klDiv';
  beta: JsdBeta;
}

const specOf = (vocabulary: number, kind: 'jsd' | 'klDiv', beta: number): DivergenceSpec => ({
  vocabulary,
  kind,
  beta: jsdBeta(beta),
});

const sources = { s: 'student[base + @]', t: 'teacher[base + @]' };

/** Those of `s`, `t` and `lse`. */
function termsOf(type: ElementType, { kind, beta }: DivergenceSpec): DivergenceTerms {
  const q = 'let logQ = s - lse.x; let q = exp(logQ);';
  if (kind === 'klDiv') {
    const common = `${q} let p = t; let logP = log(p);`;
    return { common, loss: surprise(type, 'p', 'logP', 'logQ'), slope: '-p', uniforms: {} };
  }
  const { common, ...terms } = jsdTerms(type, beta);
  return { ...terms, common: `${q} let logP = t - lse.y; let p = exp(logP); ${common}` };
}

/**
 * One pass over both rows finds lse = log Σ exp of each, whose sums follow the maximum that was seen so far; the other the sums of
 * the loss's elements and of their slopes by log q.
 */
const rowsProgram = defineProgram('logitsDivergence', (spec: DivergenceSpec, gpu) => {
  const row = new Row(gpu, spec.vocabulary, { inputs: 2 });
  const { type } = row;
  const { common, loss, slope, uniforms } = termsOf(type, spec);
  const ofTeacher = (text: string) => (spec.kind === 'jsd' ? text : '0.0');
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { student: type, teacher: type },
    writes: { losses: 'f32', stats: 'f32' },
    uniforms: { ...row.uniforms, ...uniforms },
    declarations: row.reduction('rowMax', { op: 'max', type: 'vec2f' }) + row.reduction('rowSum', { type: 'vec2f' }),
    body: `
  ${row.begin()}
  var top = vec2f(${LOWEST});
  var exponentials = vec2f();
  ${row.pass(
    sources,
    ({ s, t }) => `{
    let next = max(top, vec2f(${row.max(s)}, ${ofTeacher(row.max(t))}));
    let more = vec2f(${row.sum(`exp(${s} - next.x)`)}, ${ofTeacher(row.sum(`exp(${t} - next.y)`))});
    exponentials = exponentials * exp(top - next) + more;
    top = next;
  }`,
  )}
  let m = rowMax(top);
  let totals = rowSum(exponentials * exp(top - m));
  let lse = vec2f(m.x + log(totals.x), ${ofTeacher('m.y + log(totals.y)')});
  var partial = vec2f();
  ${row.pass(
    sources,
    (values) => `{
    let s = ${values.s};
    let t = ${values.t};
    ${common}
    partial += vec2f(${row.sum(loss)}, ${row.sum(slope)});
  }`,
  )}
  let sums = rowSum(partial);
  if (${row.isFirst}) {
    losses[row] = sums.x;
    stats[row * 3u] = lse.x;
    stats[row * 3u + 1u] = lse.y;
    stats[row * 3u + 2u] = sums.y;
  }`,
  };
});

/** dstudent = dloss · (g − q · Σ g), where g is the slope by log q. */
const slopesProgram = defineProgram('logitsDivergenceGrad', (spec: DivergenceSpec, gpu) => {
  const row = new Row(gpu, spec.vocabulary, { streamed: true });
  const { type } = row;
  const { common, slope, uniforms } = termsOf(type, spec);
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { student: type, teacher: type, stats: 'f32', dlosses: 'f32' },
    writes: { dstudent: type },
    uniforms: { ...row.uniforms, ...uniforms },
    body: `
  ${row.begin()}
  let dloss = dlosses[row];
  let lse = vec2f(stats[row * 3u], stats[row * 3u + 1u]);
  let total = stats[row * 3u + 2u];
  ${row.pass(
    sources,
    (values, at) => `{
    let s = ${values.s};
    let t = ${values.t};
    ${common}
    // A row without a gradient has none, whatever its logits are.
    dstudent[base + ${at}] = select(dloss * (${slope} - q * total), ${type}(), dloss == 0.0);
  }`,
  )}`,
  };
});

interface CosineSpec {
  vocabulary: number;
}

/** Norms below it count as this. */
const SMALLEST_NORM = 1e-12;

/** cos = Σ s · t / (|s| · |t|) */
const cosineProgram = defineProgram('logitsCosine', ({ vocabulary }: CosineSpec, gpu) => {
  const row = new Row(gpu, vocabulary, { inputs: 2, streamed: true });
  const { type } = row;
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { student: type, teacher: type },
    writes: { losses: 'f32', stats: 'f32' },
    uniforms: { ...row.uniforms },
    declarations: row.reduction('rowSum', { type: 'vec4f' }),
    body: `
  ${row.begin()}
  var partial = vec4f();
  ${row.pass(
    sources,
    ({ s, t }) =>
      `partial += vec4f(${row.sum(`${s} * ${s}`)}, ${row.sum(`${t} * ${t}`)}, ${row.sum(`${s} * ${t}`)}, 0.0);`,
  )}
  let sums = rowSum(partial);
  if (${row.isFirst}) {
    let inverse = 1.0 / max(sqrt(sums.xy), vec2f(${SMALLEST_NORM}));
    let cosine = sums.z * inverse.x * inverse.y;
    losses[row] = 1.0 - cosine;
    stats[row * 3u] = inverse.x;
    stats[row * 3u + 1u] = inverse.y;
    stats[row * 3u + 2u] = cosine;
  }`,
  };
});

/** dstudent = dloss / |s| · (cos · s / |s| − t / |t|) */
const cosineGradProgram = defineProgram('logitsCosineGrad', ({ vocabulary }: CosineSpec, gpu) => {
  const row = new Row(gpu, vocabulary, { streamed: true });
  const { type } = row;
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { student: type, teacher: type, stats: 'f32', dlosses: 'f32' },
    writes: { dstudent: type },
    uniforms: { ...row.uniforms },
    body: `
  ${row.begin()}
  let ofStudent = stats[row * 3u];
  let ofTeacher = stats[row * 3u + 1u];
  let cosine = stats[row * 3u + 2u];
  let scale = dlosses[row] * ofStudent;
  ${row.pass(
    sources,
    ({ s, t }, at) => `dstudent[base + ${at}] = scale * (cosine * ofStudent * ${s} - ofTeacher * ${t});`,
  )}`,
  };
});

export const logitsDivergence = webgpuKernel(
  LogitsDivergence,
  (gpu, tensors, { kind, beta }: LogitsDivergenceAttrs) => {
    const [rows, vocabulary] = asRows(tensors.student.shape);
    const [losses, stats] = [gpu.output([rows]), gpu.output([rows, 3])];
    const bound = { ...tensors, losses, stats };
    if (kind === 'cosine') gpu.run(cosineProgram, { vocabulary }, bound, {}, { rows });
    else gpu.run(rowsProgram, specOf(vocabulary, kind, beta), bound, { beta }, { rows });
    return { loss: losses, stats };
  },
);

export const logitsDivergenceGrad = webgpuKernel(LogitsDivergenceGrad, (gpu, { dloss, ...tensors }, { kind, beta }) => {
  const [rows, vocabulary] = asRows(tensors.student.shape);
  const dstudent = gpu.output(tensors.student.shape);
  const bound = { ...tensors, dlosses: dloss, dstudent };
  if (kind === 'cosine') gpu.run(cosineGradProgram, { vocabulary }, bound, {}, { rows });
  else gpu.run(slopesProgram, specOf(vocabulary, kind, beta), bound, { beta }, { rows });
  return { dstudent };
});
