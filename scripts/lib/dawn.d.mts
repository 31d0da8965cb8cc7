export function installWebGpu(options?: { disabled?: readonly string[]; backend?: 'null' }): Promise<GPUAdapter>;
