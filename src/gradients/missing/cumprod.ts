import {
  add,
  Cumprod,
  type CumprodAttrs,
  cumprod as cumprodOf,
  type GradConfig,
  mul,
  pad,
  type Rank,
  reshape,
  reverse as reversed,
  slice,
  type Tensor,
  type Tensor3D,
  util,
  zerosLike,
} from '@tensorflow/tfjs-core';

/** The elements `begin` to `end` along the middle axis of x [outer, n, inner]. */
const part = (x: Tensor3D, begin: number, end = x.shape[1]) =>
  slice(x, [0, begin, 0], [x.shape[0], end - begin, x.shape[2]]);

/** x [outer, n, inner] with `after` zeros behind it along the middle axis. */
const padded = (x: Tensor3D, after: number): Tensor3D =>
  pad(x, [
    [0, 0],
    [0, after],
    [0, 0],
  ]);

/**
 * s_i = b_i + a_i · s_(i+1), of which the last is b's. Each step takes twice as many terms together as the last.
 *
 * @param a [outer, n - 1, inner]
 * @param b [outer, n, inner]
 */
function sums(a: Tensor3D, b: Tensor3D): Tensor3D {
  const n = b.shape[1];
  let [products, result] = [a, b];
  for (let step = 1; step < n; step *= 2) {
    result = add(result, padded(mul(products, part(result, step)), step));
    if (2 * step < n) products = mul(part(products, 0, n - 2 * step), part(products, step));
  }
  return result;
}

/** The gradient of the products of all elements before each one, [outer, n, inner], or of these with that one. */
function gradientOf(x: Tensor3D, dy: Tensor3D, exclusive: boolean): Tensor3D {
  const n = x.shape[1];
  const before: Tensor3D = cumprodOf(x, 1, true);
  if (!exclusive) return n === 1 ? dy : mul(before, sums(part(x, 1), dy));
  if (n === 1) return zerosLike(dy);
  // The last element is in no product.
  const later = part(dy, 1);
  return padded(mul(part(before, 0, n - 1), n === 2 ? later : sums(part(x, 1, n - 1), later)), 1);
}

/** dx_i = Π_(j<i) x_j · Σ_(k≥i) dy_k · Π_(i<j≤k) x_j. Nothing is divided by x, which may be 0. */
export const cumprod: GradConfig = {
  kernelName: Cumprod,
  inputsToSave: ['x'],
  gradFunc: (dy, saved, attrs) => {
    const [x] = saved as [Tensor];
    const { axis, exclusive, reverse } = attrs as unknown as CumprodAttrs;
    return {
      x: () => {
        if (x.size === 0) return zerosLike(x);
        const [at] = util.parseAxisParam(axis, x.shape) as [number];
        const size = (from: number, to?: number) => util.sizeFromShape(x.shape.slice(from, to));
        const view = (tensor: Tensor) => {
          const rows = reshape<Rank.R3>(tensor, [size(0, at), x.shape[at]!, size(at + 1)]);
          return reverse ? reversed(rows, 1) : rows;
        };
        const dx = gradientOf(view(x), view(dy as Tensor), exclusive);
        return reshape(reverse ? reversed(dx, 1) : dx, x.shape);
      },
    };
  },
};
