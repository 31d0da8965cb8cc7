import { expect } from 'chai';
import { type MatmulOperand, matmul, workspaceSize } from '../../src/kernels/webgpu/matmul/matmul.js';
import type { OperandLayout } from '../../src/kernels/webgpu/matmul/operand.js';
import { FIXED_PLANS, type Plan } from '../../src/kernels/webgpu/matmul/plans.js';
import { TILES } from '../../src/kernels/webgpu/matmul/tile.js';
import { random } from '../support/against_composed.js';
import { tf } from '../support/backend.js';
import { expectClose, expectNoLeak, OUTPUT_TOLERANCE } from '../support/golden.js';
import { triesEveryTile } from '../support/passes.js';
import { gpu, toTensor } from '../support/webgpu.js';

type Layouts = readonly [a: OperandLayout, b: OperandLayout];

const LAYOUTS: readonly Layouts[] = [
  ['kInner', 'kOuter'],
  ['kInner', 'kInner'],
  ['kOuter', 'kOuter'],
  ['kOuter', 'kInner'],
];

const shapeOf = (layout: OperandLayout, outer: number, k: number): [number, number] =>
  layout === 'kInner' ? [outer, k] : [k, outer];

const operand = (tensor: tf.Tensor, layout: OperandLayout): MatmulOperand => ({
  tensor,
  layout,
  stride: tensor.shape[1]!,
});

/** Multiplies by a plan, adding a bias, and compares with the sum in float64. */
async function expectProduct(m: number, n: number, k: number, [layoutA, layoutB]: Layouts, plan: Plan): Promise<void> {
  await expectNoLeak(async () => {
    const a = random(shapeOf(layoutA, m, k), 1);
    const b = random(shapeOf(layoutB, n, k), 2);
    const bias = random([n], 3);
    const c = gpu().output([m, n]);
    matmul(gpu(), { m, n, k, a: operand(a, layoutA), b: operand(b, layoutB), c, bias, plan });
    const [x, y, z] = await Promise.all([a.data(), b.data(), bias.data()]);
    const expected = new Float32Array(m * n);
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = z[j]!;
        for (let q = 0; q < k; q++) {
          sum += x[layoutA === 'kInner' ? i * k + q : q * m + i]! * y[layoutB === 'kInner' ? j * k + q : q * n + j]!;
        }
        expected[i * n + j] = sum;
      }
    }
    const product = toTensor(c);
    const reference = tf.tensor(expected, [m, n]);
    await expectClose(product, reference, OUTPUT_TOLERANCE, `${m} × ${n} × ${k}, ${layoutA}, ${layoutB}`);
    tf.dispose([a, b, bias, product, reference]);
  });
}

if (triesEveryTile) {
  describe('the WebGPU matmul', () => {
    for (const [tile, { rows, columns, depth }] of TILES.entries()) {
      describe(`in tiles of ${rows} × ${columns}`, () => {
        for (const layouts of LAYOUTS) {
          it(`multiplies ${layouts.join(' by ')}, with and without tails`, async function () {
            this.timeout(60_000);
            await expectProduct(rows, 2 * columns, 2 * depth, layouts, { tile, slices: 1 });
            await expectProduct(rows + 4, columns + 8, depth + 4, layouts, { tile, slices: 1 });
            await expectProduct(rows + 1, columns + 3, depth + 1, layouts, { tile, slices: 1 });
          });
        }

        it('adds the parts of a split sum', async function () {
          this.timeout(60_000);
          await expectProduct(rows + 1, columns, 9 * depth + 1, LAYOUTS[2]!, { tile, slices: 3 });
          await expectProduct(7, 5, 40 * depth, LAYOUTS[1]!, { tile, slices: 16 });
        });
      });
    }

    it('covers a device, and splits only sums whose parts are small', () => {
      const sizes = [1, 5, 64, 300, 768, 1024, 4096, 50304];
      const tiles = new Set<number>();
      for (const m of sizes) {
        for (const n of sizes) {
          for (const k of sizes) {
            const plan = FIXED_PLANS.choose(m, n, k);
            tiles.add(plan.tile);
            expect(workspaceSize(gpu(), m, n, k)).to.equal(plan.slices > 1 ? plan.slices * m * n : 0);
            expect(workspaceSize(gpu(), m, n, k)).to.be.at.most(100e6 / 4);
            expect(FIXED_PLANS.choose(m, n, k)).to.equal(plan);
          }
        }
      }
      expect([...tiles]).to.have.members([...TILES.keys()]);
      expect(FIXED_PLANS.choose(4096, 4096, 4096)).to.deep.equal({ tile: 0, slices: 1 });
      expect(FIXED_PLANS.choose(64, 64, 50304).slices).to.equal(16);
    });
  });
}
