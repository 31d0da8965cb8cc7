import { FusedMoe, FusedMoeGrad } from '../contracts/fused_moe.js';
import { combine } from './fused_moe/combine.js';
import { orderByExpert } from './fused_moe/expert_order.js';
import { gatedRows } from './fused_moe/gated_rows.js';
import { expertMatmul, expertWeightGradient } from './matmul/experts.js';
import { isForPairs } from './matmul/gated.js';
import { plansOf } from './matmul/plans.js';
import { TILES, type Tile } from './matmul/tile.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { asRows } from './wgsl/row.js';

/**
 * A row is one choice: the token t with its k-th expert is row t · K + k, in the order of the tokens, wherever rows are stored. The
 * matmuls visit them by expert, so nothing is moved.
 */
function sizesOf(
  x: { shape: number[] },
  downProj: { shape: number[] },
  topKIndex: { shape: number[] },
): { experts: number; hidden: number; intermediate: number; perToken: number; rows: number } {
  const [experts = 0, hidden = 0, intermediate = 0] = downProj.shape;
  const [tokens] = asRows(x.shape);
  const [, perToken] = asRows(topKIndex.shape);
  return { experts, hidden, intermediate, perToken, rows: tokens * perToken };
}

/** Tiles whose rows are as many as those of another. */
const asHighAs = (number: number) => (tile: Tile) => tile.rows === TILES[number]!.rows;

export const fusedMoe = webgpuKernel(
  FusedMoe,
  (gpu, { x, gateUpProj, downProj, topKIndex, topKWeights }, { keepGateUp }) => {
    const { experts, hidden, intermediate, perToken, rows } = sizesOf(x, downProj, topKIndex);
    const plans = plansOf(gpu);
    const y = gpu.output(x.shape);
    const shape = [...topKIndex.shape, intermediate];
    const [gate, up] = keepGateUp ? [gpu.output(shape), gpu.output(shape)] : [];
    if (rows === 0) return { y, gate, up };

    const tile = plans.chooseTile(rows, 2 * intermediate, hidden, isForPairs, experts);
    const byExpert = orderByExpert(gpu, topKIndex, experts, TILES[tile]!.rows);
    const gated = gpu.output([rows, intermediate]);
    expertMatmul(gpu, {
      rows: byExpert,
      tile,
      n: intermediate,
      k: hidden,
      a: x,
      perRow: perToken,
      b: gateUpProj,
      layout: 'kInner',
      y: gated,
      gated: { gate, up },
    });
    const results = gpu.output([rows, hidden]);
    expertMatmul(gpu, {
      rows: byExpert,
      tile: plans.chooseTile(rows, hidden, intermediate, asHighAs(tile), experts),
      n: hidden,
      k: intermediate,
      a: gated,
      perRow: 1,
      b: downProj,
      layout: 'kInner',
      y: results,
    });
    combine(gpu, results, { index: topKIndex, experts }, y, Number.NaN, topKWeights);
    gpu.release(gated, results, byExpert.order, byExpert.offsets, byExpert.tiles);
    return { y, gate, up };
  },
);

/** Of what the forward pass made, gate and up are kept; what they are multiplied to comes again with their gradients. */
export const fusedMoeGrad = webgpuKernel(
  FusedMoeGrad,
  (gpu, { dy, x, gateUpProj, downProj, topKIndex, topKWeights, gate, up }, wants) => {
    const { experts, hidden, intermediate, perToken, rows } = sizesOf(x, downProj, topKIndex);
    const plans = plansOf(gpu);
    const tile = plans.chooseTile(rows, intermediate, hidden, () => true, experts);
    const byExpert = orderByExpert(gpu, topKIndex, experts, TILES[tile]!.rows);

    const dgated = gpu.output([rows, intermediate]);
    expertMatmul(gpu, {
      rows: byExpert,
      tile,
      n: intermediate,
      k: hidden,
      a: dy,
      perRow: perToken,
      b: downProj,
      layout: 'kOuter',
      y: dgated,
    });
    const dgateUp = gpu.output([rows, 2 * intermediate]);
    const weighted = gpu.output([rows, intermediate]);
    const dweights = gpu.output(topKWeights.shape);
    const inputs = { dgated, gates: gate, ups: up, index: topKIndex, weights: topKWeights };
    gatedRows(gpu, { ...inputs, dgateUp, weighted, dweights }, experts);
    gpu.release(dgated);

    const ddownProj = wants.wantsDownProj ? gpu.output(downProj.shape) : undefined;
    if (ddownProj) {
      const [m, n] = [hidden, intermediate];
      const sum = { a: dy, aPerRow: perToken, b: weighted, bPerRow: 1, c: ddownProj };
      const weightTile = plans.chooseTile(experts * m, n, rows / experts, () => true);
      expertWeightGradient(gpu, { rows: byExpert, tile: weightTile, m, n, ...sum });
    }
    gpu.release(weighted);
    const dgateUpProj = wants.wantsGateUpProj ? gpu.output(gateUpProj.shape) : undefined;
    if (dgateUpProj) {
      const [m, n] = [2 * intermediate, hidden];
      const sum = { a: dgateUp, aPerRow: 1, b: x, bPerRow: perToken, c: dgateUpProj };
      const weightTile = plans.chooseTile(experts * m, n, rows / experts, () => true);
      expertWeightGradient(gpu, { rows: byExpert, tile: weightTile, m, n, ...sum });
    }
    const dx = wants.wantsX ? gpu.output(x.shape) : undefined;
    if (dx) {
      const drows = gpu.output([rows, hidden]);
      expertMatmul(gpu, {
        rows: byExpert,
        tile: plans.chooseTile(rows, hidden, 2 * intermediate, asHighAs(tile), experts),
        n: hidden,
        k: 2 * intermediate,
        a: dgateUp,
        perRow: 1,
        b: gateUpProj,
        layout: 'kOuter',
        y: drows,
      });
      combine(gpu, drows, { index: topKIndex, experts }, dx, 0);
      gpu.release(drows);
    }
    gpu.release(dgateUp, byExpert.order, byExpert.offsets, byExpert.tiles);
    if (!wants.wantsTopKWeights) gpu.release(dweights);
    return { dx, dgateUpProj, ddownProj, dtopKWeights: wants.wantsTopKWeights ? dweights : undefined };
  },
);
