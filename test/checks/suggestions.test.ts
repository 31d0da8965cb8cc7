import { crossEntropy, fusedLinearCrossEntropy, layerNorm, mhcCoeffs, rmsNorm, train } from '../../src/index.js';
import { expectError } from '../support/golden.js';

describe('an unknown option', () => {
  const x = [
    [1, 2, 3, 4],
    [5, 6, 7, 8],
  ];
  const labels = [0, 1];
  /** By the option that is given: the call, and the options that the message names. */
  const calls: Array<[option: string, call: (config: never) => unknown, answer: string]> = [
    ['eps', (config) => rmsNorm(x, undefined, config), "did you mean 'epsilon'?"],
    ['layer_norm_eps', (config) => layerNorm(x, [1, 1, 1, 1], [0, 0, 0, 0], config), "did you mean 'epsilon'?"],
    ['lr', (config) => train.adamW(config), "did you mean 'learningRate'?"],
    ['betas', (config) => train.adamW(config), "did you mean 'beta1' and 'beta2'?"],
    ['max_grad_norm', (config) => train.adamW(config), "did you mean 'clipNorm'?"],
    ['ceWeight', (config) => fusedLinearCrossEntropy(x, x, labels, config), "did you mean 'classWeight'?"],
    ['ce_weight', (config) => crossEntropy(x, labels, config), "did you mean 'weight'?"],
    ['ignore_index', (config) => crossEntropy(x, labels, config), "did you mean 'ignoreIndex'?"],
    ['rms_eps', (config) => mhcCoeffs(x, x, [1, 1, 1], 1, 1, 1, config), "did you mean 'rmsEpsilon'?"],
    ['pre_eps', (config) => mhcCoeffs(x, x, [1, 1, 1], 1, 1, 1, config), "did you mean 'preEpsilon'?"],
    ['sinkhorn_eps', (config) => mhcCoeffs(x, x, [1, 1, 1], 1, 1, 1, config), "did you mean 'sinkhornEpsilon'?"],
    ['lr', (config) => rmsNorm(x, undefined, config), 'the options are epsilon, offset'],
  ];
  for (const [option, call, answer] of calls) {
    it(`'${option}' is answered with: ${answer}`, () => {
      const message = `: unknown option '${option}'; ${answer}`.replace(/[?()[\]]/g, '\\$&');
      expectError(() => call({ [option]: 1 } as never), new RegExp(`^\\w+${message}$`));
    });
  }
});
