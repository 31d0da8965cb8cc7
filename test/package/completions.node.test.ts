/** What an editor knows of the package: completions, documentation and errors, by TypeScript's language service. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import ts from 'typescript';
import { root } from '../../scripts/lib/process.mjs';
import { buildIfStale } from './consumer.js';

const PROBE = path.join(root, 'test/package/probe.ts');
const HEAD = `
import * as tf from '@tensorflow/tfjs-core';
import * as liger from '../../dist/index.js';
const [x, weight, labels] = [tf.ones([2, 4]), tf.ones([5, 4]), tf.zeros([2], 'int32')];
`;

let text = '';
let version = 0;
const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  strict: true,
  skipLibCheck: true,
  types: [],
};
const service = ts.createLanguageService({
  getScriptFileNames: () => [PROBE],
  getScriptVersion: (file) => (file === PROBE ? String(version) : '0'),
  getScriptSnapshot: (file) => {
    const content = file === PROBE ? text : ts.sys.readFile(file);
    return content === undefined ? undefined : ts.ScriptSnapshot.fromString(content);
  },
  getCurrentDirectory: () => root,
  getCompilationSettings: () => options,
  getDefaultLibFileName: ts.getDefaultLibFilePath,
  fileExists: (file) => file === PROBE || ts.sys.fileExists(file),
  readFile: ts.sys.readFile,
  directoryExists: ts.sys.directoryExists,
});

/** Takes `code`, with `|` where the cursor is. */
function open(code: string): number {
  text = HEAD + code.replace('|', '');
  version++;
  return HEAD.length + code.indexOf('|');
}

/** The names that an editor offers at `|`, each with its documentation. */
function completions(code: string): Record<string, string> {
  const at = open(code);
  const entries = service.getCompletionsAtPosition(PROBE, at, {})?.entries ?? [];
  return Object.fromEntries(
    entries.map(({ name }) => {
      const details = service.getCompletionEntryDetails(PROBE, at, name, {}, undefined, {}, undefined);
      return [name, ts.displayPartsToString(details?.documentation)];
    }),
  );
}

function errors(code: string): string[] {
  open(`${code}|`);
  return service
    .getSemanticDiagnostics(PROBE)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '));
}

/** The type that TypeScript shows for the constant `result`. */
function typeOf(expression: string): string {
  const at = open(`const |result = ${expression};`);
  return ts.displayPartsToString(service.getQuickInfoAtPosition(PROBE, at)?.displayParts);
}

const crossEntropyOptions = [
  'ignoreIndex',
  'labelSmoothing',
  'lseSquareScale',
  'numItemsInBatch',
  'reduction',
  'returnPredictedTokens',
  'returnTokenAccuracy',
  'returnZLoss',
  'softcap',
];
const calls: Record<string, { before: string; options: string[] }> = {
  crossEntropy: { before: 'x, labels', options: [...crossEntropyOptions, 'weight'] },
  fusedAddRmsNorm: { before: 'x, x, weight', options: ['epsilon', 'offset'] },
  fusedLinearCrossEntropy: {
    before: 'x, weight, labels',
    options: [...crossEntropyOptions, 'bias', 'chunkSize', 'classWeight', 'transposeWeight', 'useTokenScaling'],
  },
  layerNorm: { before: 'x, weight, weight', options: ['epsilon'] },
  linear: { before: 'x, weight', options: ['activation', 'bias', 'transposeWeight'] },
  registerWebGPUBackend: {
    before: '',
    options: [
      'adapter',
      'device',
      'fitDevice',
      'force',
      'gpu',
      'memoryLimit',
      'onDeviceLost',
      'powerPreference',
      'replaceStockKernels',
    ],
  },
  rmsNorm: { before: 'x, weight', options: ['epsilon', 'offset'] },
  softCrossEntropy: { before: 'x, x', options: ['labelSmoothing', 'reduction'] },
  swiglu: { before: 'x, x', options: ['downMultiplier', 'gateMultiplier'] },
  'train.adamW': {
    before: '',
    options: ['beta1', 'beta2', 'clipNorm', 'epsilon', 'excludeFromWeightDecay', 'learningRate', 'weightDecay'],
  },
};

describe('an editor', function () {
  this.timeout(120_000);
  before(() => buildIfStale());

  for (const [op, { before, options }] of Object.entries(calls)) {
    const config = (inside: string) => `liger.${op}(${before}${before && ', '}{ ${inside} });`;

    it(`offers the options of ${op}, each with its documentation`, () => {
      const offered = completions(config('|'));
      expect(Object.keys(offered).sort()).to.deep.equal([...options].sort());
      for (const option of options) expect(offered[option], option).to.have.length.above(10);
    });

    it(`marks a typo beside a valid option of ${op}`, () => {
      const value = { activation: "'relu'", powerPreference: "'low-power'" }[options[0]!] ?? 'undefined';
      expect(errors(config(`${options[0]}: ${value}`))).to.deep.equal([]);
      expect(errors(config(`${options[0]}: ${value}, ${options[0]}x: ${value}`)).join()).to.match(
        new RegExp(`'${options[0]}x' does not exist`),
      );
    });
  }

  for (const call of ['crossEntropy(x, labels', 'fusedLinearCrossEntropy(x, weight, labels']) {
    it(`knows what liger.${call}, …) gives`, () => {
      const given = (config: string) => typeOf(`liger.${call}${config})`).replace('const result: ', '');
      expect(given('')).to.equal('tf.Scalar');
      expect(given(', { labelSmoothing: 0.1 }')).to.equal('tf.Scalar');
      expect(given(", { reduction: 'sum', returnZLoss: false }")).to.equal('tf.Scalar');
      expect(given(", { reduction: 'none' }")).to.equal('tf.Tensor<tf.Rank>');
      expect(
        errors(`
        const { loss, zLoss } = liger.${call}, { returnZLoss: true });
        const scalars: tf.Scalar[] = [loss, zLoss];
        const each = liger.${call}, { reduction: 'none', returnTokenAccuracy: true, returnPredictedTokens: true });
        const tensors: tf.Tensor[] = [each.loss, each.tokenAccuracy, each.predictedTokens];`),
      ).to.deep.equal([]);
      expect(errors(`liger.${call}, { returnZLoss: true }).predictedTokens.shape;`)[0]).to.match(
        /possibly 'undefined'/,
      );
      expect(errors(`liger.${call}, { reduction: 'avg' });`)).to.have.length(1);
    });
  }

  it('asks for an option that has no default', () => {
    expect(errors('liger.groupNorm(x, weight, weight, { numGroups: 2 });')).to.deep.equal([]);
    expect(errors('liger.groupNorm(x, weight, weight, { epsilon: 1 });').join()).to.match(/'numGroups' is missing/);
    expect(errors('liger.groupNorm(x, weight, weight);')).to.have.length(1);
  });

  it('reads the declarations that package.json names', () => {
    const { types } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).exports['.'].import;
    expect(path.join(root, types)).to.equal(path.join(root, 'dist/index.d.ts'));
  });
});
