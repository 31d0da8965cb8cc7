/** What belongs to an op, to a loss or to a layer is found by its name, everywhere. */
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
  scaledCrossEntropy: 'its spec compares it with fusedLinearScaledCrossEntropy',
};

/** Losses of the caller's own, whose specs write losses that have reference cases. */
const BASES = [
  'fusedLinearDistillation',
  'fusedLinearPolicy',
  'fusedLinearPreference',
  'fusedLinearUnpairedPreference',
];

/** Ops that run others' kernels, or one that serves several. */
const BY_KERNELS_OF: Record<string, string> = {
  fusedNeighborhoodAttention: 'flashAttention',
  gelu: 'activate',
  mhcForward: 'mhcCoeffs, mhcPre and mhcPostRes',
  silu: 'activate',
};

/** Whether src/index.ts exports a name, which may have types before it. */
const isExported = (name: string, file: string) =>
  new RegExp(`\\b${name},?\\s*\\} from './${file}\\.js'`).test(readFileSync(path.join(root, 'src/index.ts'), 'utf8'));

const missingOf = (files: string[]) => files.filter((file) => !existsSync(path.join(root, file)));

const KERNEL_FOLDERS = ['src/gradients', 'src/kernels/composed', 'src/kernels/contracts', 'src/kernels/webgpu'];

describe('every op', () => {
  for (const file of filesOf('src/ops')) {
    const name = nameOf(file);
    const stem = file.replace(/\.ts$/, '');

    it(`${name} has its files, and is exported`, () => {
      const folders = [...(name in BY_KERNELS_OF ? [] : KERNEL_FOLDERS), 'bench/cases'];
      const files = [...folders.map((folder) => `${folder}/${file}`), `test/ops/${stem}.test.ts`];
      if (!(name in WITHOUT_CASES)) files.push(`test/golden/${name}.safetensors`);
      expect(missingOf(files)).to.deep.equal([]);
      expect(isExported(name, `ops/${stem}`), 'exported').to.equal(true);
    });
  }

  it('is named by all of its files: kernels, gradients, specs and cases of others there are none', () => {
    const ops = filesOf('src/ops');
    // What an optimizer, a loss or several ops run is a kernel, too; whole models, tfjs's own kernels and JavaScript's time are measured, too.
    const ofSeveral = ['activate.ts', 'logits_divergence.ts'];
    const others = {
      'src/gradients': ofSeveral,
      'src/kernels/composed': ['adam_w.ts', ...ofSeveral],
      'src/kernels/webgpu': ['adam_w.ts', ...ofSeveral],
    };
    const withKernels = ops.filter((file) => !(nameOf(file) in BY_KERNELS_OF));
    for (const [folder, more] of Object.entries(others)) {
      expect(filesOf(folder), folder).to.have.members([...withKernels, ...more, 'all.ts']);
    }
    expect(filesOf('bench/cases')).to.have.members([
      ...ops,
      'adam_w.ts',
      'config_check.ts',
      'dispatches.ts',
      'losses.ts',
      'gpt2.ts',
      'packing.ts',
      'stock_kernels.ts',
      'stock_ops.ts',
      'stages.ts',
      'unmodified.ts',
      'all.ts',
    ]);
  });
});

describe('every loss', () => {
  for (const file of filesOf('src/losses')) {
    const name = nameOf(file);
    const stem = file.replace(/\.ts$/, '');

    it(`${name} has its files, and is exported`, () => {
      const files = [`test/losses/${stem}.test.ts`];
      if (!BASES.includes(name)) files.push(`test/golden/${name}.safetensors`);
      expect(missingOf(files)).to.deep.equal([]);
      expect(isExported(name, `losses/${stem}`), 'exported').to.equal(true);
    });
  }

  it('has its spec: specs of others there are none', () => {
    const specs = filesOf('test/losses').map((file) => file.replace(/\.test\.ts$/, '.ts'));
    expect(specs).to.have.members(filesOf('src/losses'));
  });
});

describe('every layer', () => {
  const specs = readdirSync(path.join(root, 'test/layers')).filter((file) => file.endsWith('.test.ts'));
  const layersIndex = readFileSync(path.join(root, 'src/layers/index.ts'), 'utf8');

  for (const file of filesOf('src/layers').filter((file) => file !== 'index.ts')) {
    const stem = file.replace(/\.ts$/, '');

    it(`${nameOf(file)} has its spec, and is exported`, () => {
      expect(specs).to.include(`${stem}.test.ts`);
      const exported = new RegExp(`\\{([^}]*)\\} from './${stem}\\.js'`).exec(layersIndex)?.[1] ?? '';
      expect(exported.split(',').map((name) => name.trim())).to.include(nameOf(file));
    });
  }
});
