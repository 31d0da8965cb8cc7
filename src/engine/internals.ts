import { engine, type NamedTensorMap, type Tensor } from '@tensorflow/tfjs-core';

/** What tfjs's engine has, and does not declare. */
export interface EngineInternals {
  backend: { numDataIds(): number };
  state: { numDataMovesStack: number[]; activeScope: { name: string }; gradientDepth: number };
  shouldCheckForMemLeaks(): boolean;
  clone(x: Tensor): Tensor;
  keep(x: Tensor): Tensor;
  /** The inputs and outputs that the gradient of a kernel wants. */
  getTensorsForGradient(kernelName: string, inputs: NamedTensorMap, outputs: Tensor[]): Tensor[];
  /** What becomes of them until the backward pass. */
  saveTensorsForBackwardMode(tensors: Tensor[]): Tensor[];
  /** Runs what is no registered kernel, and puts it on the tape: with `backwardsFunc`, or the gradient of its scope's name. */
  runKernelFunc(kernel: {
    inputs: NamedTensorMap;
    attrs?: object;
    forwardFunc(backend: unknown, save: (tensors: Tensor[]) => void): Tensor[];
    backwardsFunc?(dys: Tensor | Tensor[], saved: Tensor[]): Record<string, () => Tensor>;
  }): Tensor[];
}

export const engineInternals = () => engine() as unknown as EngineInternals;
