import {
  add,
  concat,
  equal,
  expandDims,
  greaterEqual,
  less,
  logicalAnd,
  mul,
  reshape,
  scalar,
  slice,
  split,
  stack,
  sum,
  type Tensor,
  where,
  zeros,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { FusedMoe, FusedMoeGrad } from '../contracts/fused_moe.js';
import { linear, linearGradWeight, linearGradX } from './linear.js';
import { composedKernel } from './shared/composed_kernel.js';
import { flatten, only } from './shared/rows.js';
import { swiglu, swigluGrad } from './swiglu.js';

const plain = { activation: 'none', transposeWeight: false } as const;
const multipliers = { gateMultiplier: 1, downMultiplier: 1 };

/** The weight of one expert: [E, O, I] → [O, I]. */
function weightOf(weights: Tensor, expert: number): Tensor {
  const [, out, into] = weights.shape as [number, number, number];
  return reshape(slice(weights, [expert, 0, 0], [1, out, into]), [out, into]);
}

/** Where an expert was chosen: [T, K] → [T, K, 1]. */
const chosen = (index: Tensor, expert: number) => expandDims(equal(index, scalar(expert, 'int32')), 2);

/**
 * Every expert runs over all tokens, and what was not chosen is left out: reading back who was chosen is no option on some
 * backends. [T, …] are tokens, [T, K, …] what was chosen for them.
 */
export const fusedMoe = composedKernel(
  FusedMoe,
  ({ x, gateUpProj, downProj, topKIndex, topKWeights }, { keepGateUp }): { y: Tensor; gate?: Tensor; up?: Tensor } => {
    const [tokens, index, weights] = [flatten(x), flatten(topKIndex), flatten(topKWeights)];
    const [experts, , intermediate] = downProj.shape as [number, number, number];
    const [count, k] = index.shape as [number, number];
    const kept = [...topKIndex.shape, intermediate];
    if (count === 0)
      return keepGateUp ? { y: zeros(x.shape), gate: zeros(kept), up: zeros(kept) } : { y: zeros(x.shape) };
    let y: Tensor = zerosLike(tokens);
    let gates: Tensor = zeros([count, k, intermediate]);
    let ups = gates;
    for (let expert = 0; expert < experts; expert++) {
      const isChosen = chosen(index, expert);
      const { y: gateUp } = linear.run({ x: tokens, weight: weightOf(gateUpProj, expert) }, plain);
      const [gate, up] = split(gateUp, 2, -1) as [Tensor, Tensor];
      const { y: gated } = swiglu.run({ gate, up }, multipliers);
      const { y: result } = linear.run({ x: gated, weight: weightOf(downProj, expert) }, plain);
      const weighted = mul(expandDims(weights, 2), expandDims(result, 1));
      y = add(y, sum(only(isChosen, weighted), 1));
      if (!keepGateUp) continue;
      gates = where(isChosen, expandDims(gate, 1), gates);
      ups = where(isChosen, expandDims(up, 1), ups);
    }
    const inRange = logicalAnd(greaterEqual(index, scalar(0, 'int32')), less(index, scalar(experts, 'int32')));
    const penalty = sum(where(inRange, scalar(0), scalar(Number.NaN)), 1, true);
    y = reshape(add(y, penalty), x.shape);
    return keepGateUp ? { y, gate: reshape(gates, kept), up: reshape(ups, kept) } : { y };
  },
);

export const fusedMoeGrad = composedKernel(
  FusedMoeGrad,
  (
    { dy, x, gateUpProj, downProj, topKIndex, topKWeights, gate, up },
    { wantsX, wantsGateUpProj, wantsDownProj, wantsTopKWeights },
  ) => {
    const [dtokens, tokens, index, weights] = [flatten(dy), flatten(x), flatten(topKIndex), flatten(topKWeights)];
    const [experts, , intermediate] = downProj.shape as [number, number, number];
    const [count, k] = index.shape as [number, number];
    if (count === 0) {
      return {
        dx: wantsX ? zeros(x.shape) : undefined,
        dgateUpProj: wantsGateUpProj ? zeros(gateUpProj.shape) : undefined,
        ddownProj: wantsDownProj ? zeros(downProj.shape) : undefined,
        dtopKWeights: wantsTopKWeights ? zeros(topKWeights.shape) : undefined,
      };
    }
    const each = [count, k, intermediate];
    const [gates, ups] = [reshape(gate, each), reshape(up, each)];
    let dgated: Tensor = zeros(each);
    for (let expert = 0; expert < experts; expert++) {
      const { dx: ofExpert } = linearGradX.run({ dz: dtokens, weight: weightOf(downProj, expert) }, plain);
      dgated = where(chosen(index, expert), expandDims(ofExpert, 1), dgated);
    }
    const { y: gated } = swiglu.run({ gate: gates, up: ups }, multipliers);
    const spread = expandDims(weights, 2);
    const { dgate, dup } = swigluGrad.run({ dy: mul(dgated, spread), gate: gates, up: ups }, multipliers);
    const [dgateUps, weighted] = [concat([dgate, dup], -1), mul(gated, spread)];

    let dx: Tensor = zerosLike(tokens);
    const dgateUpProj: Tensor[] = [];
    const ddownProj: Tensor[] = [];
    for (let expert = 0; expert < experts; expert++) {
      const isChosen = chosen(index, expert);
      const dgateUp = sum(only(isChosen, dgateUps), 1);
      if (wantsX) {
        dx = add(dx, linearGradX.run({ dz: dgateUp, weight: weightOf(gateUpProj, expert) }, plain).dx);
      }
      if (wantsGateUpProj) dgateUpProj.push(linearGradWeight.run({ dz: dgateUp, x: tokens }, plain).dweight);
      if (wantsDownProj) {
        const ofExpert = sum(only(isChosen, weighted), 1);
        ddownProj.push(linearGradWeight.run({ dz: dtokens, x: ofExpert }, plain).dweight);
      }
    }
    return {
      dx: wantsX ? reshape(dx, x.shape) : undefined,
      dgateUpProj: wantsGateUpProj ? stack(dgateUpProj) : undefined,
      ddownProj: wantsDownProj ? stack(ddownProj) : undefined,
      dtopKWeights: wantsTopKWeights ? reshape(sum(mul(dgated, gated), 2), topKWeights.shape) : undefined,
    };
  },
);
