/** docs/from-liger-kernel.md has a row for each name of Liger-Kernel, and names nothing of ours that is not there. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { root } from '../../scripts/lib/process.mjs';
import * as liger from '../../src/index.js';
import * as layers from '../../src/layers/index.js';
import { tableOf } from './snippets.js';

const PAGE = 'docs/from-liger-kernel.md';
const page = readFileSync(path.join(root, PAGE), 'utf8');

/** By module. */
const { version, names }: { version: string; names: Record<string, string[]> } = JSON.parse(
  readFileSync(path.join(root, 'test/package/liger_kernel_names.json'), 'utf8'),
);

const OURS: Readonly<Record<string, object>> = { liger, layers };

/** What `liger.train.adamW` and its kind stand for; undefined where there is no such export. */
const exported = (name: string) =>
  name.split('.').reduce<object | undefined>((value, key) => value && Reflect.get(value, key), OURS);

const codeOf = (markdown: string) => [...markdown.matchAll(/`([^`]+)`/g)].map(([, code]) => code!);

describe(PAGE, () => {
  it('says which version it is of', () => {
    expect(page).to.include(`Liger-Kernel ${version} `);
  });

  it('has a section for each module', () => {
    const headings = [...page.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading);
    expect(headings).to.deep.equal(Object.keys(names));
  });

  for (const [module, expected] of Object.entries(names)) {
    it(`has a row for each name of ${module}, and for no other`, () => {
      const rows = tableOf(page, `## ${module}`);
      expect(rows.map(([name]) => name)).to.deep.equal(expected.map((name) => `\`${name}\``));
      for (const row of rows) {
        expect(row, row[0]).to.have.length(3);
        expect(row[1], row[0]).to.match(/`|^nothing$/);
        if (row[1] === 'nothing') expect(row[2], row[0]).not.to.equal('');
      }
    });
  }

  it('names exports of ours alone', () => {
    const mentioned = codeOf(page).flatMap((code) => code.match(/\b(?:liger|layers)(?:\.\w+)+/g) ?? []);
    expect(mentioned).to.have.length.above(200);
    expect([...new Set(mentioned)].filter((name) => !exported(name))).to.deep.equal([]);
  });
});
