import {
  FusedLinearScaledCrossEntropy,
  FusedLinearScaledCrossEntropyGrad,
} from '../contracts/fused_linear_scaled_cross_entropy.js';
import { NO_GRADIENTS } from '../contracts/shared/chunked_linear.js';
import { defineProgram } from './runtime/program.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { chunkedLinear, chunkedLinearSizes } from './shared/chunked_linear.js';
import { LOWEST } from './wgsl/elements.js';
import { Row } from './wgsl/row.js';

interface RowsSpec {
  vocabulary: number;
  /** Floats from one row of logits to the next. */
  stride: number;
  hasEntropy: boolean;
}

/**
 * For each row of z = logits / temperature, reading it once: lse = log Σ exp(z), nll = lse − z of the label and entropy =
 * log Σ e − Σ e · (z − m) / Σ e, where e = exp(z − m) and m is the maximum; both sums follow the maximum that was seen so far.
 */
const rowsProgram = defineProgram('scaledCrossEntropyRows', ({ vocabulary, stride, hasEntropy }: RowsSpec, gpu) => {
  const row = new Row(gpu, vocabulary, { stride, streamed: true });
  const { type } = row;
  const bits = type === 'f32' ? 'u32' : 'vec4u';
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { logits: type, labels: 'i32' },
    writes: { nll: 'f32', lse: 'f32', ...(hasEntropy && { entropy: 'f32' as const }) },
    uniforms: { ...row.uniforms, firstRow: 'u32', ignoreIndex: 'i32', scale: 'f32', nan: 'f32' },
    declarations: `${row.reduction('rowSum', { type: 'vec2f' })}
${row.reduction('rowMax', { op: 'max' })}`,
    body: `
  ${row.begin()}
  let index = u.firstRow + row;
  let label = labels[index];
  ${row.skip(
    'label == u.ignoreIndex',
    `if (${row.isFirst}) { nll[index] = 0.0; lse[index] = 0.0; ${hasEntropy ? 'entropy[index] = 0.0;' : ''} }`,
  )}
  var maximum = ${LOWEST};
  var exponentials = 0.0;
  var spread = 0.0;
  var bits = ${bits}();
  ${row.pass(
    { logit: 'logits[base + @]' },
    ({ logit }, at) => `
    let scaled = ${logit} * u.scale;
    let z = ${row.inside('scaled', LOWEST, at)};
    let next = max(maximum, ${row.max('z')});
    let e = exp(z - next);
    let decay = exp(maximum - next);
    ${
      hasEntropy
        ? `// Where e is 0 the distance may be infinite.
    spread = (spread + select(exponentials * (maximum - next), 0.0, exponentials == 0.0)) * decay
      + ${row.sum(`select(e * (z - next), ${type}(), e == ${type}())`)};`
        : ''
    }
    exponentials = exponentials * decay + ${row.sum('e')};
    maximum = next;
    bits = max(bits, bitcast<${bits}>(z) & ${bits}(0x7fffffffu));`,
  )}
  // Built-ins may lose a NaN, so it is found by its bits, here and after the sum; ∞ − ∞ is one too.
  if (any(bits > ${bits}(0x7f800000u)) || maximum > -(${LOWEST})) { exponentials = u.nan; }
  let m = rowMax(maximum);
  let factor = exp(maximum - m);
  let moved = select(spread + exponentials * (maximum - m), 0.0, exponentials == 0.0);
  let totals = rowSum(vec2f(exponentials, moved) * factor);
  if (isWorked && ${row.isFirst}) {
    let isNan = (bitcast<u32>(totals.x) & 0x7fffffffu) > 0x7f800000u;
    let inRange = label >= 0 && label < ${vocabulary};
    let isNumber = inRange && !isNan;
    let c = u32(clamp(label, 0, ${vocabulary - 1}));
    let z = ${type === 'f32' ? 'logits[base + c]' : 'logits[base + c / 4u][c % 4u]'} * u.scale;
    let logTotal = log(totals.x);
    lse[index] = select(u.nan, m + logTotal, isNumber);
    nll[index] = select(u.nan, m + logTotal - z, isNumber);
    ${hasEntropy ? 'entropy[index] = select(u.nan, logTotal - totals.y / totals.x, isNumber);' : ''}
  }`,
  };
});

/**
 * In the place of the logits: dlogits = (dnll · (p − [c = label]) − dentropy · p · (log p + entropy)) / temperature, with
 * log p = z − lse.
 */
const slopesProgram = defineProgram('scaledCrossEntropyGrad', ({ vocabulary, stride, hasEntropy }: RowsSpec, gpu) => {
  const row = new Row(gpu, vocabulary, { stride, streamed: true });
  const { type } = row;
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: {
      ...{ labels: 'i32', lse: 'f32', dnll: 'f32' },
      ...(hasEntropy && { entropy: 'f32' as const, dentropy: 'f32' as const }),
    },
    writes: { dlogits: type },
    uniforms: { ...row.uniforms, firstRow: 'u32', ignoreIndex: 'i32', scale: 'f32' },
    body: `
  ${row.begin()}
  let index = u.firstRow + row;
  let label = labels[index];
  let isIgnored = label == u.ignoreIndex;
  let c = u32(clamp(label, 0, ${vocabulary - 1}));
  let logSumExp = lse[index];
  let hit = dnll[index] * u.scale;
  ${hasEntropy ? 'let slope = dentropy[index] * u.scale; let rowEntropy = entropy[index];' : ''}
  ${row.pass(
    { logit: 'dlogits[base + @]' },
    ({ logit }, at) => `
    let logP = ${logit} * u.scale - logSumExp;
    let p = exp(logP);
    var d = hit * p - select(${type}(), ${type}(hit), ${row.columnsAt(at)} == ${type === 'f32' ? 'c' : 'vec4u(c)'});
    ${hasEntropy ? `d -= slope * select(p * (logP + rowEntropy), ${type}(), p == ${type}());` : ''}
    dlogits[base + ${at}] = select(${row.inside('d', '0.0', at)}, ${type}(), isIgnored);`,
  )}`,
  };
});

export const fusedLinearScaledCrossEntropy = webgpuKernel(
  FusedLinearScaledCrossEntropy,
  (gpu, inputs, { temperature, ignoreIndex, returnEntropy, ...attrs }) => {
    const { labels } = inputs;
    const chunked = { ...attrs, gradients: NO_GRADIENTS };
    const { vocabulary, stride } = chunkedLinearSizes(inputs, chunked);
    const [nll, lse] = [gpu.output(labels.shape), gpu.output(labels.shape)];
    const entropy = returnEntropy ? gpu.output(labels.shape) : undefined;
    const spec = { vocabulary, stride, hasEntropy: returnEntropy };
    const uniforms = { ignoreIndex, scale: 1 / temperature, nan: Number.NaN };
    chunkedLinear(gpu, inputs, chunked, {
      loss: ({ logits, first, count }) =>
        gpu.run(
          rowsProgram,
          spec,
          { logits, labels, nll, lse, entropy },
          { ...uniforms, firstRow: first },
          {
            rows: count,
          },
        ),
      slopes: () => {},
    });
    return { nll, lse, entropy };
  },
);

export const fusedLinearScaledCrossEntropyGrad = webgpuKernel(
  FusedLinearScaledCrossEntropyGrad,
  (gpu, { labels, lse, dnll, entropy, dentropy, ...inputs }, { temperature, ignoreIndex, ...attrs }) => {
    const { vocabulary, stride } = chunkedLinearSizes(inputs, attrs);
    const spec = { vocabulary, stride, hasEntropy: entropy !== undefined };
    const uniforms = { ignoreIndex, scale: 1 / temperature };
    return chunkedLinear(gpu, inputs, attrs, {
      loss: () => {},
      slopes: ({ logits, first, count }) => {
        const tensors = { labels, lse, dnll, entropy, dentropy, dlogits: logits };
        gpu.run(slopesProgram, spec, tensors, { ...uniforms, firstRow: first }, { rows: count });
      },
    });
  },
);
