import { recall, remember } from './remember.js';

/** What is fitted to a device once, by measuring it, and remembered for others like it. */
export interface DeviceFit<Found> {
  /** Tells what it finds from what earlier versions of it found. */
  readonly name: string;
  /** Whether something that was remembered is what it finds. */
  accepts(value: unknown): value is Found;
  /** Has it used on a device from now on, or without it what other devices have. */
  use(device: GPUDevice, found?: Found): void;
  /** Finds it, or nothing where the device is well off without. */
  measure(backend: { readonly device: GPUDevice }): Promise<Found | undefined>;
}

const fits: Array<DeviceFit<unknown>> = [];

/** Adds to what {@link fitDevice} fits. */
export function provideFit(fit: DeviceFit<unknown>): void {
  fits.push(fit);
}

/** Tells adapters apart, as far as they tell what they are. */
function nameOf(device: GPUDevice, info: GPUAdapterInfo | undefined): string {
  const { vendor, architecture, device: model, description } = info ?? ({} as Partial<GPUAdapterInfo>);
  const { maxBufferSize, maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup } = device.limits;
  const limits = [maxBufferSize, maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup];
  return [vendor, architecture, model, description, ...limits].join('|');
}

/** What was found for a device: null if it is well off without. */
interface Finding {
  readonly found: unknown;
}

/** Has nothing of it used on a device. */
export function forgetFits(device: GPUDevice): void {
  for (const fit of fits) fit.use(device);
}

/** Uses what was found for devices like this one. Returns what to call to find the rest, which does not fail. */
export async function fitDevice(
  backend: { readonly device: GPUDevice },
  info: GPUAdapterInfo | undefined,
): Promise<() => Promise<void>> {
  const { device } = backend;
  const unknown: Array<() => Promise<void>> = [];
  for (const fit of fits) {
    const key = `${fit.name}: ${nameOf(device, info)}`;
    const known = (await recall(key)) as Finding | undefined;
    if (known?.found === null) fit.use(device);
    else if (known && fit.accepts(known.found)) fit.use(device, known.found);
    else unknown.push(() => find(fit, backend, key));
  }
  return async () => {
    for (const findNext of unknown) await findNext();
  };
}

async function find(fit: DeviceFit<unknown>, backend: { readonly device: GPUDevice }, key: string): Promise<void> {
  const { device } = backend;
  if (!device.features.has('timestamp-query')) return;
  try {
    const found = await fit.measure(backend);
    fit.use(device, found);
    await remember(key, { found: found ?? null });
  } catch {
    // The device was lost, or had no memory left: it stays as it is.
  }
}
