import {
  add,
  div,
  exp,
  maximum,
  mul,
  neg,
  sigmoid,
  square,
  sub,
  type Tensor,
  type TensorLike,
} from '@tensorflow/tfjs-core';
import { type ConfigOf, flag, number, numbers, someOf } from '../checks/config_schema.js';
import { fail } from '../checks/errors.js';
import { Signature } from '../checks/signature.js';
import { logSigmoid, mean, perToken } from './shared/functions.js';
import { forBothLayouts } from './shared/head.js';
import {
  nllOptions,
  type PreferenceRewards,
  pairReferenceOptions,
  preference,
  preferenceOptions,
  preferenceTensors,
} from './shared/preference.js';

const op = 'fusedLinearDpo';

/** The types of {@link fusedLinearDpo}'s loss. */
export type DpoLossType =
  | 'sigmoid'
  | 'hinge'
  | 'ipo'
  | 'exoPair'
  | 'ncaPair'
  | 'robust'
  | 'bcoPair'
  | 'sppoHard'
  | 'apoZero'
  | 'apoDown'
  | 'discopop';

/** Numbers of each pair, [B]. With r = log π − log π_ref of a sequence: */
interface Pair {
  /** β · (r of the chosen one − r of the rejected one) */
  readonly margin: Tensor;
  /** β · r of the chosen one, and of the rejected one. */
  readonly chosen: Tensor;
  readonly rejected: Tensor;
  /** r of the chosen one − r of the rejected one, each for a token. */
  readonly marginPerToken: () => Tensor;
  readonly beta: number;
  /** labelSmoothing */
  readonly epsilon: number;
  /** discopopTau */
  readonly tau: number;
}

/** The loss of each pair. */
const LOSSES: Readonly<Record<DpoLossType, (pair: Pair) => Tensor>> = {
  /** Rafailov et al., "Direct Preference Optimization" (2023). */
  sigmoid: ({ margin }) => neg(logSigmoid(margin)),
  /** Zhao et al., "SLiC-HF" (2023). */
  hinge: ({ margin }) => maximum(sub(1, margin), 0),
  /** Azar et al., "A General Theoretical Paradigm to Understand Learning from Human Preferences" (2023), equation 17. */
  ipo: ({ marginPerToken, beta }) => square(sub(marginPerToken(), 1 / (2 * beta))),
  /** Ji et al., "Towards Efficient Exact Optimization of Language Model Alignment" (2024), equation 16. */
  exoPair: ({ margin, epsilon }) =>
    add(
      mul(sigmoid(margin), sub(logSigmoid(margin), Math.log1p(-epsilon))),
      mul(sigmoid(neg(margin)), sub(logSigmoid(neg(margin)), Math.log(epsilon))),
    ),
  /** Chen et al., "Noise Contrastive Alignment of Language Models with Explicit Rewards" (2024). */
  ncaPair: ({ chosen, rejected }) =>
    neg(add(logSigmoid(chosen), mul(add(logSigmoid(neg(chosen)), logSigmoid(neg(rejected))), 0.5))),
  /** Chowdhury et al., "Provably Robust DPO" (2024): a share epsilon of the preferences is the wrong way round. */
  robust: ({ margin, epsilon }) =>
    div(sub(mul(logSigmoid(neg(margin)), epsilon), mul(logSigmoid(margin), 1 - epsilon)), 1 - 2 * epsilon),
  /** Jung et al., "Binary Classifier Optimization" (2024). */
  bcoPair: ({ chosen, rejected }) => neg(add(logSigmoid(chosen), logSigmoid(neg(rejected)))),
  /** Wu et al., "Self-Play Preference Optimization" (2024), with hard probabilities. */
  sppoHard: ({ chosen, rejected, beta }) =>
    add(square(sub(div(chosen, beta), 0.5 / beta)), square(add(div(rejected, beta), 0.5 / beta))),
  /** D'Oosterlinck et al., "Anchored Preference Optimization" (2024), equation 7: chosen ones are better than the model's own. */
  apoZero: ({ chosen, rejected }) => add(sigmoid(neg(chosen)), sigmoid(rejected)),
  /** The same, equation 8: chosen ones are worse than the model's own. */
  apoDown: ({ chosen, margin }) => add(sigmoid(chosen), sigmoid(neg(margin))),
  /** Lu et al., "Discovering Preference Optimization Algorithms with and for Large Language Models" (2024), equation 5. */
  discopop: ({ margin, tau }) => {
    const modulation = sigmoid(div(margin, tau));
    return sub(mul(exp(neg(margin)), modulation), mul(logSigmoid(margin), sub(1, modulation)));
  },
};

const lossTypes = Object.keys(LOSSES) as DpoLossType[];

const ownOptions = {
  /** How strongly the model is held to the reference, above 0. Default 0.1. */
  beta: number(0.1, { min: 0, above: true }),
  /**
   * The loss, or several, which are added: 'sigmoid', 'hinge', 'ipo', 'exoPair', 'ncaPair', 'robust', 'bcoPair', 'sppoHard',
   * 'apoZero', 'apoDown', 'discopop'. Default 'sigmoid'.
   */
  lossType: someOf(lossTypes, 'sigmoid'),
  /** What each of several losses is multiplied by. Default 1. */
  lossWeights: numbers(),
  /** The share of preferences that are the wrong way round, for 'exoPair' in (0, 1) and for 'robust' in [0, 0.5). Default 0. */
  labelSmoothing: number(0, { min: 0, max: 1 }),
  /** The temperature of 'discopop', above 0. Default 0.05. */
  discopopTau: number(0.05, { min: 0, above: true }),
  ...nllOptions(false),
  /** Takes the mean of the log-probabilities of a sequence's tokens instead of their sum. Default false. */
  averageLogProb: flag(),
} as const;

const signatureOf = forBothLayouts(
  (layout) =>
    new Signature(op, preferenceTensors(layout), {
      ...preferenceOptions,
      ...pairReferenceOptions(layout),
      ...ownOptions,
    }),
);

/** Options of {@link fusedLinearDpo}. */
export interface FusedLinearDpoConfig
  extends ConfigOf<typeof preferenceOptions>,
    ConfigOf<ReturnType<typeof pairReferenceOptions>>,
    ConfigOf<typeof ownOptions> {}

/**
 * Direct preference optimization, and the losses that followed it, averaged over the pairs: `−log σ(beta · (r_w − r_l))` with the
 * log-ratios `r = log π − log π_ref` of the chosen and of the rejected sequence. Without a reference, `r = log π`.
 *
 * Logits exist for a chunk of tokens at a time. A reference gets no gradients, and its weights no memory for them.
 *
 * Rafailov et al., "Direct Preference Optimization" (2023); `LigerFusedLinearDPOLoss` in Liger-Kernel.
 *
 * @param x Hidden states `[2B, T, H]`: the chosen sequences, and after them the rejected ones in the same order.
 * @param weight The output layer `[V, H]`, or `[H, V]` with `transposeWeight`.
 * @param labels `[2B, T]`, int32, in [0, V) or `ignoreIndex`.
 * @returns The loss, and numbers to watch beside it. The loss is differentiable in x, weight and bias.
 * @throws If x has an odd number of rows, or a part of the reference is missing or given twice.
 */
export function fusedLinearDpo(
  x: Tensor | TensorLike,
  weight: Tensor | TensorLike,
  labels: Tensor | TensorLike,
  config?: FusedLinearDpoConfig,
): PreferenceRewards {
  return signatureOf(config).call({ x, weight, labels }, config, (call) => {
    const { beta, lossType, lossWeights, labelSmoothing: epsilon, discopopTau: tau, averageLogProb } = call.config;
    const types = typeof lossType === 'string' ? [lossType] : lossType;
    const weights = lossWeights ?? types.map(() => 1);
    if (weights.length !== types.length) {
      fail(op, `option 'lossWeights'`, `an array of ${types.length}, as lossType is`, weights);
    }
    checkSmoothing(types, epsilon);

    return preference({ op, ...call }, (logps) => {
      const { chosenLogRatios, rejectedLogRatios } = logps;
      const perTokenOf = (ratio: Tensor, lengths: Tensor) => (averageLogProb ? ratio : perToken(ratio, lengths));
      const pair: Pair = {
        margin: mul(sub(chosenLogRatios, rejectedLogRatios), beta),
        chosen: mul(chosenLogRatios, beta),
        rejected: mul(rejectedLogRatios, beta),
        marginPerToken: () =>
          sub(perTokenOf(chosenLogRatios, logps.chosenLengths), perTokenOf(rejectedLogRatios, logps.rejectedLengths)),
        ...{ beta, epsilon, tau },
      };
      const losses = types.map((type, i) => mul(mean(LOSSES[type](pair)), weights[i]!));
      const loss = losses.length > 1 ? losses.reduce((a, b) => add(a, b)) : losses[0]!;
      return { loss, chosenRewards: pair.chosen, rejectedRewards: pair.rejected };
    });
  });
}

function checkSmoothing(types: readonly DpoLossType[], epsilon: number): void {
  const name = `option 'labelSmoothing'`;
  if (types.includes('exoPair') && !(epsilon > 0 && epsilon < 1)) {
    fail(op, name, `a finite number in (0, 1) for the loss type 'exoPair'`, epsilon);
  }
  if (types.includes('robust') && !(epsilon < 0.5)) {
    fail(op, name, `a finite number in [0, 0.5) for the loss type 'robust'`, epsilon);
  }
}
