import path from 'node:path';
import { expect } from 'chai';
import ts from 'typescript';
import { root } from '../../scripts/lib/process.mjs';

describe('contracts', function () {
  this.timeout(60_000);

  it('compile where names and types are right, and nowhere else', () => {
    const { config } = ts.readConfigFile(path.join(root, 'tsconfig.json'), ts.sys.readFile);
    const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, root);
    const program = ts.createProgram([path.join(root, 'test/kernels/contract_types.ts')], options);
    const found = ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
      const line = file ? file.getLineAndCharacterOfPosition(start ?? 0).line + 1 : 0;
      return `${file?.fileName}:${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
    });
    expect(found).to.deep.equal([]);
  });
});
