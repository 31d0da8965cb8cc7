/** What contracts and signatures do not let through: contract_types.node.test.ts has the compiler read this, and nothing runs it. */
import { mul, tensor1d } from '@tensorflow/tfjs-core';
import { float32, optional, Signature } from '../../src/checks/signature.js';
import { gradientOf } from '../../src/engine/gradient.js';
import { runKernel } from '../../src/engine/run_kernel.js';
import { composedKernel } from '../../src/kernels/composed/shared/composed_kernel.js';
import { Linear } from '../../src/kernels/contracts/linear.js';
import { RmsNorm } from '../../src/kernels/contracts/rms_norm.js';
import { Softmax } from '../../src/kernels/contracts/softmax.js';
import { webgpuKernel } from '../../src/kernels/webgpu/runtime/webgpu_kernel.js';

const x = tensor1d([1]);
const attrs = { epsilon: 1e-6, offset: 0 };

// Ops
runKernel(RmsNorm, { x, gamma: undefined }, attrs).y.shape;
// @ts-expect-error There is no input of this name.
runKernel(RmsNorm, { x, gama: x }, attrs);
// @ts-expect-error An input is missing.
runKernel(RmsNorm, { gamma: x }, attrs);
// @ts-expect-error There is no attribute of this name.
runKernel(RmsNorm, { x }, { ...attrs, epsilonn: 1 });
// @ts-expect-error An attribute is missing.
runKernel(RmsNorm, { x }, { epsilon: 1e-6 });
// @ts-expect-error An attribute has another type.
runKernel(RmsNorm, { x }, { epsilon: '1e-6', offset: 0 });
// @ts-expect-error The kernel has no attributes.
runKernel(Softmax, { x }, attrs);
// @ts-expect-error There is no output of this name.
runKernel(RmsNorm, { x }, attrs).z.shape;
// @ts-expect-error An output that not every call has may be undefined.
runKernel(Linear, { x, weight: x }, { activation: 'relu', transposeWeight: false, keepZ: true }).z.shape;

// Signatures
const signature = new Signature('op', { x: float32('...', 'C'), table: optional(float32('V', 'C')) }, {});
signature.call({ x, table: undefined }, {}, ({ sizes, tensors }) => {
  // @ts-expect-error A tensor that is optional may be undefined.
  tensors.table.shape;
  // @ts-expect-error A dimension of an optional tensor alone may have no size.
  sizes.V.toFixed();
  sizes.C.toFixed();
  return [];
});

// Kernels
composedKernel(Softmax, ({ x }) => ({ y: x }));
// @ts-expect-error There is no input of this name.
composedKernel(Softmax, ({ logits }) => ({ y: logits }));
// @ts-expect-error An output is missing.
composedKernel(RmsNorm, ({ x }) => ({ y: x }));
// @ts-expect-error There is no attribute of this name.
composedKernel(RmsNorm, ({ x }, { eps }) => ({ y: x, rstd: x, eps }));
// @ts-expect-error An output is missing.
webgpuKernel(RmsNorm, (_, { x }) => ({ y: x }));
// @ts-expect-error What a WGSL kernel is given is for programs, and no tensor of tfjs's ops.
webgpuKernel(Softmax, (_, { x }) => ({ y: mul(x, x) }));

// Gradients
gradientOf(RmsNorm, { save: ['x', 'rstd'], backward: ({ y: dy }, { x }) => ({ x: () => mul(dy, x) }) });
// @ts-expect-error Nothing of this name can be saved.
gradientOf(RmsNorm, { save: ['mean'], backward: ({ y: dy }) => ({ x: () => dy }) });
// @ts-expect-error It was not saved.
gradientOf(RmsNorm, { save: ['x'], backward: (_, { rstd }) => ({ x: () => rstd }) });
// @ts-expect-error There is no output of this name.
gradientOf(RmsNorm, { save: ['x'], backward: ({ dy }) => ({ x: () => dy }) });
// @ts-expect-error An input that not every call has may be undefined.
gradientOf(RmsNorm, { save: ['gamma'], backward: (_, { gamma }) => ({ x: () => mul(gamma, 2) }) });
// @ts-expect-error The tape sees no gradient of an output that is hidden.
gradientOf(Linear, { save: ['z'], hide: ['z'], backward: ({ z }) => ({ x: () => z }) });
