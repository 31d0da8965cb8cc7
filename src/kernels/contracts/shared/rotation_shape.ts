import type { TensorInfo } from '@tensorflow/tfjs-core';

/** The dimensions of queries and keys, a letter each: batch, head, place and the head's own. */
export type HeadLayout = 'bhtd' | 'bthd' | 'thd';

/** The sizes of a rotation of queries and keys. */
export interface RotationShape {
  readonly batches: number;
  readonly queryHeads: number;
  readonly keyHeads: number;
  readonly length: number;
  readonly headSize: number;
}

export function rotationShape(q: TensorInfo, k: TensorInfo, layout: HeadLayout): RotationShape {
  // A dimension that the layout has no letter for is of size 1.
  const sizeOf = ({ shape }: TensorInfo, dimension: string) => shape[layout.indexOf(dimension)] ?? 1;
  return {
    batches: sizeOf(q, 'b'),
    queryHeads: sizeOf(q, 'h'),
    keyHeads: sizeOf(k, 'h'),
    length: sizeOf(q, 't'),
    headSize: sizeOf(q, 'd'),
  };
}
