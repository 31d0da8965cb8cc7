import * as tf from '@tensorflow/tfjs';

export interface Rotation {
  /** [1 or B, T, D] */
  cos: tf.Tensor3D;
  /** [1 or B, T, D] */
  sin: tf.Tensor3D;
}

/** The angles of rotary position embeddings, for any T: made once and kept, for the longest sequence so far. */
export class RotaryTables {
  private tables?: Rotation;

  /**
   * @param size D
   * @param theta The base of the angles, rope_theta in a config.json.
   */
  constructor(
    private readonly size: number,
    private readonly theta: number,
  ) {}

  /** @param positions [B, T], int32: the places of tokens, below `length`. Default 0, 1, … in each row. */
  get(length: number, positions?: tf.Tensor2D): Rotation {
    if (!this.tables || this.tables.cos.shape[1] < length) {
      this.dispose();
      this.tables = { cos: this.table(Math.cos, length), sin: this.table(Math.sin, length) };
    }
    const { cos, sin } = this.tables;
    if (positions) {
      const at = (table: tf.Tensor3D) => tf.gather(tf.squeeze(table, [0]), positions) as tf.Tensor3D;
      return { cos: at(cos), sin: at(sin) };
    }
    if (cos.shape[1] === length) return { cos, sin };
    const first = (table: tf.Tensor3D) => tf.slice(table, [0, 0, 0], [1, length, this.size]);
    return { cos: first(cos), sin: first(sin) };
  }

  /** Both halves of a head turn by the same angles. */
  private table(f: (angle: number) => number, length: number): tf.Tensor3D {
    const { size, theta } = this;
    const values = new Float32Array(length * size);
    for (let t = 0; t < length; t++) {
      for (let d = 0; d < size; d++) {
        values[t * size + d] = f(t * theta ** ((-2 * (d % (size / 2))) / size));
      }
    }
    return tf.keep(tf.tensor3d(values, [1, length, size]));
  }

  dispose(): void {
    tf.dispose(this.tables as unknown as tf.TensorContainer);
    this.tables = undefined;
  }
}
