import { AttnRes, AttnResGrad } from '../contracts/attn_res.js';
import { defineProgram } from './runtime/program.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { columnSum } from './shared/column_sum.js';
import { defineElementwise, runElementwise } from './shared/elementwise.js';
import { elementsOf, range, times } from './wgsl/elements.js';
import { reduceTogether } from './wgsl/reduction.js';
import { asRows, backwardWorkgroups, Row } from './wgsl/row.js';

interface AttnResSpec {
  /** N */
  blocks: number;
  columns: number;
}

/** The rows of a token in all blocks, v0, v1, … */
const rowsOfBlocks = (blocks: number) =>
  Object.fromEntries(Array.from({ length: blocks }, (_, n) => [`v${n}`, `v[${n}u * u.blockStride + base + @]`]));

/** WGSL that sums vec2s sums0, sums1, … over the threads of a row. */
const reduceSums = (blocks: number) =>
  reduceTogether(
    range(blocks).flatMap((n) => [`sums${n}.x`, `sums${n}.y`]),
    'rowSum',
    'mat4x4f',
  );

const added = (blocks: number, text: (n: number) => string) => range(blocks).map(text).join(' + ');

/**
 * With u = wQuery · wNorm: rstd = 1 / √(mean(v²) + epsilon), s = rstd · Σ u · v, α = softmax(s) over the blocks, y = Σ α · v. A
 * token's rows that fit the registers are read once.
 */
const attnResProgram = defineProgram('attnRes', ({ blocks, columns }: AttnResSpec, gpu) => {
  const row = new Row(gpu, columns, { inputs: blocks });
  const v = rowsOfBlocks(blocks);
  const each = (text: (n: number) => string) => times(blocks, text);
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { v: row.type, wQuery: row.type, wNorm: row.type },
    writes: { y: row.type, stats: 'f32' },
    uniforms: { ...row.uniforms, blockStride: 'u32', tokens: 'u32', epsilon: 'f32' },
    declarations: row.reduction('rowSum', { type: 'mat4x4f' }),
    body: `
  ${row.begin()}
  ${each((n) => `var sums${n} = vec2f();`)}
  ${row.pass({ ...v, query: 'wQuery[@] * wNorm[@]' }, ({ query, ...vs }) =>
    each((n) => {
      const value = (vs as Record<string, string>)[`v${n}`]!;
      return `sums${n} += vec2f(${row.dot(value, value)}, ${row.dot(value, query)});`;
    }),
  )}
  ${reduceSums(blocks)}
  ${each(
    (n) => `let rstd${n} = inverseSqrt(sums${n}.x / ${columns}.0 + u.epsilon);
  let score${n} = sums${n}.y * rstd${n};`,
  )}
  let top = ${range(blocks)
    .map((n) => `score${n}`)
    .reduce((a, b) => `max(${a}, ${b})`)};
  ${each((n) => `let exponential${n} = exp(score${n} - top);`)}
  let total = ${added(blocks, (n) => `exponential${n}`)};
  ${each((n) => `let alpha${n} = exponential${n} / total;`)}
  if (${row.isFirst}) {
    ${each(
      (n) => `stats[(${n}u * u.tokens + row) * 2u] = alpha${n};
    stats[(${n}u * u.tokens + row) * 2u + 1u] = rstd${n};`,
    )}
  }
  ${row.pass(v, (vs, at) => `y[base + ${at}] = ${added(blocks, (n) => `alpha${n} * ${vs[`v${n}`]}`)};`)}`,
  };
});

interface AttnResGradSpec extends AttnResSpec {
  /** Whether du is summed. */
  sums: boolean;
}

/**
 * With ds = α · (Σ dy · v − Σ α · Σ dy · v over the blocks): dv = α · dy + ds · rstd · (u − v · rstd² · Σ u · v / D), and du = Σ ds ·
 * rstd · v over blocks and tokens, of which a workgroup keeps its part.
 */
const attnResGradProgram = defineProgram('attnResGrad', ({ blocks, columns, sums }: AttnResGradSpec, gpu) => {
  const row = new Row(gpu, columns, { inputs: blocks + 1 });
  const du = sums ? row.columnSums('du') : undefined;
  const query = 'wQuery[@] * wNorm[@]';
  const sources = { ...rowsOfBlocks(blocks), dy: 'dy[base + @]', query };
  const each = (text: (n: number) => string) => times(blocks, text);
  return {
    workgroupSize: row.workgroupSize,
    reads: { v: row.type, dy: row.type, wQuery: row.type, wNorm: row.type, stats: 'f32' },
    writes: { dv: row.type, ...(sums && { du: row.type }) },
    uniforms: { rows: 'u32', blockStride: 'u32', tokens: 'u32' },
    declarations: row.reduction('rowSum', { type: 'mat4x4f' }) + (du?.declarations ?? ''),
    body: `
  ${du?.start ?? ''}
  ${row.hold({ query })}
  ${row.forEachGroup(`
    ${each((n) => `var sums${n} = vec2f();`)}
    ${row.pass(sources, ({ dy, query, ...vs }) =>
      each((n) => {
        const value = (vs as Record<string, string>)[`v${n}`]!;
        return `sums${n} += vec2f(${row.dot(value, dy)}, ${row.dot(value, query)});`;
      }),
    )}
    ${reduceSums(blocks)}
    ${each(
      (n) => `let alpha${n} = stats[(${n}u * u.tokens + row) * 2u];
    let rstd${n} = stats[(${n}u * u.tokens + row) * 2u + 1u];`,
    )}
    let mean = ${added(blocks, (n) => `alpha${n} * sums${n}.x`)};
    ${each(
      (n) => `let slope${n} = alpha${n} * (sums${n}.x - mean) * rstd${n};
    let shrink${n} = rstd${n} * rstd${n} * sums${n}.y / ${columns}.0;`,
    )}
    ${row.pass(sources, ({ dy, query, ...vs }, at, i) => {
      const value = (n: number) => (vs as Record<string, string>)[`v${n}`]!;
      return `${each(
        (n) =>
          `dv[${n}u * u.blockStride + base + ${at}] = alpha${n} * ${dy} + slope${n} * (${query} - ${value(n)} * shrink${n});`,
      )}
      ${
        du?.add(
          added(blocks, (n) => `slope${n} * ${value(n)}`),
          at,
          i,
        ) ?? ''
      }`;
    })}`)}
  ${du?.store ?? ''}`,
  };
});

const weightGradientProgram = defineElementwise('attnResWeightGrad', () => ({
  reads: ['du', 'wQuery', 'wNorm'],
  writes: { dwQuery: 'du * wNorm', dwNorm: 'du * wQuery' },
}));

export const attnRes = webgpuKernel(AttnRes, (gpu, { v, wQuery, wNorm }, { epsilon }) => {
  const [blocks, ...shape] = v.shape as [number, ...number[]];
  const [rows, columns] = asRows(shape);
  const y = gpu.output(shape);
  const stats = gpu.output([blocks, ...shape.slice(0, -1), 2]);
  const blockStride = rows * elementsOf(columns).count;
  const uniforms = { blockStride, tokens: rows, epsilon };
  gpu.run(attnResProgram, { blocks, columns }, { v, wQuery, wNorm, y, stats }, uniforms, { rows });
  return { y, stats };
});

export const attnResGrad = webgpuKernel(AttnResGrad, (gpu, { dy, v, wQuery, wNorm, stats }, { dweights }) => {
  const [blocks, ...shape] = v.shape as [number, ...number[]];
  const [rows, columns] = asRows(shape);
  const dv = gpu.output(v.shape);
  const workgroups = backwardWorkgroups(rows);
  const parts = dweights ? gpu.output([workgroups, columns]) : undefined;
  const spec = { blocks, columns, sums: dweights };
  const blockStride = rows * elementsOf(columns).count;
  const tensors = { dy, v, wQuery, wNorm, stats, dv, du: parts };
  gpu.run(attnResGradProgram, spec, tensors, { rows, blockStride, tokens: rows }, workgroups);
  if (!parts) return { dv };
  const du = columnSum(gpu, parts, workgroups, columns);
  const [dwQuery, dwNorm] = [gpu.output([columns]), gpu.output([columns])];
  runElementwise(gpu, weightGradientProgram, {}, { du, wQuery, wNorm, dwQuery, dwNorm });
  gpu.release(parts, du);
  return { dv, dwQuery, dwNorm };
});
