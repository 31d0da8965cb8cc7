import { MhcPostRes, MhcPostResGrad } from '../contracts/mhc_post_res.js';
import { mhcShape } from '../contracts/shared/mhc_shape.js';
import { defineProgram } from './runtime/program.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { range, times } from './wgsl/elements.js';
import { reduceTogether } from './wgsl/reduction.js';
import { Row } from './wgsl/row.js';
import { streamsOf } from './wgsl/streams.js';

interface MhcPostResSpec {
  /** HC */
  streams: number;
  columns: number;
}

/** WGSL that reads a row's coefficients, post0, post1, … and res0_0, res0_1, … */
const coefficients = (streams: number) =>
  times(
    streams,
    (i) => `let post${i} = hPost[row * ${streams}u + ${i}u];
  ${times(streams, (j) => `let res${i}_${j} = hRes[row * ${streams ** 2}u + ${i * streams + j}u];`)}`,
  );

/** y_i = Σ hRes_ij · x_j + hPost_i · fOut. */
const mhcPostResProgram = defineProgram('mhcPostRes', ({ streams, columns }: MhcPostResSpec, gpu) => {
  const row = new Row(gpu, columns, { inputs: streams + 1, streamed: true });
  const x = streamsOf('x', streams, row);
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { x: row.type, fOut: row.type, hPost: 'f32', hRes: 'f32' },
    writes: { y: row.type },
    uniforms: row.uniforms,
    body: `
  ${row.begin()}
  ${x.begin}
  ${coefficients(streams)}
  ${row.pass({ ...x.sources, f: 'fOut[base + @]' }, (values, at) => {
    const xs = x.of(values);
    return times(streams, (i) => {
      const mixed = xs.map((value, j) => `res${i}_${j} * ${value}`);
      return `y[${x.at(i, at)}] = ${mixed.join(' + ')} + post${i} * ${values.f};`;
    });
  })}`,
  };
});

/**
 * dx_j = Σ hRes_ij · dy_i, dfOut = Σ hPost_i · dy_i, and over a row dhPost_i = Σ dy_i · fOut and dhRes_ij = Σ dy_i · x_j, which
 * lie side by side in `sums`.
 */
const mhcPostResGradProgram = defineProgram('mhcPostResGrad', ({ streams, columns }: MhcPostResSpec, gpu) => {
  const row = new Row(gpu, columns, { inputs: 2 * streams + 1, streamed: true });
  const x = streamsOf('x', streams, row);
  const dy = streamsOf('dy', streams, row);
  const each = range(streams);
  const sums = each.flatMap((i) => [`dpost${i}`, ...each.map((j) => `dres${i}_${j}`)]);
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { dy: row.type, x: row.type, fOut: row.type, hPost: 'f32', hRes: 'f32' },
    writes: { dx: row.type, dfOut: row.type, sums: 'f32' },
    uniforms: row.uniforms,
    declarations: row.reduction('rowSum', { type: 'mat4x4f' }),
    body: `
  ${row.begin()}
  ${x.begin}
  ${dy.begin}
  ${coefficients(streams)}
  ${sums.map((sum) => `var ${sum} = 0.0;`).join('\n')}
  ${row.pass({ ...x.sources, ...dy.sources, f: 'fOut[base + @]' }, (values, at) => {
    const [xs, dys] = [x.of(values), dy.of(values)];
    const over = (coefficient: (i: number) => string) =>
      dys.map((slope, i) => `${coefficient(i)} * ${slope}`).join(' + ');
    return `
    ${times(streams, (j) => `dx[${x.at(j, at)}] = ${over((i) => `res${i}_${j}`)};`)}
    dfOut[base + ${at}] = ${over((i) => `post${i}`)};
    ${times(
      streams,
      (i) => `dpost${i} += ${row.dot(dys[i]!, values.f)};
    ${times(streams, (j) => `dres${i}_${j} += ${row.dot(dys[i]!, xs[j]!)};`)}`,
    )}`;
  })}
  ${reduceTogether(sums, 'rowSum', 'mat4x4f')}
  if (${row.isFirst}) { ${times(sums.length, (i) => `sums[row * ${sums.length}u + ${i}u] = ${sums[i]};`)} }`,
  };
});

/** dhPost and dhRes out of the sums: with tensors of their own, the program above would bind more than every device can. */
const splitProgram = defineProgram('mhcPostResGradSplit', ({ streams }: { streams: number }) => ({
  workgroupSize: 256,
  reads: { sums: 'f32' },
  writes: { dhPost: 'f32', dhRes: 'f32' },
  uniforms: { count: 'u32' },
  body: `
  let at = workgroup * 256u + thread;
  if (at >= u.count) { return; }
  let stream = at / ${streams + 1}u;
  let place = at % ${streams + 1}u;
  if (place == 0u) { dhPost[stream] = sums[at]; } else { dhRes[stream * ${streams}u + place - 1u] = sums[at]; }`,
}));

export const mhcPostRes = webgpuKernel(MhcPostRes, (gpu, { x, fOut, hPost, hRes }) => {
  const { tokens, streams, columns } = mhcShape(x);
  const y = gpu.output(x.shape);
  gpu.run(mhcPostResProgram, { streams, columns }, { x, fOut, hPost, hRes, y }, {}, { rows: tokens });
  return { y };
});

export const mhcPostResGrad = webgpuKernel(MhcPostResGrad, (gpu, { dy, x, fOut, hPost, hRes }) => {
  const { tokens, streams, columns } = mhcShape(x);
  const [dx, dfOut, dhPost, dhRes] = [x, fOut, hPost, hRes].map(({ shape }) => gpu.output(shape));
  const sums = gpu.output([tokens, streams, 1 + streams]);
  const tensors = { dy, x, fOut, hPost, hRes, dx, dfOut, sums };
  gpu.run(mhcPostResGradProgram, { streams, columns }, tensors, {}, { rows: tokens });
  const count = tokens * streams * (1 + streams);
  gpu.run(splitProgram, { streams }, { sums, dhPost, dhRes }, { count }, Math.ceil(count / 256));
  gpu.release(sums);
  return { dx: dx!, dfOut: dfOut!, dhPost: dhPost!, dhRes: dhRes! };
});
