import type { Binding, TensorData } from './device_backend.js';
import { NumbersMap } from './numbers_map.js';

/** The longest tensor in JavaScript's memory that is remembered by its content, and how many are. */
const MOST_VALUES = 4;
const CAPACITY = 256;

/** Numbers of these bindings are negative: those of a backend's tensors are not. */
let lastId = -1;

/** A binding of a buffer that is no tensor's. */
export const newBinding = (buffer: GPUBuffer): Binding => ({ buffer, id: lastId-- });

/**
 * The buffers of a few values that are still in JavaScript's memory, such as the 1 that a backward pass begins with: one for each
 * content. An upload would take a buffer, and a write, on every step.
 */
export class Constants {
  private readonly known = new NumbersMap<Binding>(CAPACITY);

  constructor(private readonly device: GPUDevice) {}

  /** Undefined for data that is on the device, or is too long. */
  of({ dtype, resource, values }: TensorData): Binding | undefined {
    if (resource || !values || dtype === 'bool' || dtype === 'string') return undefined;
    if (values.length === 0 || values.length > MOST_VALUES) return undefined;
    const isInteger = dtype === 'int32';
    const key = [Number(isInteger), ...Array.from(values)];
    const known = this.known.get(key);
    if (known) return known;
    const size = values.length * 4;
    const buffer = this.device.createBuffer({ size, usage: GPUBufferUsage.STORAGE, mappedAtCreation: true });
    const array = isInteger ? Int32Array : Float32Array;
    new array(buffer.getMappedRange()).set(values);
    buffer.unmap();
    const constant = newBinding(buffer);
    this.known.add(key, constant);
    return constant;
  }
}
