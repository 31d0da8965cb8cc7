import { MhcCoeffs, MhcCoeffsGrad } from '../contracts/mhc_coeffs.js';
import { coefficientsOf, mhcShape } from '../contracts/shared/mhc_shape.js';
import { type MatmulOperand, matmul } from './matmul/matmul.js';
import { featuresGradient } from './mhc_coeffs/features_gradient.js';
import { gatesGradient, logit, pack } from './mhc_coeffs/gates.js';
import { product } from './mhc_coeffs/product.js';
import { quadsOf } from './mhc_coeffs/quads.js';
import { Sinkhorn } from './mhc_coeffs/sinkhorn.js';
import { defineProgram } from './runtime/program.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { wgslFunction } from './wgsl/activations.js';
import { times } from './wgsl/elements.js';

interface MhcCoeffsSpec {
  /** HC */
  streams: number;
}

/** Threads of the programs that have one for each token: few, so that few tokens have many workgroups. */
const THREADS = 64;

interface CoefficientsSpec extends MhcCoeffsSpec {
  /** HC · C */
  features: number;
}

/**
 * rstd = 1 / √(Σ x² / (HC · C) + rmsEpsilon), mix = Σ x · phi · rstd, z = mix · alpha + b, hPre = sigmoid(z) + preEpsilon,
 * hPost = sigmoid(z) · postMult, and hRes from the softmax of z by Sinkhorn's iteration. A thread a token.
 */
const coefficientsProgram = defineProgram('mhcCoeffs', ({ streams, features }: CoefficientsSpec) => {
  const columns = coefficientsOf(streams);
  const sinkhorn = new Sinkhorn(streams);
  const ofColumns = quadsOf(columns);
  const mix = (column: number) => `mix${Math.floor(column / 4)}.${'xyzw'[column % 4]}`;
  const z = (column: number) => `(${mix(column)} * gates[${column}u] + gates[${columns + column}u])`;
  const storeMix =
    ofColumns.type === 'vec4f'
      ? times(ofColumns.count, (i) => `mix[row * ${ofColumns.count}u + ${i}u] = mix${i};`)
      : times(columns, (i) => `mix[row * ${columns}u + ${i}u] = ${mix(i)};`);
  return {
    workgroupSize: THREADS,
    rowsPerWorkgroup: THREADS,
    reads: { products: ofColumns.type, squares: 'f32', gates: 'f32' },
    writes: { hPre: 'f32', hPost: 'f32', hRes: 'f32', mix: ofColumns.type, rstd: 'f32' },
    uniforms: {
      ...{ rows: 'u32', slices: 'u32', tmax: 'u32' },
      ...{ rmsEpsilon: 'f32', preEpsilon: 'f32', sinkhornEpsilon: 'f32', postMult: 'f32' },
    },
    declarations: wgslFunction('sigmoid', 'f32'),
    body: `
  let row = workgroup * ${THREADS}u + thread;
  if (row >= u.rows) { return; }
  var square = 0.0;
  ${times(ofColumns.count, (i) => `var mix${i} = vec4f();`)}
  for (var slice = 0u; slice < u.slices; slice++) {
    let at = slice * u.rows + row;
    square += squares[at];
    ${times(ofColumns.count, (i) => `mix${i} += ${ofColumns.at('products', 'at', `${i}u`)};`)}
  }
  let r = inverseSqrt(square / ${features}.0 + u.rmsEpsilon);
  rstd[row] = r;
  ${times(ofColumns.count, (i) => `mix${i} *= r;`)}
  ${storeMix}
  ${times(
    streams,
    (i) => `hPre[row * ${streams}u + ${i}u] = sigmoid${z(i)} + u.preEpsilon;
  hPost[row * ${streams}u + ${i}u] = sigmoid${z(streams + i)} * u.postMult;`,
  )}
  ${sinkhorn.softmax((i, j) => z((2 + i) * streams + j))}
  ${sinkhorn.divide()}
  ${sinkhorn.each((i, j) => `hRes[row * ${streams ** 2}u + ${i * streams + j}u] = m${i}_${j};`)}`,
  };
});

/**
 * The gradient of hRes's logits. The divisors of all divisions are computed again and kept, and the gradient goes back through
 * them. A thread a token.
 */
const sinkhornGradProgram = defineProgram('mhcCoeffsSinkhornGrad', ({ streams }: MhcCoeffsSpec) => {
  const sinkhorn = new Sinkhorn(streams);
  const softmax = sinkhorn.softmax((i, j) => logit(coefficientsOf(streams), `${(2 + i) * streams + j}u`));
  const divisor = (step: string, line: number) => `divisors[(${step} * ${streams}u + ${line}u) * u.rows + row]`;
  const at = (i: number, j: number) => `row * ${streams ** 2}u + ${i * streams + j}u`;
  return {
    workgroupSize: THREADS,
    rowsPerWorkgroup: THREADS,
    reads: { dhRes: 'f32', mix: 'f32', gates: 'f32' },
    writes: { dres: 'f32', divisors: 'f32' },
    uniforms: { rows: 'u32', tmax: 'u32', sinkhornEpsilon: 'f32' },
    body: `
  let row = workgroup * ${THREADS}u + thread;
  if (row >= u.rows) { return; }
  ${softmax}
  ${sinkhorn.divide((step, line, value) => `${divisor(step, line)} = ${value};`)}
  ${sinkhorn.each((i, j) => `var d${i}_${j} = dhRes[${at(i, j)}];`)}
  ${sinkhorn.divideBackwards(divisor)}
  { // The softmax again: what is left of it has an epsilon added.
    ${softmax}
    ${sinkhorn.softmaxBackwards()}
  }
  ${sinkhorn.each((i, j) => `dres[${at(i, j)}] = d${i}_${j};`)}`,
  };
});

interface SlopesSpec extends MhcCoeffsSpec {
  /** Whether what the gradients of b and the alphas are sums of is written. */
  terms: boolean;
}

/** With dz = dhPre · sigmoid′(z), dhPost · sigmoid′(z) · postMult or dres: slopes = dz · alpha · rstd, terms = dz and dz · mix. */
const slopesProgram = defineProgram('mhcCoeffsSlopes', ({ streams, terms }: SlopesSpec) => {
  const columns = coefficientsOf(streams);
  return {
    workgroupSize: 256,
    reads: { dhPre: 'f32', dhPost: 'f32', dres: 'f32', mix: 'f32', rstd: 'f32', gates: 'f32' },
    writes: { slopes: 'f32', ...(terms && { terms: 'f32' }) },
    uniforms: { count: 'u32', postMult: 'f32' },
    declarations: wgslFunction('sigmoid', 'f32'),
    body: `
  let at = workgroup * 256u + thread;
  if (at >= u.count) { return; }
  let row = at / ${columns}u;
  let column = at % ${columns}u;
  let z = ${logit(columns, 'column')};
  let slope = sigmoid(z) * sigmoid(-z);
  var dz = 0.0;
  if (column < ${streams}u) {
    dz = dhPre[row * ${streams}u + column] * slope;
  } else if (column < ${2 * streams}u) {
    dz = dhPost[row * ${streams}u + column - ${streams}u] * slope * u.postMult;
  } else {
    dz = dres[row * ${streams ** 2}u + column - ${2 * streams}u];
  }
  slopes[at] = dz * gates[column] * rstd[row];
  ${
    terms
      ? `terms[row * ${2 * columns}u + column] = dz;
  terms[row * ${2 * columns}u + ${columns}u + column] = dz * mix[at];`
      : ''
  }`,
  };
});

export const mhcCoeffs = webgpuKernel(MhcCoeffs, (gpu, { x, phi, ...gates }, attrs) => {
  const { leading, tokens, streams, columns, coefficients } = mhcShape(x);
  const { slices, products, squares } = product(gpu, x, phi, tokens);
  const packed = pack(gpu, gates, streams);
  const outputs = {
    hPre: gpu.output([...leading, streams]),
    hPost: gpu.output([...leading, streams]),
    hRes: gpu.output([...leading, streams, streams]),
    mix: gpu.output([...leading, coefficients]),
    rstd: gpu.output(leading),
  };
  const spec = { streams, features: streams * columns };
  gpu.run(
    coefficientsProgram,
    spec,
    { products, squares, gates: packed, ...outputs },
    { slices, ...attrs },
    { rows: tokens },
  );
  gpu.release(products, squares, packed);
  return outputs;
});

export const mhcCoeffsGrad = webgpuKernel(
  MhcCoeffsGrad,
  (gpu, { dhPre, dhPost, dhRes, x, phi, mix, rstd, ...gates }, attrs) => {
    const { tokens, streams, columns, coefficients } = mhcShape(x);
    const packed = pack(gpu, gates, streams);
    const dres = gpu.output(dhRes.shape);
    const divisors = gpu.output([2 * attrs.tmax - 1, streams, tokens]);
    const { tmax, sinkhornEpsilon, postMult } = attrs;
    const ofSinkhorn = { dhRes, mix, gates: packed, dres, divisors };
    gpu.run(sinkhornGradProgram, { streams }, ofSinkhorn, { tmax, sinkhornEpsilon }, { rows: tokens });

    const slopes = gpu.output([tokens, coefficients]);
    const terms = attrs.dgates ? gpu.output([tokens, 2 * coefficients]) : undefined;
    const count = tokens * coefficients;
    const ofSlopes = { dhPre, dhPost, dres, mix, rstd, gates: packed, slopes, terms };
    gpu.run(slopesProgram, { streams, terms: attrs.dgates }, ofSlopes, { count, postMult }, Math.ceil(count / 256));

    const dx = attrs.dx ? featuresGradient(gpu, { x, phi, slopes, mix, rstd }, tokens) : undefined;
    const dphi = attrs.dphi ? gpu.output(phi.shape) : undefined;
    if (dphi) {
      const features = streams * columns;
      const a: MatmulOperand = { tensor: x, layout: 'kOuter', stride: features };
      const b: MatmulOperand = { tensor: slopes, layout: 'kOuter', stride: coefficients };
      matmul(gpu, { m: features, n: coefficients, k: tokens, a, b, c: dphi });
    }
    const ofGates = terms && gatesGradient(gpu, terms, tokens, streams);
    gpu.release(packed, divisors, dres, slopes, terms);
    return { dx, dphi, ...ofGates };
  },
);
