/** CONTRIBUTING.md quotes the code. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { root } from '../../scripts/lib/process.mjs';
import { blocksOf } from './snippets.js';

const read = (file: string) => readFileSync(path.join(root, file), 'utf8');
const guide = read('CONTRIBUTING.md');

describe('CONTRIBUTING.md', () => {
  for (const { title, line, language, flags, code } of blocksOf(guide)) {
    if (language !== 'ts') continue;
    it(`${title}: the code at line ${line} is that of ${flags[0]}`, () => {
      for (const part of code.split('// …\n')) expect(read(flags[0]!)).to.include(part);
    });
  }

  it('names files that are there', () => {
    const names = [...guide.matchAll(/`((?:src|test|bench|scripts)\/[\w./]*)`/g)].map(([, name]) => name!);
    expect(names.filter((name) => !existsSync(path.join(root, name)))).to.deep.equal([]);
  });
});
