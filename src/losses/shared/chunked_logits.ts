import {
  add,
  clone,
  concat,
  dispose,
  keep,
  reshape,
  type Scalar,
  slice,
  type Tensor,
  type Tensor2D,
  tidy,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { runDiscarding } from '../../engine/discarding_tape.js';
import { isolatedGradient } from '../../engine/isolated_gradient.js';
import { recordNode } from '../../engine/recorded_node.js';
import { runKernel } from '../../engine/run_kernel.js';
import { scaleGradient } from '../../engine/scale_gradient.js';
import { isDifferentiated } from '../../engine/tape.js';
import { BiasGrad, Linear, LinearGradWeight, LinearGradX } from '../../kernels/contracts/linear.js';
import { tokensOfChunk } from '../../kernels/contracts/shared/chunked_linear.js';
import { linearFeatures } from '../../kernels/contracts/shared/linear_features.js';
import type { Head } from './head.js';

/** Some successive tokens. */
export interface TokenChunk {
  /** Their part of a tensor that has a row for each token: of [..., C] [n, C], and of [...] [n]. */
  of(perToken: Tensor): Tensor;
}

/** Scalars of a chunk, of which the loss is differentiated. */
export type ChunkLosses = { readonly loss: Scalar } & Readonly<Record<string, Tensor>>;

/** The logits of some tokens, [n, V]. */
export const logitsOf = ({ x, weight, bias }: Head, { of }: TokenChunk, transposeWeight: boolean) =>
  runKernel(Linear, { x: of(x), weight, bias }, { activation: 'none', transposeWeight }).y as Tensor2D;

/**
 * The sum over chunks of tokens of losses of their logits, which exist for one chunk at a time. While a tape is recording, the gradients
 * of x, weight and bias are computed beside, and those alone that it may ask for.
 *
 * @param head x is [..., H], of one token or more.
 * @param lossesOf Given the logits of a chunk, [n, V], its scalars. It is written in ops that have gradients.
 * @param given Computed for a chunk before its loss, without a gradient: such as a teacher's logits.
 * @returns Their sums. The loss is differentiable.
 */
export function sumOverChunks<Given, R extends ChunkLosses>(
  head: Head,
  {
    transposeWeight,
    chunkSize,
    columns,
  }: { transposeWeight: boolean; chunkSize: number | undefined; columns?: number },
  given: (chunk: TokenChunk) => Given,
  lossesOf: (logits: Tensor2D, given: Given) => R,
): R {
  const { x, weight, bias } = head;
  const { inFeatures, outFeatures } = linearFeatures(weight, transposeWeight);
  const rows = x.size / inFeatures;
  const size = chunkSize ?? tokensOfChunk(inFeatures, 4 * Math.max(outFeatures, columns ?? 0));
  const differentiated = [x, weight, bias].map(isDifferentiated);
  const [wantsX, wantsWeight, wantsBias] = differentiated;
  const wantsAny = differentiated.includes(true);

  /** [..., C] as [rows, C], and [...] as [rows] */
  const asRows = (perToken: Tensor) => reshape(perToken, [rows, ...perToken.shape.slice(x.rank - 1)]);
  /** The chunk's losses, and what follows from their gradient. */
  const visit = (first: number, dweightSoFar: Tensor | undefined) =>
    tidy(() => {
      const count = Math.min(size, rows - first);
      const chunk: TokenChunk = { of: (perToken) => slice(asRows(perToken), first, count) };
      const logits = logitsOf(head, chunk, transposeWeight);
      const others = given(chunk);
      if (!wantsAny) return { losses: lossesOf(logits, others) };
      const kept: Record<string, Tensor> = {};
      const gradient = isolatedGradient(() => {
        const losses = lossesOf(logits, others);
        // The engine disposes what `f` makes and does not return.
        for (const name in losses) kept[name] = keep(losses[name]!);
        return losses.loss;
      }, logits);
      const losses = eachOf(kept as R, clone);
      dispose(kept);
      const dz = gradient ?? zerosLike(logits);
      return {
        losses,
        dx: wantsX ? runKernel(LinearGradX, { dz, weight }, { transposeWeight }).dx : undefined,
        dweight: wantsWeight
          ? runKernel(LinearGradWeight, { dz, x: chunk.of(x), total: dweightSoFar }, { transposeWeight }).dweight
          : undefined,
        dbias: wantsBias ? runKernel(BiasGrad, { dz }, {}).dbias : undefined,
      };
    });

  const { value } = runDiscarding(() => {
    const dxs: Tensor[] = [];
    let sums: R | undefined;
    let dweight: Tensor | undefined;
    let dbias: Tensor | undefined;
    for (let first = 0; first < rows; first += size) {
      const chunk = visit(first, dweight);
      sums = sumsOf(sums, chunk.losses);
      if (dweight && dweight !== chunk.dweight) dweight.dispose();
      dweight = chunk.dweight;
      dbias = dbias && chunk.dbias ? added(dbias, chunk.dbias) : chunk.dbias;
      if (chunk.dx) dxs.push(chunk.dx);
    }
    return { sums: sums!, dx: wantsX ? reshape(concat(dxs, 0), x.shape) : undefined, dweight, dbias };
  });
  const { sums, dx, dweight, dbias } = value;
  if (wantsAny) {
    recordNode({
      inputs: [x, weight, bias].filter((_, i) => differentiated[i]) as Tensor[],
      outputs: [sums.loss],
      save: [dx, dweight, dbias].filter((gradient) => gradient !== undefined),
      backward: ([dy], saved) => saved.map((gradient) => scaleGradient(gradient, dy!)),
    });
  }
  return sums;
}

const eachOf = <R extends ChunkLosses>(losses: R, f: (value: Tensor, name: string) => Tensor) =>
  Object.fromEntries(Object.entries(losses).map(([name, value]) => [name, f(value, name)])) as R;

const sumsOf = <R extends ChunkLosses>(sums: R | undefined, more: R) =>
  sums ? eachOf(more, (value, name) => added(sums[name]!, value)) : more;

function added(a: Tensor, b: Tensor): Tensor {
  const sum = add(a, b);
  a.dispose();
  b.dispose();
  return sum;
}
