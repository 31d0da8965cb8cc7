import { expect } from 'chai';
import { expectClose, GRADIENT_TOLERANCE, OUTPUT_TOLERANCE } from '../support/golden.js';
import { transformerLayers } from '../support/platform_node.js';

describe("tfjs-layers' transformer layers, patched", () => {
  for (const name of ['attention', 'decoder'] as const) {
    it(`${name}: outputs are tfjs's, and gradients those of its einsums`, async () => {
      const { outputAndGradients } = await transformerLayers();
      const { stock, patched } = await outputAndGradients(name);
      await expectClose(patched.y, stock.y, OUTPUT_TOLERANCE);
      expect(stock.gradients.some((gradient) => Math.abs(gradient) > 1e-3)).to.equal(true);
      await expectClose(patched.gradients, stock.gradients, GRADIENT_TOLERANCE);
    });

    it(`${name}: a model of it trains, with the weights within`, async () => {
      const { trainAndReload } = await transformerLayers();
      const { losses, weights, leaked } = await trainAndReload(name);
      expect(weights).to.equal(name === 'attention' ? 8 : 16);
      expect(losses.at(-1)).to.be.below(losses[0]!);
      expect(leaked).to.equal(0);
    });
  }
});
