import { times } from '../wgsl/elements.js';
import type { Tile } from './tile.js';

/**
 * How an operand lies in memory: `kInner`, rows whose neighbours are successive terms of the sum (A of A·B, B of A·Bᵀ), or
 * `kOuter`, rows whose neighbours are successive rows or columns of C (A of Aᵀ·B, B of A·B).
 */
export type OperandLayout = 'kInner' | 'kOuter';

export interface OperandSpec {
  readonly layout: OperandLayout;
  /** Whether rows begin at multiples of four floats, so that it is read in vec4s. */
  readonly vectors: boolean;
  /** Whether tiles cover it exactly, so that nothing need be clamped. */
  readonly exact: boolean;
}

/** Where the rows of an operand lie that are not in order, in WGSL. */
export interface OperandRows {
  /**
   * The row in memory of the row or column of C that is `past` after `first`, a multiple of four (`kInner`), or of the term
   * `first` (`kOuter`). It has to be there.
   */
  row(first: string, past: number): string;
  /** The buffer of some rows, and for which quads of them it takes the place of the operand's own. */
  readonly other?: { readonly buffer: string; holds(quad: string): string };
}

/**
 * The WGSL that brings one operand's part of a tile into shared memory, as `depth` rows of vec4s along C's rows (A) or
 * columns (B): a `kInner` operand is transposed by 4 × 4 blocks in registers on its way.
 *
 * Fetching and storing are apart, so that the next part is fetched while the current one is multiplied.
 */
export class OperandLoader {
  /** Fetch registers that a thread needs. */
  readonly registers: number;
  private readonly units: number;
  private readonly quads: number;
  /** How the tile's quads are shared out: to `warps`, `steps` of each thread, and `lanes` side by side. */
  readonly spread: { readonly lanes: number; readonly steps: number; readonly warps: number };

  constructor(
    /** `a` or `b`. */
    private readonly name: 'a' | 'b',
    private readonly spec: OperandSpec,
    private readonly tile: Tile,
    private readonly threads: number,
    /** Whether the sum may end within a part, so that what lies beyond must count as zero. */
    private readonly kTail: boolean,
    private readonly rows: OperandRows = inOrder(name, spec),
  ) {
    const [extent, each, lanes] =
      name === 'a'
        ? [tile.rows, tile.threadRows, 32 / tile.laneColumns]
        : [tile.columns, tile.threadColumns, tile.laneColumns];
    this.quads = extent / 4;
    this.spread = { lanes, steps: each / 4, warps: extent / (each * lanes) };
    this.units = (spec.layout === 'kInner' ? (this.quads * tile.depth) / 4 : this.quads * tile.depth) / threads;
    this.registers = spec.layout === 'kInner' ? this.units * 4 : this.units;
  }

  /**
   * WGSL of the type of this operand's tile in shared memory. With a dimension for all that a thread's place is made of, the
   * bounds checks that WebGPU puts on every index are of constants, or the same throughout the sum.
   */
  get type(): string {
    const { lanes, steps, warps } = this.spread;
    return `array<array<array<array<vec4f, ${lanes}>, ${steps}>, ${warps}>, ${this.tile.depth}>`;
  }

  /**
   * WGSL of a thread's quad number `step` of term `k`, where `lane` and `warp` are WGSL for its place.
   *
   * Threads that transpose a block side by side store to terms four apart, which would meet in the same banks. An exclusive or
   * of the quad with twice the number of the four sends them to different ones.
   */
  read(k: number, step: number, lane: string, warp: string): string {
    const { lanes, steps } = this.spread;
    const turn = this.spec.layout === 'kInner' ? 2 * (k >> 2) : 0;
    const at = [
      exclusiveOr(warp, Math.floor(turn / (lanes * steps))),
      `${step ^ (Math.floor(turn / lanes) % steps)}`,
      exclusiveOr(lane, turn % lanes),
    ];
    return `${this.name}Tile[${k}]${at.map((index) => `[${index}]`).join('')}`;
  }

  /** WGSL that fetches the part which begins at term `k` into the registers, for loader thread `t`. */
  fetch(t: string, k: string): string {
    const { name } = this;
    const { other } = this.rows;
    return this.each(t, (quad, depth, register) => {
      const place = `(${name}Start / 4u + ${quad})`;
      if (this.spec.layout === 'kOuter') return `fetch${register} = ${this.load(name, `(${k} + ${depth})`, place)};`;
      const lines = (buffer: string) =>
        times(4, (q) => {
          const first = `(${name}Start + ${quad} * 4u)`;
          return `fetch${register + q} = ${this.load(buffer, `(${k} + ${depth} * 4u)`, first, q)};`;
        });
      return other ? `if (${other.holds(place)}) { ${lines(other.buffer)} } else { ${lines(name)} }` : lines(name);
    });
  }

  /** WGSL that stores the registers in shared memory. */
  store(t: string): string {
    const { lanes, steps } = this.spread;
    const shared = (term: string, quad: string) =>
      `${this.name}Tile[${term}][(${quad}) / ${lanes * steps}u][(${quad}) / ${lanes}u % ${steps}u][(${quad}) % ${lanes}u]`;
    return this.each(t, (quad, depth, register) => {
      if (this.spec.layout === 'kOuter') return `${shared(depth, quad)} = fetch${register};`;
      const line = (component: string, q: number) => {
        const column = [0, 1, 2, 3].map((i) => `fetch${register + i}.${component}`).join(', ');
        return `${shared(`${depth} * 4u + ${q}u`, `${quad} ^ (${depth} * 2u)`)} = vec4f(${column});`;
      };
      return ['x', 'y', 'z', 'w'].map(line).join('\n');
    });
  }

  private each(t: string, text: (quad: string, depth: string, register: number) => string): string {
    const across = this.spec.layout === 'kInner' ? this.tile.depth / 4 : this.quads;
    return Array.from({ length: this.units }, (_, i) => {
      const unit = `unit${i}`;
      const [quad, depth] =
        this.spec.layout === 'kInner'
          ? [`(${unit} / ${across}u)`, `(${unit} % ${across}u)`]
          : [`(${unit} % ${across}u)`, `(${unit} / ${across}u)`];
      const register = this.spec.layout === 'kInner' ? i * 4 : i;
      return `{ let ${unit} = ${t} + ${i * this.threads}u;\n${text(quad, depth, register)} }`;
    }).join('\n');
  }

  /**
   * Four neighbours in memory. Rows and columns beyond C are clamped: what they give is never stored. Terms beyond the sum
   * are zero.
   */
  private load(buffer: string, k: string, outer: string, past = 0): string {
    const { name, spec } = this;
    const kInner = spec.layout === 'kInner';
    const row = `${buffer}[${name}Offset + ${this.rows.row(kInner ? outer : k, past)} * ${name}Stride`;
    const ifTerm = (value: string, term: string, zero: string) =>
      this.kTail ? `select(${zero}, ${value}, ${term} < kEnd)` : value;
    if (spec.vectors) {
      const quad = spec.exact ? outer : `min(${outer}, (${name}Extent - 1u) / 4u)`;
      return ifTerm(`${row} + ${kInner ? `${k} / 4u` : quad}]`, k, 'vec4f()');
    }
    if (kInner) {
      const term = (q: number) => `select(0.0, ${row} + ${k} + ${q}u], ${k} + ${q}u < kEnd)`;
      return `vec4f(${[0, 1, 2, 3].map(term).join(', ')})`;
    }
    const column = (q: number) => `${row} + min(${outer} * 4u + ${q}u, ${name}Extent - 1u)]`;
    return ifTerm(`vec4f(${[0, 1, 2, 3].map(column).join(', ')})`, k, 'vec4f()');
  }
}

/** Rows as they lie in memory. */
const inOrder = (name: string, { layout, exact }: OperandSpec): OperandRows => ({
  row: (first, past) => {
    if (layout === 'kOuter') return first;
    return exact ? `(${first} + ${past}u)` : `min(${first} + ${past}u, ${name}Extent - 1u)`;
  },
});

const exclusiveOr = (value: string, constant: number) => (constant ? `${value} ^ ${constant}u` : value);
