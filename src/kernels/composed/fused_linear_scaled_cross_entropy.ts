import {
  add,
  cast,
  clipByValue,
  div,
  equal,
  exp,
  gatherND,
  log,
  max,
  mul,
  notEqual,
  oneHot,
  onesLike,
  range,
  reshape,
  scalar,
  stack,
  sub,
  type Tensor,
  where,
  zerosLike,
} from '@tensorflow/tfjs-core';
import {
  FusedLinearScaledCrossEntropy,
  FusedLinearScaledCrossEntropyGrad,
} from '../contracts/fused_linear_scaled_cross_entropy.js';
import { chunkedLinear } from './shared/chunked_linear.js';
import { composedKernel } from './shared/composed_kernel.js';
import { columnsOf, sumOfRow } from './shared/rows.js';

const column = (values: Tensor) => reshape(values, [values.size, 1]);
/** `values` where `condition` holds, and 0 elsewhere: they may be infinite there, so a product would not do. */
const only = (condition: Tensor, values: Tensor) => where(condition, values, zerosLike(values));

export const fusedLinearScaledCrossEntropy = composedKernel(
  FusedLinearScaledCrossEntropy,
  (inputs, { temperature, ignoreIndex, returnEntropy, ...attrs }): { nll: Tensor; lse: Tensor; entropy?: Tensor } => {
    const { labels } = inputs;
    const gradients = { x: false, weight: false, bias: false };
    const { column: columnOf } = chunkedLinear(inputs, { ...attrs, gradients }, labels.size, ({ logits, of }) => {
      const z = div(logits, temperature);
      const { counts, index, rows, isClass } = classify(of(labels), columnsOf(z), ignoreIndex);
      const top = max(z, 1, true);
      const distance = sub(z, top);
      const exponentials = exp(distance);
      const total = sumOfRow(exponentials);
      const logTotal = log(total);
      const perRow = (values: Tensor) => {
        const flat = reshape(values, [rows]);
        return only(counts, where(isClass, flat, mul(scalar(Number.NaN), onesLike(flat))));
      };
      const lse = add(top, logTotal);
      const picked = gatherND(z, stack([range(0, rows, 1, 'int32'), index], 1));
      // Where a probability is 0 its logarithm may be −∞.
      const spread = only(notEqual(exponentials, 0), mul(exponentials, distance));
      const columns = {
        nll: perRow(sub(reshape(lse, [rows]), picked)),
        lse: perRow(lse),
        // The labels stand in for what no one asked for.
        entropy: returnEntropy ? perRow(sub(logTotal, div(sumOfRow(spread), total))) : of(labels),
      };
      return { columns, dlogits: () => logits };
    });
    const all = (name: 'nll' | 'lse' | 'entropy') => reshape(columnOf(name), labels.shape);
    const [nll, lse] = [all('nll'), all('lse')];
    return returnEntropy ? { nll, lse, entropy: all('entropy') } : { nll, lse };
  },
);

export const fusedLinearScaledCrossEntropyGrad = composedKernel(
  FusedLinearScaledCrossEntropyGrad,
  ({ labels, lse, dnll, entropy, dentropy, ...inputs }, { temperature, ignoreIndex, ...attrs }) => {
    const { gradients } = chunkedLinear(inputs, attrs, labels.size, ({ logits, of }) => {
      const dlogits = () => {
        const z = div(logits, temperature);
        const vocabulary = columnsOf(z);
        const { counts, index } = classify(of(labels), vocabulary, ignoreIndex);
        const logP = sub(z, column(of(lse)));
        const p = exp(logP);
        // As integers: wasm's one-hot writes nothing else. tfjs has none for a single class.
        const target = vocabulary > 1 ? cast(oneHot(index, vocabulary), 'float32') : onesLike(p);
        let d = mul(column(of(dnll)), sub(p, target));
        if (entropy && dentropy) {
          const surprise = only(notEqual(p, 0), mul(p, add(logP, column(of(entropy)))));
          d = sub(d, mul(column(of(dentropy)), surprise));
        }
        return only(column(counts), div(d, temperature));
      };
      return { columns: {}, dlogits };
    });
    return gradients;
  },
);

/** Labels as classes that are safe to look up, which of them count, and which are classes. */
function classify(labels: Tensor, vocabulary: number, ignoreIndex: number) {
  const index = cast(clipByValue(labels, 0, vocabulary - 1), 'int32');
  return { rows: labels.size, counts: notEqual(labels, ignoreIndex), index, isClass: equal(index, labels) };
}
