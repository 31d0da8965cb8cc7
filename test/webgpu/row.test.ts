import { expect } from 'chai';
import { Row } from '../../src/kernels/webgpu/wgsl/row.js';
import { backendName } from '../support/backend.js';
import { gpu } from '../support/webgpu.js';

if (backendName === 'webgpu') {
  describe('Row', () => {
    const visit = ({ x }: { x: string }) => `total += ${x};`;

    for (const [what, columns] of [
      ['held in registers', 64],
      ['read again by each pass', 100_000],
    ] as const) {
      it(`refuses a value that comes from elsewhere in a later pass, of a row that is ${what}`, () => {
        const row = new Row(gpu(), columns);
        row.pass({ x: 'x[base + @]' }, visit);
        row.pass({ x: 'x[base + @]' }, visit);
        expect(() => row.pass({ x: 'y[base + @]' }, visit)).to.throw(
          /^Row: 'x' was "x\[base \+ @\]" in an earlier pass, and is "y\[base \+ @\]" now$/,
        );
      });
    }

    it('reads a value again from where it was stored, where rows do not fit the registers', () => {
      const source = { x: { first: 'a[@] + b[@]', again: 'sum[@]' } };
      const long = new Row(gpu(), 100_000);
      expect(long.pass(source, visit)).to.include('let x = a[at] + b[at];');
      expect(long.pass(source, visit)).to.include('let x = sum[at];');
      const short = new Row(gpu(), 64);
      short.pass(source, visit);
      expect(short.pass(source, visit)).not.to.match(/a\[|sum\[/);
    });

    it('refuses sums over rows that are streamed', () => {
      expect(() => new Row(gpu(), 100_000, { streamed: true }).columnSums('dgamma')).to.throw(
        /^Row: 'dgamma' can't be summed over rows that are streamed$/,
      );
    });

    it('has no more threads than elements, however many rows are read together', () => {
      for (const streamed of [false, true]) {
        const row = new Row(gpu(), 128, { inputs: 9, streamed });
        expect(row.workgroupSize / row.rowsPerWorkgroup).to.equal(row.count);
      }
    });

    it('gives short rows a workgroup together, and long ones one to themselves', () => {
      expect(new Row(gpu(), 64).rowsPerWorkgroup).to.equal(64);
      expect(new Row(gpu(), 10).rowsPerWorkgroup).to.equal(128);
      expect(new Row(gpu(), 4096).rowsPerWorkgroup).to.equal(1);
    });
  });
}
