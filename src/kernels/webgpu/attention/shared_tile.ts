import { times } from '../wgsl/elements.js';

/**
 * A tile in workgroup memory: rows of `width` vec4s. A thread of lane l has `each` rows: l + lanes · i, or, in `quads`, those
 * beside one another, 4 · (l + lanes · ⌊i / 4⌋) + i % 4.
 *
 * The array has a dimension for the lane and one for the number of a lane's row, so that the bounds checks that WebGPU puts on
 * every index are of constants, or the same throughout a sum. Lanes that read one column of successive rows would meet in the
 * same banks: an exclusive or of the column with the lane sends them to different ones.
 */
export class SharedTile {
  constructor(
    readonly name: string,
    private readonly order: 'strided' | 'quads',
    private readonly lanes: number,
    private readonly each: number,
    /** A power of two. */
    readonly width: number,
    /** The lanes that its rows are dealt out to, for `read`. Default those that they lie by. */
    private readonly readers = lanes,
  ) {}

  /** The same tile, whose rows are dealt out to fewer lanes: a lane then has rows lane + `readers` · i. */
  among(readers: number): SharedTile {
    if (this.order !== 'strided' || this.lanes % readers !== 0)
      throw new Error(`Rows of ${this.name} can't be dealt out to ${readers} lanes`);
    return new SharedTile(this.name, this.order, this.lanes, this.each, this.width, readers);
  }

  get rows(): number {
    return this.lanes * this.each;
  }

  get declaration(): string {
    return `var<workgroup> ${this.name}: array<array<array<vec4f, ${this.width}>, ${this.lanes}>, ${this.each}>;`;
  }

  /** WGSL of what turns the columns of a lane's rows. */
  turn(lane: string): string {
    const { width } = this;
    if (width === 1) return '0u';
    return width >= 8 ? `((${lane}) & 7u)` : `(((${lane}) / ${8 / width}u) & ${width - 1}u)`;
  }

  /** WGSL of a column of row number `i` of a lane; `turn` is the lane's. */
  read(i: number, lane: string, column: string, turn: string): string {
    const { name, lanes, readers } = this;
    const together = lanes / readers;
    const inLane = together > 1 ? `${lane} + ${(i % together) * readers}u` : lane;
    return `${name}[${Math.floor(i / together)}][${inLane}][(${column}) ^ ${turn}]`;
  }

  /** WGSL of a column of a row. */
  at(row: string, column: string): string {
    const { lanes, order } = this;
    const [i, lane] =
      order === 'strided'
        ? [`${row} / ${lanes}u`, `${row} % ${lanes}u`]
        : [`(${row} / ${4 * lanes}u) * 4u + ${row} % 4u`, `${row} / 4u % ${lanes}u`];
    return `${this.name}[${i}][${lane}][(${column}) ^ ${this.turn(lane)}]`;
  }

  /** WGSL of a column of row 4 · k + q: the same as `at`, without divisions that a compiler can't see through. */
  inQuad(k: string, q: number, column: string): string {
    const { lanes, each, order } = this;
    if (order === 'quads') {
      const [i, lane] = each === 4 ? [`${q}`, k] : [`(${k} / ${lanes}u) * 4u + ${q}u`, `(${k} % ${lanes}u)`];
      return `${this.name}[${i}][${lane}][(${column}) ^ ${this.turn(lane)}]`;
    }
    const [i, lane] = [`${k} / ${lanes / 4}u`, `(${k} % ${lanes / 4}u * 4u + ${q}u)`];
    return `${this.name}[${i}][${lane}][(${column}) ^ ${this.turn(lane)}]`;
  }

  hasShapeOf({ lanes, each, width }: SharedTile): boolean {
    return this.lanes === lanes && this.each === each && this.width === width;
  }
}

/** WGSL that fills rows and columns of a tile by all threads of a workgroup: `fetch` into registers, then `store`. */
export class Stage {
  private readonly count: number;

  constructor(
    private readonly tile: SharedTile,
    private readonly threads: number,
    private readonly columns = tile.width,
    rows = tile.rows,
  ) {
    this.count = rows * columns;
  }

  /**
   * @param name Of the registers.
   * @param value WGSL of the vec4 in a row and column.
   */
  fetch(name: string, value: (row: string, column: string) => string): string {
    return this.each((i, row, column) => `let ${name}${i} = ${value(row, column)};`);
  }

  store(name: string): string {
    return this.each((i, row, column) => {
      const text = `${this.tile.at(row, column)} = ${name}${i};`;
      return (i + 1) * this.threads > this.count
        ? `if (thread + ${i * this.threads}u < ${this.count}u) { ${text} }`
        : text;
    });
  }

  private each(text: (i: number, row: string, column: string) => string): string {
    return times(Math.ceil(this.count / this.threads), (i) => {
      const index = `(thread + ${i * this.threads}u)`;
      return text(i, `(${index} / ${this.columns}u)`, `(${index} % ${this.columns}u)`);
    });
  }
}
