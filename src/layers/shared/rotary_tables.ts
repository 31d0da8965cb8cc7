import { dispose, keep, slice, type Tensor3D, tensor3d } from '@tensorflow/tfjs-core';

/** Cosines and sines of angles, each [1, T, D]. */
export interface Rotation {
  readonly cos: Tensor3D;
  readonly sin: Tensor3D;
}

/** The angles of rotary position embedding: computed in float64, once, and kept on the device until `dispose`. */
export class RotaryTables {
  /** Each longer than the one before. */
  private tables: Rotation[] = [];

  /**
   * @param size D
   * @param maxWavelength The base of the angles: `rope_theta` in a config.json.
   * @param scalingFactor What places are divided by.
   */
  constructor(
    private readonly size: number,
    private readonly maxWavelength: number,
    private readonly scalingFactor = 1,
  ) {}

  /** The angles of `length` places from `start` on. */
  get(length: number, start = 0): Rotation {
    const { cos, sin } = this.reaching(start + length);
    if (cos.shape[1] === length) return { cos, sin };
    const part = (table: Tensor3D) => slice(table, [0, start, 0], [1, length, this.size]);
    return { cos: part(cos), sin: part(sin) };
  }

  dispose(): void {
    for (const { cos, sin } of this.tables) dispose([cos, sin]);
    this.tables = [];
  }

  /** A tape may hold a table that is too short now, so it stays. The next has twice its length, as sequences may grow by a token. */
  private reaching(end: number): Rotation {
    const found = this.tables.find(({ cos }) => cos.shape[1] >= end);
    if (found) return found;
    const length = Math.max(end, 2 * (this.tables.at(-1)?.cos.shape[1] ?? 0));
    const made = { cos: this.table(Math.cos, length), sin: this.table(Math.sin, length) };
    this.tables.push(made);
    return made;
  }

  /** Both halves of a head turn by the same angles. */
  private table(f: (angle: number) => number, length: number): Tensor3D {
    const { size, maxWavelength, scalingFactor } = this;
    const frequencies = Array.from({ length: size }, (_, d) => maxWavelength ** ((-2 * (d % (size / 2))) / size));
    const values = new Float32Array(length * size);
    for (let t = 0; t < length; t++) {
      for (let d = 0; d < size; d++) values[t * size + d] = f((t / scalingFactor) * frequencies[d]!);
    }
    return keep(tensor3d(values, [1, length, size]));
  }
}
