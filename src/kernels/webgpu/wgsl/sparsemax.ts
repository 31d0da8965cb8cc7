import { LOWEST } from './elements.js';
import type { Row, Sources } from './row.js';

/** WGSL of whether a value is NaN or +∞, which comparisons of floats need not tell. */
const isWild = (value: string) =>
  `((bitcast<u32>(${value}) & 0x7fffffffu) > 0x7f800000u) | (bitcast<u32>(${value}) == 0x7f800000u)`;

/** The declarations that `sparsemaxThreshold` needs; a program has the uniform `nan`, too. */
export const sparsemaxDeclarations = (row: Row) => `
${row.reduction('rowMax', { op: 'max', type: 'vec2f' })}
${row.reduction('rowSum', { type: 'vec2f' })}
${row.isShared ? 'var<workgroup> hasMoved: atomic<u32>;' : ''}
var<workgroup> goesOn: bool;`;

/** Steps that jump ahead before Newton's take over. */
const JUMPS = 2;

/**
 * WGSL that finds `maximum` of a row of values `x`, and the `threshold` τ above it where
 *
 *     f(τ) = Σ max(x − maximum − τ, 0) = 1
 *
 * or NaN where a value is NaN or +∞. τ lies between −1, where f is at least 1, and −1 / |row|.
 *
 * f is convex and made of straight pieces, so that a Newton step, to (Σ x − maximum over the support − 1) / |support|, from
 * anywhere ends at τ or left of it, and steps from the left reach it exactly: the support shrinks with every one. From far away they
 * are slow, since f grows about as a square: Newton's steps of √f jump there first, a little past τ or not.
 *
 * @param sources The row, by the name `x`.
 */
export function sparsemaxThreshold(row: Row, sources: Sources & { readonly x: string }): string {
  const { type } = row;
  const components = (value: string) => (type === 'f32' ? [value] : ['x', 'y', 'z', 'w'].map((c) => `${value}.${c}`));
  const findTop = row.pass(
    sources,
    ({ x }) => `top = max(top, ${row.max(x)});
    ${components(x)
      .map((value) => `wild = select(wild, 1.0, ${isWild(value)});`)
      .join('\n')}`,
  );
  const sumSupport = `
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
    let next = (total.x - 1.0) / total.y;`;
  // A row that shares its workgroup goes on while another one does.
  const goOn = row.isShared
    ? `
    if (thread == 0u) { atomicStore(&hasMoved, 0u); }
    workgroupBarrier();
    if (next > threshold) { atomicStore(&hasMoved, 1u); }
    workgroupBarrier();
    if (thread == 0u) { goesOn = atomicLoad(&hasMoved) == 1u; }`
    : 'if (thread == 0u) { goesOn = next > threshold; }';
  return `
  var top = ${LOWEST};
  var wild = 0.0;
  ${findTop}
  let highest = rowMax(vec2f(top, wild));
  let maximum = highest.x;
  var threshold = -1.0;
  for (var jump = 0; jump < ${JUMPS}; jump++) {
    ${sumSupport}
    let f = total.x - threshold * total.y;
    threshold = min(select(next, threshold + 2.0 * (f - sqrt(f)) / total.y, f > 1.0), ${-1 / row.columns});
  }
  { ${sumSupport} threshold = next; }
  loop {
    ${sumSupport}
    ${goOn}
    if (!workgroupUniformLoad(&goesOn)) { break; }
    threshold = max(threshold, next);
  }
  threshold = select(threshold, u.nan, highest.y > 0.0);`;
}
