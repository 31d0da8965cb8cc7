import type { TensorInfo } from '@tensorflow/tfjs-core';
import { type ModulatedRmsNormInputs, segmentsOf } from '../../contracts/modulated_rms_norm.js';
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
  /** modulatedRmsNorm: 1 + scale multiplies y and shift is added, of which `rowsPerScale` consecutive rows share a row. */
  hasScale: boolean;
  hasShift: boolean;
}

/** WGSL of the factors gamma + offset and 1 + scale, where they are there, that follows what they multiply. */
const scaledBy = (gamma: string | undefined, scale: string | undefined) =>
  `${gamma ? ` * (${gamma} + u.offset)` : ''}${scale ? ` * (1.0 + ${scale})` : ''}`;

/** rstd = 1 / √(mean(x²) + epsilon) and y = x · rstd · (gamma + offset) · (1 + scale) + shift. */
const rmsNormProgram = defineProgram('rmsNorm', (spec: RmsNormSpec, gpu) => {
  const { columns, hasGamma, hasResidual, hasScale, hasShift } = spec;
  const row = new Row(gpu, columns);
  const modulation = (name: string, at: string) => `${name}[row / u.rowsPerScale * ${row.count}u + ${at}]`;
  const summed = { first: 'x[base + @] + residual[base + @]', again: 'sum[base + @]' };
  const sources = { x: hasResidual ? summed : 'x[base + @]' };
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: {
      x: row.type,
      ...(hasResidual && { residual: row.type }),
      ...(hasGamma && { gamma: row.type }),
      ...(hasScale && { scale: row.type }),
      ...(hasShift && { shift: row.type }),
    },
    writes: { y: row.type, ...(hasResidual && { sum: row.type }), rstd: 'f32' },
    uniforms: { ...row.uniforms, epsilon: 'f32', offset: 'f32', ...(hasScale && { rowsPerScale: 'u32' }) },
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
  ${row.pass(sources, ({ x }, at) => {
    const factors = scaledBy(hasGamma ? `gamma[${at}]` : undefined, hasScale ? modulation('scale', at) : undefined);
    return `y[base + ${at}] = ${x} * r${factors}${hasShift ? ` + ${modulation('shift', at)}` : ''};`;
  })}`,
  };
});

type NormalizedInputs = RmsNormInputs & Partial<ModulatedRmsNormInputs> & { residual?: TensorInfo; sum?: TensorInfo };

/** Records y and rstd; where there is a residual, of x + residual, which goes to `sum`. */
export function normalizeRows(
  gpu: Gpu,
  { x, residual, sum, gamma, scale, shift }: NormalizedInputs,
  { epsilon, offset }: RmsNormAttrs,
): { y: TensorInfo; rstd: TensorInfo } {
  const [rows, columns] = asRows(x.shape);
  const y = gpu.output(x.shape);
  const rstd = gpu.output(x.shape.slice(0, -1));
  const spec = {
    columns,
    hasGamma: gamma !== undefined,
    hasResidual: residual !== undefined,
    hasScale: scale !== undefined,
    hasShift: shift !== undefined,
  };
  const [, rowsPerScale] = segmentsOf(x.shape, scale?.shape ?? []);
  const tensors = { x, residual, gamma, scale, shift, y, sum, rstd };
  gpu.run(rmsNormProgram, spec, tensors, { epsilon, offset, rowsPerScale }, { rows });
  return { y, rstd };
}

/** What is summed over rows: `dproduct` is Σ dy · x̂, of which a segment's dgamma and dscale are multiples. */
type Sum = 'dgamma' | 'dproduct' | 'dshift';

export interface RmsNormGradSpec {
  columns: number;
  hasGamma: boolean;
  /** modulatedRmsNorm: what has its own row of scale, each row of x or each segment of them. */
  scaled?: 'row' | 'segment';
  /** What is summed: dgamma, or dproduct and dshift of segments. */
  sums: readonly Sum[];
  /** fusedAddRmsNorm: adds the gradient that the sum x + residual has from elsewhere. */
  hasDsum: boolean;
}

/**
 * With x̂ = x · rstd and w = dy · (gamma + offset) · (1 + scale): dx = rstd · (w − x̂ · mean(w · x̂)), dgamma = Σ dy · (1 + scale) · x̂,
 * dscale = dy · (gamma + offset) · x̂ where each row has its own, and dshift = Σ dy. A workgroup keeps its part of each sum.
 */
export const rmsNormGradProgram = defineProgram('rmsNormGrad', (spec: RmsNormGradSpec, gpu) => {
  const { columns, hasGamma, scaled, hasDsum } = spec;
  const row = new Row(gpu, columns, { inputs: scaled === 'row' ? 3 : 2 });
  const sums = spec.sums.map((name) => ({ name, ...row.columnSums(name) }));
  const each = (text: (sum: (typeof sums)[number]) => string) => sums.map(text).join('\n');
  const gamma = hasGamma ? 'gamma[@]' : undefined;
  const [byRow, bySegment] = [scaled === 'row', scaled === 'segment'];
  const scaleOfSegment = bySegment ? `scale[workgroup / u.parts * ${row.count}u + @]` : undefined;
  const scale = byRow ? 'scale[base + @]' : scaleOfSegment;
  const sources = { dy: 'dy[base + @]', x: 'x[base + @]', gamma, scale };
  const body = `
    let r = rstd[row];
    var projection = 0.0;
    ${row.pass(sources, ({ dy, x, gamma, scale }) => `projection += ${row.dot(`${dy}${scaledBy(gamma, scale)}`, x)};`)}
    let mean = rowSum(projection) * r * r / ${columns}.0;
    ${row.pass(sources, ({ dy, x, gamma, scale }, at, i) => {
      const normalized = `(${x} * r)`;
      const terms = {
        dgamma: `${dy}${scaledBy(undefined, scale)} * ${normalized}`,
        dproduct: `${dy} * ${normalized}`,
        dshift: dy,
      };
      return `
        dx[base + ${at}] = r * (${dy}${scaledBy(gamma, scale)} - ${x} * mean)${hasDsum ? ` + dsum[base + ${at}]` : ''};
        ${byRow ? `dscale[base + ${at}] = ${dy}${scaledBy(gamma, undefined)} * ${normalized};` : ''}
        ${each(({ name, add }) => add(terms[name], at, i))}`;
    })}`;
  return {
    workgroupSize: row.workgroupSize,
    reads: {
      dy: row.type,
      ...(hasDsum && { dsum: row.type }),
      x: row.type,
      rstd: 'f32',
      ...(hasGamma && { gamma: row.type }),
      ...(scaled && { scale: row.type }),
    },
    writes: {
      dx: row.type,
      ...(byRow && { dscale: row.type }),
      ...Object.fromEntries(sums.map(({ name }) => [name, row.type])),
    },
    uniforms: { rows: 'u32', offset: 'f32', ...(bySegment && { parts: 'u32' }) },
    declarations: row.reduction('rowSum') + each(({ declarations }) => declarations),
    body: `
  ${each(({ start }) => start)}
  ${row.hold({ gamma, scale: scaleOfSegment })}
  ${bySegment ? row.forEachGroupOfSegment(body) : row.forEachGroup(body)}
  ${each(({ store }) => store)}`,
  };
});

type NormalizedGradInputs = RmsNormGradInputs & { dsum?: TensorInfo; scale?: TensorInfo; dscale?: TensorInfo };

/** Records dx, and dgamma where it is wanted; where each row has a row of scale, its gradient, which goes to `dscale`, too. */
export function differentiateNormalizedRows(
  gpu: Gpu,
  { dy, dsum, x, gamma, scale, rstd, dscale }: NormalizedGradInputs,
  { offset, dgamma: isWanted }: RmsNormGradAttrs,
): { dx: TensorInfo; dgamma: TensorInfo | undefined } {
  const [rows, columns] = asRows(x.shape);
  const dx = gpu.output(x.shape);
  const workgroups = backwardWorkgroups(rows);
  const parts = isWanted ? gpu.output([workgroups, columns]) : undefined;
  const spec: RmsNormGradSpec = {
    columns,
    hasGamma: gamma !== undefined,
    scaled: scale && 'row',
    sums: isWanted ? ['dgamma'] : [],
    hasDsum: dsum !== undefined,
  };
  const tensors = { dy, dsum, x, rstd, gamma, scale, dx, dscale, dgamma: parts };
  gpu.run(rmsNormGradProgram, spec, tensors, { rows, offset }, workgroups);
  const dgamma = parts && columnSum(gpu, parts, workgroups, columns);
  gpu.release(parts);
  return { dx, dgamma };
}
