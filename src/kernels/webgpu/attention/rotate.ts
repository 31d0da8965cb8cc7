import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { HeadStrides } from '../../contracts/shared/attention_shape.js';
import type { Gpu } from '../runtime/gpu.js';
import { defineProgram } from '../runtime/program.js';
import { elementsOf } from '../wgsl/elements.js';
import { rotatedPair } from '../wgsl/rotation.js';
import { headStart, strideUniforms, strideValues } from './heads.js';

const WORKGROUP_SIZE = 256;

interface RotateSpec {
  headSize: number;
  perBatch: boolean;
  transposed: boolean;
  inPlace: boolean;
}

/** The rotation of `rope`, of rows that lie in any way. */
const rotateProgram = defineProgram('attentionRotate', ({ headSize, perBatch, transposed, inPlace }: RotateSpec) => {
  const { type, count: half } = elementsOf(headSize / 2);
  const [y1, y2] = rotatedPair(transposed);
  const x = inPlace ? 'y' : 'x';
  return {
    workgroupSize: WORKGROUP_SIZE,
    reads: { ...(!inPlace && { x: type }), cos: type, sin: type },
    writes: { y: type },
    uniforms: {
      heads: 'u32',
      length: 'u32',
      count: 'u32',
      /** The angles' rows in a batch, and the one of the first row. */
      places: 'u32',
      firstPlace: 'u32',
      ...strideUniforms('x', 'y'),
    },
    body: `
  let index = workgroup * ${WORKGROUP_SIZE}u + thread;
  if (index >= u.count) { return; }
  let column = index % ${half}u;
  let row = index / ${half}u % u.length;
  let head = index / ${half}u / u.length % u.heads;
  let batch = index / ${half}u / u.length / u.heads;
  let source = ${headStart('x', 'batch', 'head')} + row * u.xRow + column;
  let destination = ${headStart('y', 'batch', 'head')} + row * u.yRow + column;
  let angle = (${perBatch ? 'batch * u.places + ' : ''}u.firstPlace + row) * ${2 * half}u + column;
  let x1 = ${x}[source];
  let x2 = ${x}[source + ${half}u];
  let cos1 = cos[angle];
  let cos2 = cos[angle + ${half}u];
  let sin1 = sin[angle];
  let sin2 = sin[angle + ${half}u];
  y[destination] = ${y1};
  y[destination + ${half}u] = ${y2};`,
  };
});

export interface RotateCall {
  /** Undefined for a rotation in place. */
  readonly x: TensorInfo | undefined;
  readonly y: TensorInfo;
  readonly from: HeadStrides;
  readonly to: HeadStrides;
  readonly cos: TensorInfo;
  readonly sin: TensorInfo;
  readonly batches: number;
  readonly heads: number;
  readonly length: number;
  readonly headSize: number;
  readonly transposed: boolean;
}

/** Rotates each row by the angles of its place: the last row has those of the last. */
export function rotate(gpu: Gpu, call: RotateCall): void {
  const { x, y, from, to, cos, sin, batches, heads, length, headSize, transposed } = call;
  const { type, count: half } = elementsOf(headSize / 2);
  const places = cos.shape[1]!;
  const count = batches * heads * length * half;
  const uniforms = {
    heads,
    length,
    count,
    places,
    firstPlace: places - length,
    ...strideValues({ headSize, vectors: type === 'vec4f' }, { x: from, y: to }),
  };
  const spec = { headSize, perBatch: cos.shape[0] !== 1, transposed, inPlace: x === undefined };
  gpu.run(rotateProgram, spec, { x, y, cos, sin }, uniforms, Math.ceil(count / WORKGROUP_SIZE));
}
