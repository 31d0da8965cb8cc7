import { FusedCrossEntropyTvd, FusedCrossEntropyTvdGrad } from '../contracts/fused_cross_entropy_tvd.js';
import { defineProgram } from './runtime/program.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { LOWEST } from './wgsl/elements.js';
import { asRows, Row } from './wgsl/row.js';

interface RowsSpec {
  vocabulary: number;
}
interface InPlace {
  inPlace: boolean;
}

/**
 * One pass over both rows finds lse = log Σ exp of each, whose sums follow the maximum that was seen so far; the other, with
 * p = exp(student − lse) and q likewise, Σ |p − q| and Σ p · sign(p − q).
 */
const rowsProgram = defineProgram('crossEntropyTvd', ({ vocabulary }: RowsSpec, gpu) => {
  const row = new Row(gpu, vocabulary, { inputs: 2 });
  const { type } = row;
  const sources = { s: 'student[base + @]', t: 'teacher[base + @]' };
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { student: type, teacher: type, labels: 'i32' },
    writes: { crossEntropy: 'f32', tvd: 'f32', stats: 'f32' },
    uniforms: { ...row.uniforms, ignoreIndex: 'i32', nan: 'f32' },
    declarations: row.reduction('rowMax', { op: 'max', type: 'vec2f' }) + row.reduction('rowSum', { type: 'vec2f' }),
    body: `
  ${row.begin()}
  let label = labels[row];
  ${row.skip(
    'label == u.ignoreIndex',
    `if (${row.isFirst}) {
      crossEntropy[row] = 0.0; tvd[row] = 0.0;
      stats[row * 3u] = 0.0; stats[row * 3u + 1u] = 0.0; stats[row * 3u + 2u] = 0.0;
    }`,
  )}
  var top = vec2f(${LOWEST});
  var exponentials = vec2f();
  ${row.pass(
    sources,
    ({ s, t }) => `{
    let next = max(top, vec2f(${row.max(s)}, ${row.max(t)}));
    let more = vec2f(${row.sum(`exp(${s} - next.x)`)}, ${row.sum(`exp(${t} - next.y)`)});
    exponentials = exponentials * exp(top - next) + more;
    top = next;
  }`,
  )}
  let m = rowMax(top);
  let lse = m + log(rowSum(exponentials * exp(top - m)));
  var distances = vec2f();
  ${row.pass(
    sources,
    ({ s, t }) => `{
    let p = exp(${s} - lse.x);
    let difference = p - exp(${t} - lse.y);
    distances += vec2f(${row.sum('abs(difference)')}, ${row.sum('p * sign(difference)')});
  }`,
  )}
  let sums = rowSum(distances);
  if (isWorked && ${row.isFirst}) {
    let inRange = label >= 0 && label < ${vocabulary};
    let c = u32(clamp(label, 0, ${vocabulary - 1}));
    let logit = ${type === 'f32' ? 'student[base + c]' : 'student[base + c / 4u][c % 4u]'};
    crossEntropy[row] = select(u.nan, lse.x - logit, inRange);
    tvd[row] = 0.5 * sums.x;
    stats[row * 3u] = lse.x;
    stats[row * 3u + 1u] = lse.y;
    stats[row * 3u + 2u] = sums.y;
  }`,
  };
});

/**
 * dstudent = dcrossEntropy · (p − [c = label]) + dtvd / 2 · p · (sign(p − q) − Σ p · sign(p − q)). With `inPlace` dstudent holds the
 * student's logits.
 */
const slopesProgram = defineProgram('crossEntropyTvdGrad', ({ vocabulary, inPlace }: RowsSpec & InPlace, gpu) => {
  const row = new Row(gpu, vocabulary, { streamed: true });
  const { type } = row;
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: {
      ...(!inPlace && { student: type }),
      ...{ teacher: type, labels: 'i32', stats: 'f32' },
      ...{ dcrossEntropy: 'f32', dtvd: 'f32' },
    },
    writes: { dstudent: type },
    uniforms: { ...row.uniforms, ignoreIndex: 'i32' },
    body: `
  ${row.begin()}
  let label = labels[row];
  let isIgnored = label == u.ignoreIndex;
  let c = u32(clamp(label, 0, ${vocabulary - 1}));
  let hit = dcrossEntropy[row];
  let pull = 0.5 * dtvd[row];
  let lse = vec2f(stats[row * 3u], stats[row * 3u + 1u]);
  let signed = stats[row * 3u + 2u];
  ${row.pass(
    { s: `${inPlace ? 'dstudent' : 'student'}[base + @]`, t: 'teacher[base + @]' },
    ({ s, t }, at) => `{
    let p = exp(${s} - lse.x);
    let difference = p - exp(${t} - lse.y);
    let isLabel = ${row.columnsAt(at)} == ${type === 'f32' ? 'c' : 'vec4u(c)'};
    let d = hit * (p - select(${type}(), ${type}(1.0), isLabel)) + pull * p * (sign(difference) - signed);
    dstudent[base + ${at}] = select(d, ${type}(), isIgnored);
  }`,
  )}`,
  };
});

export const fusedCrossEntropyTvd = webgpuKernel(
  FusedCrossEntropyTvd,
  (gpu, { studentLogits: student, teacherLogits: teacher, labels }, { ignoreIndex }) => {
    const [rows, vocabulary] = asRows(student.shape);
    const [crossEntropy, tvd] = [gpu.output(labels.shape), gpu.output(labels.shape)];
    const stats = gpu.output([...labels.shape, 3]);
    const tensors = { student, teacher, labels, crossEntropy, tvd, stats };
    gpu.run(rowsProgram, { vocabulary }, tensors, { ignoreIndex, nan: Number.NaN }, { rows });
    return { crossEntropy, tvd, stats };
  },
);

export const fusedCrossEntropyTvdGrad = webgpuKernel(
  FusedCrossEntropyTvdGrad,
  (gpu, { studentLogits, teacherLogits: teacher, ...rest }, { ignoreIndex, inPlace }) => {
    const [rows, vocabulary] = asRows(studentLogits.shape);
    const { source: student, output: dstudent } = gpu.outputOver(studentLogits, inPlace);
    const spec = { vocabulary, inPlace: student === undefined };
    gpu.run(slopesProgram, spec, { student, teacher, ...rest, dstudent }, { ignoreIndex }, { rows });
    return { dstudentLogits: dstudent };
  },
);
