import { expect } from 'chai';
import '../../src/register.js';
import { fallbackKernel } from '../../src/engine/fallback_kernels.js';
import { gradients } from '../../src/engine/gradient.js';
import * as composed from '../../src/kernels/composed/all.js';
import * as contractModules from '../../src/kernels/contracts/all.js';
import type { Contract } from '../../src/kernels/contracts/shared/contract.js';
import * as webgpu from '../../src/kernels/webgpu/all.js';
import { tf } from '../support/backend.js';

const contracts = Object.values<object>(contractModules).filter((value): value is Contract => 'outputsOf' in value);
const names = contracts.map(({ name }) => name).sort();

/** The kernels without a gradient, and why. */
const WITHOUT_GRADIENT: ReadonlyArray<readonly [names: RegExp, reason: string]> = [
  [/Grad(X|Weight)?$/, 'a gradient itself'],
  [/^Liger(AdamW|AdamWStep|SquaredNorms)$/, 'a step of an optimizer'],
];

describe('every contract', () => {
  it('has a name of its own', () => {
    expect(new Set(names).size).to.equal(names.length);
    for (const name of names) expect(name).to.match(/^Liger[A-Z]/);
  });

  it('has a composed kernel', () => {
    expect(Object.values(composed).map(({ contract }) => contract.name)).to.have.members(names);
    for (const { contract, kernelFunc } of Object.values(composed)) {
      expect(fallbackKernel(contract)).to.equal(kernelFunc);
      for (const backend of ['cpu', 'wasm', 'webgl', 'tensorflow']) {
        expect(tf.getKernel(contract.name, backend)?.kernelFunc, backend).to.equal(kernelFunc);
      }
    }
  });

  it('has a WGSL kernel', () => {
    expect(Object.values(webgpu).map(({ kernelName }) => kernelName)).to.have.members(names);
    for (const { kernelName, kernelFunc } of Object.values(webgpu)) {
      expect(tf.getKernel(kernelName, 'webgpu')?.kernelFunc, kernelName).to.equal(kernelFunc);
    }
  });

  it('has a gradient, or a reason why not', () => {
    const wanted = names.filter((name) => !WITHOUT_GRADIENT.some(([without]) => without.test(name)));
    expect([...gradients.keys()]).to.have.members(wanted);
    for (const [name, { config }] of gradients) expect(tf.getGradient(name)).to.equal(config);
  });
});
