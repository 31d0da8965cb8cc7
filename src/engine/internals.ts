import { engine, type NamedTensorMap, type Tensor } from '@tensorflow/tfjs-core';

/** What tfjs's engine has, and does not declare. */
export interface EngineInternals {
  backend: { numDataIds(): number };
  state: { numDataMovesStack: number[]; activeScope: { name: string } | null; gradientDepth: number };
  shouldCheckForMemLeaks(): boolean;
  /** The inputs and outputs that the gradient of a kernel wants: the engine saves what a `map` of these gives. */
  getTensorsForGradient(kernelName: string, inputs: NamedTensorMap, outputs: Tensor[]): Tensor[];
  /** `f` is given tensors and, behind them, what saves a list of tensors by a `map` of it. */
  customGrad(f: (...inputs: unknown[]) => unknown): (...inputs: Tensor[]) => Tensor;
  /** Runs what is no registered kernel, and puts it on the tape: with `backwardsFunc`, or the gradient of its scope's name. */
  runKernelFunc(kernel: {
    inputs: NamedTensorMap;
    attrs?: object;
    forwardFunc(backend: unknown, save: (tensors: Tensor[]) => void): Tensor[];
    backwardsFunc?(dys: Tensor | Tensor[], saved: Tensor[]): Record<string, () => Tensor>;
  }): Tensor[];
}

export const engineInternals = () => engine() as unknown as EngineInternals;
