/**
 * Hugging Face's file format for weights, in Node.js and browsers: the length of a JSON header as a 64-bit integer, the
 * header, then the values one after the other, all little-endian. https://huggingface.co/docs/safetensors
 */
export interface SafetensorsTensor {
  shape: readonly number[];
  data: Float32Array | Int32Array;
}

export interface SafetensorsFile {
  tensors: Record<string, SafetensorsTensor>;
  metadata: Record<string, string>;
}

interface Entry {
  dtype: string;
  shape: number[];
  /** Counted from the end of the header. */
  data_offsets: [number, number];
}

/** The bytes of a file. `metadata` is free text, of which Hugging Face's own programs want `format`. */
export function encodeSafetensors(tensors: SafetensorsFile['tensors'], metadata = { format: 'pt' }): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    const dtype = data instanceof Int32Array ? 'I32' : 'F32';
    header[name] = { dtype, shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const begin = Math.ceil((8 + json.length) / 8) * 8; // the format asks for values at a multiple of 8
  const file = new Uint8Array(begin + offset).fill(0x20, 0, begin);
  new DataView(file.buffer).setBigUint64(0, BigInt(begin - 8), true);
  file.set(json, 8);
  let end = begin;
  for (const { data } of Object.values(tensors)) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), end);
    end += data.byteLength;
  }
  return file;
}

/** Reads a file. Values in 16 bits become float32. */
export function decodeSafetensors(file: Uint8Array): SafetensorsFile {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const begin = 8 + Number(view.getBigUint64(0, true));
  const { __metadata__: metadata = {}, ...entries } = JSON.parse(new TextDecoder().decode(file.subarray(8, begin))) as {
    __metadata__?: Record<string, string>;
  } & Record<string, Entry>;
  const tensors: SafetensorsFile['tensors'] = {};
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(entries as Record<string, Entry>)) {
    const [first, last] = data_offsets;
    // A copy, since an array may not begin at any byte; not by slice(), of which Node.js's Buffer makes a view.
    const { buffer } = new Uint8Array(file.subarray(begin + first, begin + last));
    const convert = readers[dtype];
    if (!convert) throw new Error(`safetensors: ${name} has the type ${dtype}, which is not read here`);
    tensors[name] = { shape, data: convert(buffer) };
  }
  return { tensors, metadata };
}

const readers: Record<string, (buffer: ArrayBuffer) => Float32Array | Int32Array> = {
  F32: (buffer) => new Float32Array(buffer),
  I32: (buffer) => new Int32Array(buffer),
  BF16: (buffer) => new Float32Array(Uint32Array.from(new Uint16Array(buffer), (bits) => bits << 16).buffer),
  F16: (buffer) => Float32Array.from(new Uint16Array(buffer), float16ToNumber),
};

function float16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}
