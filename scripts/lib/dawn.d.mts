export function installWebGpu(options?: string[]): Promise<GPUAdapter>;
