import { LOWEST } from './elements.js';
import type { Row, Sources } from './row.js';

/** The declarations that `softmaxScale` needs. */
export const softmaxDeclarations = (row: Row) => row.reduction('rowMax', { op: 'max' }) + row.reduction('rowSum');

/**
 * WGSL that finds `maximum` of a row of values `x`, and `scale` = 1 / Σ exp(x − maximum), in one pass: what was summed below an
 * earlier maximum is scaled down.
 *
 * @param sources The row, by the name `x`.
 */
export const softmaxScale = (row: Row, sources: Sources & { readonly x: string }) => `
  var top = ${LOWEST};
  var total = 0.0;
  ${row.pass(
    sources,
    ({ x }) => `
    let higher = max(top, ${row.max(x)});
    total = total * exp(top - higher) + ${row.sum(`exp(${x} - higher)`)};
    top = higher;`,
  )}
  let maximum = rowMax(top);
  let scale = 1.0 / rowSum(total * exp(top - maximum));`;
