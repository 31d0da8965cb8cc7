/** What is thrown once a device was lost. */
export const lostError = ({ reason, message }: GPUDeviceLostInfo) =>
  new Error(
    `The WebGPU device was lost (${reason}: ${message}). Its tensors are gone: call registerWebGPUBackend() and go on from ` +
      'saved weights.',
  );
