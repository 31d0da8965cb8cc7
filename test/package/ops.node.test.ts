/** What belongs to an op is found by its name, everywhere. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { root } from '../../scripts/lib/process.mjs';

const filesOf = (folder: string) => readdirSync(path.join(root, folder)).filter((file) => file.endsWith('.ts'));
const nameOf = (file: string) =>
  file.replace(/\.ts$/, '').replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

/** Ops without reference cases, and why. */
const WITHOUT_CASES: Record<string, string> = {
  linear: 'its spec computes them in float64',
  mhcForward: 'its spec compares it with the ops that it is made of',
  packedSwiglu: 'its spec compares it with swiglu',
};

/** Ops that run others' kernels. */
const BY_KERNELS_OF: Record<string, string> = {
  fusedNeighborhoodAttention: 'flashAttention',
  mhcForward: 'mhcCoeffs, mhcPre and mhcPostRes',
};

const KERNEL_FOLDERS = ['src/gradients', 'src/kernels/composed', 'src/kernels/contracts', 'src/kernels/webgpu'];

describe('every op', () => {
  for (const file of filesOf('src/ops')) {
    const name = nameOf(file);
    const stem = file.replace(/\.ts$/, '');

    it(`${name} has its files, and is exported`, () => {
      const folders = [...(name in BY_KERNELS_OF ? [] : KERNEL_FOLDERS), 'bench/cases'];
      const missing = [...folders.map((folder) => `${folder}/${file}`), `test/ops/${stem}.test.ts`].filter(
        (wanted) => !existsSync(path.join(root, wanted)),
      );
      if (!(name in WITHOUT_CASES)) {
        const cases = `test/golden/${name}.safetensors`;
        if (!existsSync(path.join(root, cases))) missing.push(cases);
      }
      expect(missing).to.deep.equal([]);
      const index = readFileSync(path.join(root, 'src/index.ts'), 'utf8');
      expect(index).to.match(new RegExp(`\\b${name},?\\s*\\} from './ops/${stem}\\.js'`));
    });
  }

  it('is named by all of its files: kernels, gradients, specs and cases of others there are none', () => {
    const ops = filesOf('src/ops');
    // What an optimizer runs is a kernel, too; whole models and the check of a config are measured, too.
    const others = { 'src/gradients': [], 'src/kernels/composed': ['adam_w.ts'], 'src/kernels/webgpu': ['adam_w.ts'] };
    const withKernels = ops.filter((file) => !(nameOf(file) in BY_KERNELS_OF));
    for (const [folder, more] of Object.entries(others)) {
      expect(filesOf(folder), folder).to.have.members([...withKernels, ...more, 'all.ts']);
    }
    expect(filesOf('bench/cases')).to.have.members([
      ...ops,
      'adam_w.ts',
      'config_check.ts',
      'gpt2.ts',
      'packing.ts',
      'all.ts',
    ]);
  });
});
