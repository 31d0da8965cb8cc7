import { expect } from 'chai';
import fc from 'fast-check';
import { replaceEverywhere } from '../../../src/engine/stock_kernels.js';
import { einsum } from '../../../src/gradients/missing/einsum.js';
import { random } from '../../support/against_composed.js';
import { backendName, skip, target, tf } from '../../support/backend.js';
import { expectClose, expectNoLeak, GRADIENT_TOLERANCE, OUTPUT_TOLERANCE } from '../../support/golden.js';
import { expectGradients, gradientsBy, withGradients } from '../../support/gradients.js';
import { runsOf } from '../../support/passes.js';

type Extents = Readonly<Record<string, number>>;
type Values = ArrayLike<number>;

const shapeOf = (labels: string, extents: Extents) => [...labels].map((label) => extents[label]!);

/** Calls `visit` for each value of the labels of an equation, with the place of an element in each tensor of it. */
function forEachTerm(equation: string, extents: Extents, visit: (places: number[]) => void): void {
  const terms = equation.replace(/\s/g, '').split(/,|->/);
  const labels = [...new Set(terms.join(''))];
  const at: Record<string, number> = {};
  const walk = (depth: number): void => {
    const label = labels[depth];
    if (!label) {
      visit(terms.map((term) => [...term].reduce((place, name) => place * extents[name]! + at[name]!, 0)));
    } else {
      for (let i = 0; i < extents[label]!; i++) {
        at[label] = i;
        walk(depth + 1);
      }
    }
  };
  walk(0);
}

/** The gradients of the operands in float64. */
function gradientsInFloat64(equation: string, extents: Extents, operands: Values[], dy: Values): number[][] {
  const gradients = operands.map(({ length }) => new Array<number>(length).fill(0));
  forEachTerm(equation, extents, (places) => {
    for (const [i, gradient] of gradients.entries()) {
      const others = operands.reduce((product, other, j) => (j === i ? product : product * other[places[j]!]!), 1);
      gradient[places[i]!]! += others * dy[places.at(-1)!]!;
    }
  });
  return gradients;
}

const operandsOf = (equation: string, extents: Extents) =>
  equation
    .replace(/\s|->.*/g, '')
    .split(',')
    .map((labels, i) => random(shapeOf(labels, extents), i + 1));
const dyOf = (equation: string, extents: Extents) => random(shapeOf(equation.split('->')[1]!.trim(), extents), 9);
const dataOf = (tensors: tf.Tensor[]) => Promise.all(tensors.map((tensor) => tensor.data()));

/** Equations of two operands: each label is in one of them or in both, and in the result or not; all in any order. */
const equations = fc
  .tuple(
    fc.array(fc.constantFrom('a', 'b', 'ab', 'ay', 'by', 'aby'), { minLength: 1, maxLength: 5 }),
    fc.infiniteStream(fc.nat(1000)),
  )
  .map(([roles, order]) => {
    const of = (place: string) =>
      roles
        .flatMap((role, i) => (role.includes(place) ? [{ label: 'ijklm'[i]!, key: order.next().value }] : []))
        .sort((a, b) => a.key - b.key)
        .map(({ label }) => label)
        .join('');
    return `${of('a')},${of('b')}->${of('y')}`;
  });

/** The result in float64. */
function resultInFloat64(equation: string, extents: Extents, operands: Values[]): number[] {
  const result = new Array<number>(shapeOf(equation.split('->')[1]!, extents).reduce((size, n) => size * n, 1)).fill(0);
  forEachTerm(equation, extents, (places) => {
    result[places.at(-1)!]! += operands.reduce((product, operand, i) => product * operand[places[i]!]!, 1);
  });
  return result;
}

describe('einsum', () => {
  withGradients(einsum);
  before(() => replaceEverywhere('kernels', true));
  after(() => replaceEverywhere('kernels', false));

  it('is right for any equation', async () => {
    await fc.assert(
      fc.asyncProperty(
        equations,
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 5, maxLength: 5 }),
        async (equation, sizes) => {
          await expectNoLeak(async () => {
            const some = Object.fromEntries([...'ijklm'].map((label, i) => [label, sizes[i]!]));
            const operands = operandsOf(equation, some);
            const y = tf.einsum(equation, ...operands);
            expect(y.shape).to.deep.equal(shapeOf(equation.split('->')[1]!, some));
            await expectClose(y, resultInFloat64(equation, some, await dataOf(operands)), OUTPUT_TOLERANCE, equation);
            tf.dispose([operands, y]);
          });
        },
      ),
      { numRuns: runsOf(backendName === 'webgpu' ? 8 : 60), seed: 2, endOnFailure: true },
    );
  });

  it('is no view of its operand', async () => {
    await expectNoLeak(async () => {
      const x = random([2, 3], 1);
      const [y, dx] = tf.tidy(() => [tf.einsum('ij->ij', x), tf.grad((x) => tf.einsum('ij->ij', x))(x)]) as [
        tf.Tensor,
        tf.Tensor,
      ];
      await expectClose(dx, [1, 1, 1, 1, 1, 1], 0);
      x.dispose();
      expect(await y.data()).to.have.length(6);
      tf.dispose([y, dx]);
    });
  });
});

describe('the gradient of einsum', () => {
  withGradients(einsum);

  // tfjs's kernel errs on cpu, and there is none on wasm.
  before(() => replaceEverywhere('kernels', true));
  after(() => replaceEverywhere('kernels', false));

  const extents: Extents = { b: 2, h: 3, i: 3, j: 4, k: 5, l: 2 };
  for (const equation of [
    'ij->ji',
    'ij->i',
    'ij->j',
    'ijk->ki',
    'ij->',
    'ij,jk->ik',
    'ij,kj->ik',
    'ji,jk->ik',
    'ij,jk->ki',
    'bij,bjk->bik',
    'bihl,bjhl->bhij',
    'bhij,bjhl->bihl',
    'ij,ij->',
    'ij,ij->ij',
    'ij,ij->i',
    'i,j->ji',
    'ij,jk->ikj',
    'ij,jkl->i',
    'ijk,jk->i',
    'ij,->ij',
    'i,i->',
  ]) {
    it(`of ${equation}`, async () => {
      await expectNoLeak(async () => {
        const [operands, dy] = [operandsOf(equation, extents), dyOf(equation, extents)];
        const [values, slopes] = [await dataOf(operands), await dy.data()];
        const f = (...tensors: tf.Tensor[]) => tf.einsum(equation, ...tensors);
        await expectGradients(f, operands, dy, gradientsInFloat64(equation, extents, values, slopes));
        tf.dispose([operands, dy]);
      });
    });
  }

  it('of an equation with spaces', async function () {
    if (target === 'tensorflow') skip(this, 'TensorFlow takes no spaces');
    await expectNoLeak(async () => {
      const equation = ' i j, jk -> ki ';
      const [operands, dy] = [operandsOf(equation, extents), random([5, 3], 9)];
      const values = await dataOf(operands);
      const expected = gradientsInFloat64(equation, extents, values, await dy.data());
      await expectGradients((...tensors) => tf.einsum(equation, ...tensors), operands, dy, expected);
      tf.dispose([operands, dy]);
    });
  });

  // Without tfjs's own kernel, which does not compute all of these.
  it('of any equation', async () => {
    await fc.assert(
      fc.asyncProperty(
        equations,
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 5, maxLength: 5 }),
        async (equation, sizes) => {
          const some = Object.fromEntries([...'ijklm'].map((label, i) => [label, sizes[i]!]));
          const [operands, dy] = [operandsOf(equation, some), dyOf(equation, some)];
          const expected = gradientsInFloat64(equation, some, await dataOf(operands), await dy.data());
          const gradients = gradientsBy(einsum, dy, operands, { equation });
          for (const [i, operand] of operands.entries()) {
            expect(gradients[i]!.shape).to.deep.equal(operand.shape);
            await expectClose(gradients[i]!, expected[i]!, GRADIENT_TOLERANCE, `gradient ${i}`);
          }
          tf.dispose([operands, dy, gradients] as tf.TensorContainer);
        },
      ),
      { numRuns: runsOf(backendName === 'webgpu' ? 8 : 60), seed: 1, endOnFailure: true },
    );
  });

  it('is differentiable', async () => {
    for (const equation of ['ij,jk->ki', 'ij,ij->i', 'bij,jb->i', 'i,j->ij']) {
      await expectNoLeak(async () => {
        const [[a, b], dy] = [operandsOf(equation, extents) as [tf.Tensor, tf.Tensor], dyOf(equation, extents)];
        const weights = random(a.shape, 5);
        // The first gradient is linear in b, so that its sum with weights is the result of these and b.
        const [weightValues, values] = await dataOf([weights, b]);
        const [, expected] = gradientsInFloat64(equation, extents, [weightValues!, values!], await dy.data());
        const weighted = (other: tf.Tensor) => {
          const gradient = tf.grad((first: tf.Tensor) => tf.einsum(equation, first, other))(a, dy);
          return tf.sum(tf.mul(gradient, weights));
        };
        await expectGradients(weighted, [b], undefined, [expected!]);
        tf.dispose([a, b, dy, weights]);
      });
    }
  });

  it('of operands with no elements', async () => {
    await expectNoLeak(async () => {
      for (const [equation, none] of [
        ['ij,jk->ik', 'i'],
        ['ij,jk->ik', 'j'],
        ['ij->i', 'i'],
        ['ij->i', 'j'],
        ['i,j->ij', 'i'],
      ] as const) {
        const some = { ...extents, [none]: 0 };
        const [operands, dy] = [operandsOf(equation, some), dyOf(equation, some)];
        const gradients = gradientsBy(einsum, dy, operands, { equation });
        for (const [i, operand] of operands.entries()) {
          await expectClose(
            gradients[i]!,
            operand.dataSync().map(() => 0),
            0,
            `${equation} without ${none}`,
          );
        }
        tf.dispose([operands, dy, gradients] as tf.TensorContainer);
      }
    });
  });
});
