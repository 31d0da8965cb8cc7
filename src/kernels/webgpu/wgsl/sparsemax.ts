import { LOWEST } from './elements.js';
import type { Row, Sources } from './row.js';

/** WGSL of whether a value is NaN or +∞, which comparisons of floats need not tell. */
const isWild = (value: string) =>
  `((bitcast<u32>(${value}) & 0x7fffffffu) > 0x7f800000u) | (bitcast<u32>(${value}) == 0x7f800000u)`;

/** The declarations that `sparsemaxThreshold` needs; a program has the uniform `nan`, too. */
export const sparsemaxDeclarations = (row: Row) => `
${row.reduction('rowMax', { op: 'max', type: 'vec2f' })}
${row.reduction('rowSum', { type: 'vec2f' })}
var<workgroup> hasMoved: atomic<u32>;
var<workgroup> goesOn: bool;`;

/**
 * WGSL that finds `maximum` of a row of values `x`, and the `threshold` τ above it where
 *
 *     Σ max(x − maximum − τ, 0) = 1
 *
 * or NaN where a value is NaN or +∞. τ lies between −1, at which the sum is at least 1, and 0. Newton's steps from the left,
 * τ = (Σ x − maximum over the support − 1) / |support|, reach it exactly: the sum is convex and made of straight pieces, and the
 * support shrinks with every step.
 *
 * @param sources The row, by the name `x`.
 */
export function sparsemaxThreshold(row: Row, sources: Sources & { readonly x: string }): string {
  const { type } = row;
  const components = (value: string) => (type === 'f32' ? [value] : ['x', 'y', 'z', 'w'].map((c) => `${value}.${c}`));
  return `
  var top = ${LOWEST};
  var wild = 0.0;
  ${row.pass(
    sources,
    ({ x }) => `top = max(top, ${row.max(x)});
    ${components(x)
      .map((value) => `wild = select(wild, 1.0, ${isWild(value)});`)
      .join('\n')}`,
  )}
  let highest = rowMax(vec2f(top, wild));
  let maximum = highest.x;
  var threshold = -1.0;
  loop {
    var support = vec2f();
    ${row.pass(
      sources,
      ({ x }) => `{
      let distance = ${x} - maximum;
      let isInside = distance > ${type}(threshold);
      let inside = select(${type}(), distance, isInside);
      support += vec2f(${row.sum('inside')}, ${row.sum(`select(${type}(), ${type}(1.0), isInside)`)});
    }`,
    )}
    let total = rowSum(support);
    let next = (total.x - 1.0) / total.y;
    if (thread == 0u) { atomicStore(&hasMoved, 0u); }
    workgroupBarrier();
    if (next > threshold) {
      threshold = next;
      atomicStore(&hasMoved, 1u);
    }
    workgroupBarrier();
    if (thread == 0u) { goesOn = atomicLoad(&hasMoved) == 1u; }
    if (!workgroupUniformLoad(&goesOn)) { break; }
  }
  threshold = select(threshold, u.nan, highest.y > 0.0);`;
}
