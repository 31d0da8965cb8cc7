import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Tensors } from '../../contracts/shared/contract.js';
import type { DivergenceAttrs, DivergenceGradInputs, DivergenceInputs } from '../../contracts/shared/divergence.js';
import type { Gpu } from '../runtime/gpu.js';
import { defineProgram, type UniformType } from '../runtime/program.js';
import type { ElementType } from '../wgsl/elements.js';
import { asRows, Row } from '../wgsl/row.js';
import { columnSum } from './column_sum.js';

/** A divergence's elements as WGSL of `input` and `target`, two elements of `type`. */
export interface Divergence {
  /** WGSL that stands ahead of both. */
  readonly common?: string;
  readonly loss: string;
  /** The derivative of the loss by `input`. */
  readonly slope: string;
  readonly uniforms?: Readonly<Record<string, UniformType>>;
}

interface RowsSpec<Own> {
  columns: number;
  labelled: boolean;
  own: Own;
}

/** Stands after the row's `begin`: whether the row counts. */
const counts = (labelled: boolean) => `let counts = ${labelled ? 'labels[row] != u.ignoreIndex' : 'true'};`;

/** The loss, and what the sum over elements was divided by, from the rows' sums and how many rows count. */
const divisorProgram = defineProgram('divergenceDivisor', (_: object) => ({
  workgroupSize: 1,
  reads: { sums: 'f32' },
  writes: { loss: 'f32', divisor: 'f32' },
  uniforms: { perRow: 'f32', isSum: 'u32' },
  body: `
  // Where no row counts every sum is 0, and stays so.
  let divided = select(max(sums[1], 1.0) * u.perRow, 1.0, u.isSum == 1u);
  divisor[0] = divided;
  loss[0] = sums[0] / divided;`,
}));

/** The kernels of a divergence between rows. */
export function divergenceKernels<Spec extends object>(
  name: string,
  build: (type: ElementType, spec: Spec) => Divergence,
) {
  /** Reads the inputs once: of each row the sum of its elements, and 1 if it counts. */
  const rowsProgram = defineProgram(name, ({ columns, labelled, own }: RowsSpec<Spec>, gpu) => {
    const row = new Row(gpu, columns, { streamed: true });
    const { common = '', loss, uniforms } = build(row.type, own);
    return {
      workgroupSize: row.workgroupSize,
      rowsPerWorkgroup: row.rowsPerWorkgroup,
      reads: { inputs: row.type, targets: row.type, ...(labelled && { labels: 'i32' as const }) },
      writes: { sums: 'f32' },
      uniforms: { ...row.uniforms, ...(labelled && { ignoreIndex: 'i32' as const }), ...uniforms },
      declarations: row.reduction('rowSum'),
      body: `
  ${row.begin()}
  ${counts(labelled)}
  ${row.skip('!counts', `if (${row.isFirst}) { sums[row * 2u] = 0.0; sums[row * 2u + 1u] = 0.0; }`)}
  var sum = 0.0;
  ${row.pass(
    { input: 'inputs[base + @]', target_: 'targets[base + @]' },
    (values) => `{
    let input = ${values.input};
    let target_ = ${values.target_};
    ${common}
    sum += ${row.sum(loss)};
  }`,
  )}
  let total = rowSum(sum);
  if (${row.isFirst} && isWorked) { sums[row * 2u] = total; sums[row * 2u + 1u] = 1.0; }`,
    };
  });

  /** Each element's loss, or its slope times the gradient of the loss. */
  const elementsProgram = defineProgram(
    `${name}Elements`,
    ({ columns, labelled, own, output }: RowsSpec<Spec> & { output: 'loss' | 'slope' | 'slopeByElement' }, gpu) => {
      const row = new Row(gpu, columns, { streamed: true });
      const { common = '', loss, slope, uniforms } = build(row.type, own);
      const isSlope = output !== 'loss';
      const dy = output === 'slopeByElement' ? { dy: 'dys[base + @]' } : {};
      return {
        workgroupSize: row.workgroupSize,
        rowsPerWorkgroup: row.rowsPerWorkgroup,
        reads: {
          inputs: row.type,
          targets: row.type,
          ...(labelled && { labels: 'i32' as const }),
          ...(isSlope && {
            dys: output === 'slopeByElement' ? row.type : ('f32' as const),
            ...(output === 'slope' && { divisor: 'f32' as const }),
          }),
        },
        writes: { result: row.type },
        uniforms: { ...row.uniforms, ...(labelled && { ignoreIndex: 'i32' as const }), ...uniforms },
        body: `
  ${row.begin()}
  ${counts(labelled)}
  ${output === 'slope' ? 'let dy = dys[0] / divisor[0];' : ''}
  ${row.pass(
    { input: 'inputs[base + @]', target_: 'targets[base + @]', ...dy },
    (values: Readonly<Record<string, string | undefined>>, at) => `{
    let input = ${values.input};
    let target_ = ${values.target_};
    ${common}
    let value = ${isSlope ? `(${slope}) * ${values.dy ?? 'dy'}` : loss};
    result[base + ${at}] = select(${row.type}(), value, counts);
  }`,
  )}`,
      };
    },
  );

  return {
    forward(
      gpu: Gpu,
      { input, target, labels }: Tensors<DivergenceInputs, TensorInfo>,
      { reduction, ignoreIndex }: DivergenceAttrs,
      own: Spec,
      uniforms: Readonly<Record<string, number>> = {},
    ): { loss: TensorInfo; divisor: TensorInfo | undefined } {
      const [rows, columns] = asRows(input.shape);
      const spec = { columns, labelled: labels !== undefined, own };
      const tensors = { inputs: input, targets: target, labels };
      if (reduction === 'none') {
        const loss = gpu.output(input.shape);
        const elements = { ...spec, output: 'loss' as const };
        gpu.run(elementsProgram, elements, { ...tensors, result: loss }, { ignoreIndex, ...uniforms }, { rows });
        return { loss, divisor: undefined };
      }
      const [loss, divisor] = [gpu.output([]), gpu.output([])];
      const parts = gpu.output([rows, 2]);
      gpu.run(rowsProgram, spec, { ...tensors, sums: parts }, { ignoreIndex, ...uniforms }, { rows });
      const sums = columnSum(gpu, parts, rows, 2);
      const divide = { perRow: reduction === 'mean' ? columns : 1, isSum: reduction === 'sum' ? 1 : 0 };
      gpu.run(divisorProgram, {}, { sums, loss, divisor }, divide, 1);
      gpu.release(parts, sums);
      return { loss, divisor };
    },

    backward(
      gpu: Gpu,
      { dy, input, target, labels, divisor }: Tensors<DivergenceGradInputs, TensorInfo>,
      { reduction, ignoreIndex }: DivergenceAttrs,
      own: Spec,
      uniforms: Readonly<Record<string, number>> = {},
    ): { dinput: TensorInfo } {
      const [rows, columns] = asRows(input.shape);
      const dinput = gpu.output(input.shape);
      const output = reduction === 'none' ? ('slopeByElement' as const) : ('slope' as const);
      const spec = { columns, labelled: labels !== undefined, output, own };
      const tensors = { inputs: input, targets: target, labels, dys: dy, divisor, result: dinput };
      gpu.run(elementsProgram, spec, tensors, { ignoreIndex, ...uniforms }, { rows });
      return { dinput };
    },
  };
}
