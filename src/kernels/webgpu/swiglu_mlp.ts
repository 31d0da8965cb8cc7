import { SwigluMlp, SwigluMlpGrad } from '../contracts/swiglu_mlp.js';
import { gatedMatmul, gatedMatmulGrad } from './matmul/gated.js';
import { matmul } from './matmul/matmul.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { asRows } from './wgsl/row.js';

export const swigluMlp = webgpuKernel(
  SwigluMlp,
  (gpu, { x, gateWeight, upWeight, downWeight }, { keepGateUp, ...multipliers }) => {
    const [rows, hidden] = asRows(x.shape);
    const [intermediate] = asRows(gateWeight.shape);
    const shape = [...x.shape.slice(0, -1), intermediate];
    const [gate, up] = keepGateUp ? [gpu.output(shape), gpu.output(shape)] : [];
    const gated = gpu.output(shape);
    const sizes = { m: rows, n: intermediate, k: hidden };
    gatedMatmul(gpu, { ...sizes, a: x, gateWeight, upWeight, y: gated, gate, up, multipliers });
    const y = gpu.output(x.shape);
    matmul(gpu, {
      m: rows,
      n: hidden,
      k: intermediate,
      a: { tensor: gated, layout: 'kInner', stride: intermediate },
      b: { tensor: downWeight, layout: 'kInner', stride: intermediate },
      c: y,
    });
    gpu.release(gated);
    return { y, gate, up };
  },
);

/**
 * Of the three tensors [rows, I] that the forward pass makes, gate and up are kept: what they are multiplied to comes again with
 * their gradients, from registers, while either of them would take a matmul to make again.
 */
export const swigluMlpGrad = webgpuKernel(
  SwigluMlpGrad,
  (gpu, { dy, x, gateWeight, upWeight, downWeight, gate, up }, attrs) => {
    const { wantsX, wantsGateWeight, wantsUpWeight, wantsDownWeight, ...multipliers } = attrs;
    const [rows, hidden] = asRows(x.shape);
    const [intermediate] = asRows(gateWeight.shape);
    const [dgate, dup, gated] = [gpu.output(gate.shape), gpu.output(gate.shape), gpu.output(gate.shape)];
    gatedMatmulGrad(gpu, {
      m: rows,
      n: intermediate,
      k: hidden,
      a: { tensor: dy, layout: 'kInner', stride: hidden },
      b: { tensor: downWeight, layout: 'kOuter', stride: intermediate },
      gate,
      up,
      dgate,
      dup,
      y: gated,
      multipliers,
    });
    const dx = wantsX ? gpu.output(x.shape) : undefined;
    if (dx) {
      const addProduct = (dz: typeof dgate, weight: typeof gateWeight, accumulate: boolean) => {
        const a = { tensor: dz, layout: 'kInner', stride: intermediate } as const;
        const b = { tensor: weight, layout: 'kOuter', stride: hidden } as const;
        matmul(gpu, { m: rows, n: hidden, k: intermediate, a, b, c: dx, accumulate });
      };
      addProduct(dgate, gateWeight, false);
      addProduct(dup, upWeight, true);
    }
    const weightGradient = (dz: typeof dy, m: number, input: typeof dy, n: number) => {
      const dweight = gpu.output([m, n]);
      const a = { tensor: dz, layout: 'kOuter', stride: m } as const;
      const b = { tensor: input, layout: 'kOuter', stride: n } as const;
      matmul(gpu, { m, n, k: rows, a, b, c: dweight });
      return dweight;
    };
    const dgateWeight = wantsGateWeight ? weightGradient(dgate, intermediate, x, hidden) : undefined;
    const dupWeight = wantsUpWeight ? weightGradient(dup, intermediate, x, hidden) : undefined;
    const ddownWeight = wantsDownWeight ? weightGradient(dy, hidden, gated, intermediate) : undefined;
    gpu.release(dgate, dup, gated);
    return { dx, dgateWeight, dupWeight, ddownWeight };
  },
);
