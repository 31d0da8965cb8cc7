import { expect } from 'chai';
import { decodeSafetensors, encodeSafetensors } from '../../examples/support/safetensors.js';

describe('safetensors', () => {
  it('reads what it wrote', () => {
    const tensors = {
      weight: { shape: [2, 3], data: Float32Array.of(1, -2, 3.5, Number.POSITIVE_INFINITY, 5e-39, 6) },
      nothing: { shape: [0], data: new Float32Array() },
      scalar: { shape: [], data: Float32Array.of(0.1) },
      indices: { shape: [2], data: Int32Array.of(-1, 2 ** 31 - 1) },
      'é/λ': { shape: [1], data: Float32Array.of(7) },
    };
    const file = encodeSafetensors(tensors);
    expect(decodeSafetensors(file)).to.deep.equal({ tensors, metadata: { format: 'pt' } });
    // From anywhere in a larger buffer, as Node.js reads small files.
    const shifted = new Uint8Array(file.length + 3);
    shifted.set(file, 3);
    expect(decodeSafetensors(shifted.subarray(3)).tensors).to.deep.equal(tensors);
    // Like Node.js's Buffer, of which slice() makes a view.
    class Pooled extends Uint8Array {
      override slice(begin?: number, end?: number) {
        return this.subarray(begin, end) as Uint8Array<ArrayBuffer>;
      }
    }
    const pool = new Pooled(file.length + 3);
    pool.set(file, 3);
    expect(decodeSafetensors(pool.subarray(3)).tensors).to.deep.equal(tensors);
  });

  it('lays the file out as the format asks', () => {
    const file = encodeSafetensors({ a: { shape: [1], data: Float32Array.of(1) } });
    const length = Number(new DataView(file.buffer).getBigUint64(0, true));
    expect(length % 8).to.equal(0);
    expect(JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)))).to.deep.equal({
      __metadata__: { format: 'pt' },
      a: { dtype: 'F32', shape: [1], data_offsets: [0, 4] },
    });
    expect([...file.subarray(8 + length)]).to.deep.equal([0, 0, 0x80, 0x3f]);
  });

  it('reads types of 16 bits, and names those that it cannot read', () => {
    const build = (dtype: string, values: Uint16Array) => {
      const entry = { dtype, shape: [values.length], data_offsets: [0, values.byteLength] };
      const json = new TextEncoder().encode(JSON.stringify({ x: entry }));
      const file = new Uint8Array(8 + json.length + values.byteLength);
      new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
      file.set(json, 8);
      file.set(new Uint8Array(values.buffer), 8 + json.length);
      return file;
    };
    const halves = build('F16', Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff, 0xfc00, 0x8000));
    const expected = [1, -2, 2 ** -24, 65504, Number.NEGATIVE_INFINITY, -0];
    expect([...decodeSafetensors(halves).tensors.x!.data]).to.deep.equal(expected);
    const brains = build('BF16', Uint16Array.of(0x3f80, 0xc000, 0x7f80, 0x3dcc));
    expect([...decodeSafetensors(brains).tensors.x!.data]).to.deep.equal([
      1,
      -2,
      Number.POSITIVE_INFINITY,
      0.099609375,
    ]);
    expect(() => decodeSafetensors(build('F8_E4M3', Uint16Array.of(0)))).to.throw(/x has the type F8_E4M3/);
  });
});
