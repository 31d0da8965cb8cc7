import { MhcPre, MhcPreGrad } from '../contracts/mhc_pre.js';
import { mhcShape } from '../contracts/shared/mhc_shape.js';
import { defineProgram } from './runtime/program.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { range, times } from './wgsl/elements.js';
import { reduceTogether } from './wgsl/reduction.js';
import { Row } from './wgsl/row.js';
import { streamsOf } from './wgsl/streams.js';

interface MhcPreSpec {
  /** HC */
  streams: number;
  columns: number;
}

/** y = Σ hPre · x over the streams. */
const mhcPreProgram = defineProgram('mhcPre', ({ streams, columns }: MhcPreSpec, gpu) => {
  const row = new Row(gpu, columns, { inputs: streams, streamed: true });
  const x = streamsOf('x', streams, row);
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { x: row.type, hPre: 'f32' },
    writes: { y: row.type },
    uniforms: row.uniforms,
    body: `
  ${row.begin()}
  ${x.begin}
  ${times(streams, (h) => `let h${h} = hPre[row * ${streams}u + ${h}u];`)}
  ${row.pass(x.sources, (values, at) => {
    const terms = x.of(values).map((value, h) => `h${h} * ${value}`);
    return `y[base + ${at}] = ${terms.join(' + ')};`;
  })}`,
  };
});

/** dx = hPre · dy, and dhPre = Σ dy · x over a row. */
const mhcPreGradProgram = defineProgram('mhcPreGrad', ({ streams, columns }: MhcPreSpec, gpu) => {
  const row = new Row(gpu, columns, { inputs: streams + 1, streamed: true });
  const x = streamsOf('x', streams, row);
  const sums = range(streams).map((h) => `dh${h}`);
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { dy: row.type, x: row.type, hPre: 'f32' },
    writes: { dx: row.type, dhPre: 'f32' },
    uniforms: row.uniforms,
    declarations: row.reduction('rowSum', { type: 'vec4f' }),
    body: `
  ${row.begin()}
  ${x.begin}
  ${times(streams, (h) => `let h${h} = hPre[row * ${streams}u + ${h}u];\nvar dh${h} = 0.0;`)}
  ${row.pass({ ...x.sources, dy: 'dy[base + @]' }, (values, at) => {
    const xs = x.of(values);
    return times(
      streams,
      (h) => `dx[${x.at(h, at)}] = h${h} * ${values.dy};
    dh${h} += ${row.dot(values.dy, xs[h]!)};`,
    );
  })}
  ${reduceTogether(sums, 'rowSum', 'vec4f')}
  if (${row.isFirst}) { ${times(streams, (h) => `dhPre[row * ${streams}u + ${h}u] = dh${h};`)} }`,
  };
});

export const mhcPre = webgpuKernel(MhcPre, (gpu, { x, hPre }) => {
  const { leading, tokens, streams, columns } = mhcShape(x);
  const y = gpu.output([...leading, columns]);
  gpu.run(mhcPreProgram, { streams, columns }, { x, hPre, y }, {}, { rows: tokens });
  return { y };
});

export const mhcPreGrad = webgpuKernel(MhcPreGrad, (gpu, { dy, x, hPre }) => {
  const { tokens, streams, columns } = mhcShape(x);
  const [dx, dhPre] = [gpu.output(x.shape), gpu.output(hPre.shape)];
  gpu.run(mhcPreGradProgram, { streams, columns }, { dy, x, hPre, dx, dhPre }, {}, { rows: tokens });
  return { dx, dhPre };
});
