import type { HeadStrides } from '../../contracts/shared/attention_shape.js';
import type { StorageType, UniformType } from '../runtime/program.js';

/** A head's rows of `headSize` floats, read as vec4s where memory allows that. */
export interface HeadRows {
  readonly headSize: number;
  readonly vectors: boolean;
}

export const headRows = (headSize: number): HeadRows => ({ headSize, vectors: headSize % 4 === 0 });

/** The vec4s of a row, the last of which may have fewer than four floats. */
export const quadsOf = (headSize: number) => Math.ceil(headSize / 4);

export const typeOf = ({ vectors }: HeadRows): StorageType => (vectors ? 'vec4f' : 'f32');

const PLACES = ['Batch', 'Head', 'Row', 'Offset'] as const;

/** The uniforms of where a tensor's heads lie, for each name. */
export const strideUniforms = (...names: string[]): Record<string, UniformType> =>
  Object.fromEntries(names.flatMap((name) => PLACES.map((place) => [name + place, 'u32'])));

export function strideValues(
  { vectors }: HeadRows,
  strides: Readonly<Record<string, HeadStrides>>,
): Record<string, number> {
  const unit = vectors ? 4 : 1;
  const values: Record<string, number> = {};
  for (const [name, { batch, head, row, offset }] of Object.entries(strides)) {
    [batch, head, row, offset].forEach((floats, i) => {
      values[name + PLACES[i]!] = floats / unit;
    });
  }
  return values;
}

/** Of rows that lie one behind another, [B, H, T, D]. */
export const contiguousStrides = (heads: number, length: number, headSize: number): HeadStrides => ({
  batch: heads * length * headSize,
  head: length * headSize,
  row: headSize,
  offset: 0,
});

/** WGSL of where a head begins. */
export const headStart = (name: string, batch: string, head: string) =>
  `u.${name}Offset + ${batch} * u.${name}Batch + ${head} * u.${name}Head`;

/** WGSL of a vec4 of a row of `buffer` that begins at `start`: zeros beyond the head, which `quad` may be if `isPadded`. */
export function fetchQuad(
  { headSize, vectors }: HeadRows,
  buffer: string,
  start: string,
  quad: string,
  isPadded: boolean,
): string {
  if (vectors) {
    const value = `${buffer}[${start} + ${quad}]`;
    return isPadded ? `select(vec4f(), ${value}, ${quad} < ${headSize / 4}u)` : value;
  }
  const component = (q: number) =>
    `select(0.0, ${buffer}[${start} + ${quad} * 4u + ${q}u], ${quad} * 4u + ${q}u < ${headSize}u)`;
  return `vec4f(${[0, 1, 2, 3].map(component).join(', ')})`;
}

/** WGSL that stores a vec4 of a row, or adds it to what is there, as far as the head goes. */
export function storeQuad(
  { headSize, vectors }: HeadRows,
  buffer: string,
  start: string,
  quad: string,
  value: string,
  operator: '=' | '+=' = '=',
): string {
  if (vectors) return `if (${quad} < ${headSize / 4}u) { ${buffer}[${start} + ${quad}] ${operator} ${value}; }`;
  const component = (q: number) =>
    `if (${quad} * 4u + ${q}u < ${headSize}u) { ${buffer}[${start} + ${quad} * 4u + ${q}u] ${operator} (${value}).${'xyzw'[q]}; }`;
  return [0, 1, 2, 3].map(component).join('\n');
}
