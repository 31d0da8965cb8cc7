import { add, div, exp, fill, log, max, mul, notEqual, reshape, sub, type Tensor, where } from '@tensorflow/tfjs-core';
import {
  FusedLinearScaledCrossEntropy,
  FusedLinearScaledCrossEntropyGrad,
} from '../contracts/fused_linear_scaled_cross_entropy.js';
import { chunkedLinear } from './shared/chunked_linear.js';
import { composedKernel } from './shared/composed_kernel.js';
import { classify } from './shared/cross_entropy_rows.js';
import { columnsOf, only, sumOfRow } from './shared/rows.js';

const column = (values: Tensor) => reshape(values, [values.size, 1]);

export const fusedLinearScaledCrossEntropy = composedKernel(
  FusedLinearScaledCrossEntropy,
  (inputs, { temperature, ignoreIndex, returnEntropy, ...attrs }): { nll: Tensor; lse: Tensor; entropy?: Tensor } => {
    const { labels } = inputs;
    const gradients = { x: false, weight: false, bias: false };
    const { column: columnOf } = chunkedLinear(inputs, { ...attrs, gradients }, labels.size, ({ logits, of }) => {
      const z = div(logits, temperature);
      const { counts, invalid, pick } = classify(of(labels), columnsOf(z), ignoreIndex);
      const top = max(z, 1, true);
      const distance = sub(z, top);
      const exponentials = exp(distance);
      const total = sumOfRow(exponentials);
      const logTotal = log(total);
      const perRow = (values: Tensor) => {
        const flat = reshape(values, counts.shape);
        return only(counts, where(invalid, fill(flat.shape, Number.NaN), flat));
      };
      const lse = add(top, logTotal);
      // Where a probability is 0 its logarithm may be −∞.
      const spread = only(notEqual(exponentials, 0), mul(exponentials, distance));
      const columns = {
        nll: perRow(sub(reshape(lse, counts.shape), pick(z))),
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
        const { counts, target } = classify(of(labels), columnsOf(z), ignoreIndex);
        const logP = sub(z, column(of(lse)));
        const p = exp(logP);
        let d = mul(column(of(dnll)), sub(p, target()));
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
