export function installWebGpu(disabled?: readonly string[]): Promise<GPUAdapter>;
