import { times } from '../wgsl/elements.js';
import type { SharedTile } from './shared_tile.js';

/**
 * A thread's part of a product of tiles, in registers: `rows` rows of `quads` vec4s, named `<name><row>_<quad>`. Threads lie
 * `laneRow` along rows and `laneColumn` along columns.
 */
export interface Part {
  readonly name: string;
  readonly rows: number;
  readonly quads: number;
}

export const COMPONENTS = ['x', 'y', 'z', 'w'] as const;

/** Zeros are written out: without an initialiser, a variable that is declared in a loop may keep what it was. */
export const declarePart = ({ name, rows, quads }: Part) =>
  times(rows, (i) => times(quads, (j) => `var ${name}${i}_${j} = vec4f();`));

/** Each element of a part: its row's number, its quad's, its component's, and its name. */
export function eachElement(
  { name, rows, quads }: Part,
  text: (element: string, row: number, quad: number, component: number) => string,
): string {
  return times(quads, (j) =>
    COMPONENTS.map((component, c) => times(rows, (i) => text(`${name}${i}_${j}.${component}`, i, j, c))).join('\n'),
  );
}

/** WGSL of a loop over `width` terms, `unroll` at a time. */
function loop(width: number, unroll: number, step: (k: string) => string): string {
  const together = Math.min(width, unroll);
  const steps = times(together, (k) => `{ ${step(k ? `(k + ${k}u)` : 'k')} }`);
  return `for (var k = 0u; k < ${width}u; k += ${together}u) { ${steps} }`;
}

/** C += A · Bᵀ. Both have the terms of a row side by side, `width` vec4s of them. */
export function multiplyRows(c: Part, a: SharedTile, b: SharedTile, width: number, unroll: number): string {
  return `{
  let rowTurn = ${a.turn('laneRow')};
  let columnTurn = ${b.turn('laneColumn')};
  ${loop(
    width,
    unroll,
    (k) => `
    ${times(c.rows, (i) => `let a${i} = ${a.read(i, 'laneRow', k, 'rowTurn')};`)}
    ${times(c.quads, (j) =>
      times(
        4,
        (q) => `{
      let b = ${b.read(j * 4 + q, 'laneColumn', k, 'columnTurn')};
      ${times(c.rows, (i) => {
        const sum = `${c.name}${i}_${j}.${COMPONENTS[q]}`;
        return `${sum} = ${COMPONENTS.reduce((inner, k) => `fma(a${i}.${k}, b.${k}, ${inner})`, sum)};`;
      })}
    }`,
      ),
    )}`,
  )}
  }`;
}

/**
 * C += A · B over `width` vec4s of terms of A's rows, from `first` on; they are the rows of B from its first one on.
 *
 * @param quads The numbers of C's quads that B has, each `columnLanes` vec4s; B may be a part of the columns.
 */
export function multiplyColumns(
  c: Part,
  a: SharedTile,
  b: SharedTile,
  columnLanes: number,
  { first, width, unroll, quads }: { first: string; width: number; unroll: number; quads: readonly number[] },
): string {
  return `{
  let rowTurn = ${a.turn('laneRow')};
  ${loop(
    width,
    unroll,
    (k) => `
    ${times(c.rows, (i) => `let a${i} = ${a.read(i, 'laneRow', `${first} + ${k}`, 'rowTurn')};`)}
    ${times(
      4,
      (q) => `{
      ${times(quads.length, (j) => `let b${j} = ${b.inQuad(k, q, `laneColumn + ${j * columnLanes}u`)};`)}
      ${times(c.rows, (i) =>
        quads
          .map((quad, j) => `${c.name}${i}_${quad} = fma(vec4f(a${i}.${COMPONENTS[q]}), b${j}, ${c.name}${i}_${quad});`)
          .join('\n'),
      )}
    }`,
    )}`,
  )}
  }`;
}

/**
 * C += Aᵀ · B over `terms` rows of both. C's rows lie in quads: number i of a thread is row 4 · (laneRow + rowLanes · ⌊i / 4⌋) +
 * i % 4.
 */
export function multiplyTransposed(
  c: Part,
  a: SharedTile,
  b: SharedTile,
  { rowLanes, terms, unroll }: { rowLanes: number; terms: number; unroll: number },
): string {
  return loop(terms / 4, unroll, (k) =>
    times(4, (q) => {
      return `{
      let b = ${b.inQuad(k, q, 'laneColumn')};
      ${times(Math.ceil(c.rows / 4), (g) => `let a${g} = ${a.inQuad(k, q, `laneRow + ${g * rowLanes}u`)};`)}
      ${times(c.rows, (i) => `${c.name}${i}_0 = fma(vec4f(a${Math.floor(i / 4)}.${COMPONENTS[i % 4]}), b, ${c.name}${i}_0);`)}
    }`;
    }),
  );
}
