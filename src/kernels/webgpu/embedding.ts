import { type KernelConfig, util } from '@tensorflow/tfjs-core';
import {
  Embedding,
  EmbeddingGrad,
  type EmbeddingGradAttrs,
  type EmbeddingGradInputs,
  type EmbeddingInputs,
} from '../kernel_names.js';
import { elementsOf, times } from './runtime/elements.js';
import { defineElementwise, runElementwise } from './runtime/elementwise.js';
import { Gpu } from './runtime/gpu.js';
import { defineProgram } from './runtime/program.js';
import { asRows, Row } from './runtime/row.js';

interface EmbeddingSpec {
  vocabularySize: number;
  hidden: number;
}

const embeddingProgram = defineProgram('embedding', ({ vocabularySize, hidden }: EmbeddingSpec, gpu) => {
  const row = new Row(gpu, hidden);
  return {
    workgroupSize: row.workgroupSize,
    reads: { table: row.type, indices: 'i32' },
    writes: { y: row.type },
    uniforms: { nan: 'f32' },
    body: `
  let index = indices[workgroup];
  let base = workgroup * ${row.count}u;
  if (index >= 0 && index < ${vocabularySize}) {
    let tableBase = u32(index) * ${row.count}u;
    ${row.pass({ value: 'table[tableBase + @]' }, ({ value }, at) => `y[base + ${at}] = ${value};`)}
  } else {
    ${row.pass({}, (_, at) => `y[base + ${at}] = ${row.type}(u.nan);`)}
  }`,
  };
});

const clearProgram = defineElementwise('embeddingGradClear', (_: object, type) => ({
  reads: [],
  writes: { dtable: `${type}()` },
}));

const WORKGROUP_SIZE = 256;

/** Tokens that each thread looks at together, so that few barriers are needed. */
const TOKENS = 4;

/** Tokens that a workgroup looks at together: a bit for each in 32 words, and a bit for each word in another. */
const BLOCK = TOKENS * WORKGROUP_SIZE;

/** Rows of dy that are under way together. */
const IN_FLIGHT = 4;

const slicesOf = (hidden: number) => Math.ceil(elementsOf(hidden).count / WORKGROUP_SIZE);

/**
 * One workgroup for each token (and 256 elements of its row): if no earlier token has its index, it sums dy over all that
 * have it, in their order, so that neither atomics nor their changing order are needed. A row that no token uses is left
 * alone, and so is an index out of range.
 */
const embeddingGradProgram = defineProgram('embeddingGrad', ({ vocabularySize, hidden }: EmbeddingSpec) => {
  const { type, count } = elementsOf(hidden);
  const slices = slicesOf(hidden);
  return {
    workgroupSize: WORKGROUP_SIZE,
    reads: { dy: type, indices: 'i32' },
    writes: { dtable: type },
    uniforms: { tokens: 'u32' },
    declarations: `
var<workgroup> hasEarlier: atomic<u32>;
var<workgroup> isFirst: bool;
var<workgroup> uses: array<atomic<u32>, 32>;
var<workgroup> usedWords: atomic<u32>;`,
    body: `
  let token = workgroup / ${slices}u;
  let at = workgroup % ${slices}u * ${WORKGROUP_SIZE}u + thread;
  let index = indices[token];
  if (index < 0 || index >= ${vocabularySize}) { return; }

  var found = false;
  for (var i = thread; i < token; i += ${BLOCK}u) {
    ${times(TOKENS, (j) => `found = found | (indices[min(i + ${j * WORKGROUP_SIZE}u, token - 1u)] == index);`)}
  }
  if (found) { atomicStore(&hasEarlier, 1u); }
  workgroupBarrier();
  if (thread == 0u) { isFirst = atomicLoad(&hasEarlier) == 0u; }
  if (!workgroupUniformLoad(&isFirst)) { return; }

  let column = min(at, ${count - 1}u);
  var sum = ${type}();
  for (var start = token; start < u.tokens; start += ${BLOCK}u) {
    if (thread < 32u) { atomicStore(&uses[thread], 0u); }
    if (thread == 32u) { atomicStore(&usedWords, 0u); }
    workgroupBarrier();
    ${times(
      TOKENS,
      (j) => `let i${j} = start + ${j * WORKGROUP_SIZE}u + thread;
    if (i${j} < u.tokens && indices[i${j}] == index) {
      let word = ${(j * WORKGROUP_SIZE) / 32}u + thread / 32u;
      atomicOr(&uses[word], 1u << (thread % 32u));
      atomicOr(&usedWords, 1u << word);
    }`,
    )}
    workgroupBarrier();
    for (var words = atomicLoad(&usedWords); words != 0u; words &= words - 1u) {
      let word = countTrailingZeros(words);
      let base = start + word * 32u;
      var bits = atomicLoad(&uses[word]);
      while (bits != 0u) {
        ${times(
          IN_FLIGHT,
          (i) => `let isUse${i} = bits != 0u;
        let dy${i} = dy[(base + min(countTrailingZeros(bits), 31u)) * ${count}u + column];
        bits &= bits - 1u;`,
        )}
        ${times(IN_FLIGHT, (i) => `sum += select(${type}(), dy${i}, isUse${i});`)}
      }
    }
    workgroupBarrier();
  }
  if (at < ${count}u) { dtable[u32(index) * ${count}u + at] = sum; }`,
  };
});

export const embeddingConfig: KernelConfig = {
  kernelName: Embedding,
  backendName: 'webgpu',
  kernelFunc: ({ inputs, backend }) => {
    const { table, indices } = inputs as unknown as EmbeddingInputs;
    const gpu = Gpu.of(backend);
    const [vocabularySize, hidden] = table.shape as [number, number];
    const y = gpu.output([...indices.shape, hidden]);
    const tokens = util.sizeFromShape(indices.shape);
    gpu.run(embeddingProgram, { vocabularySize, hidden }, { table, indices, y }, { nan: Number.NaN }, tokens);
    return y;
  },
};

export const embeddingGradConfig: KernelConfig = {
  kernelName: EmbeddingGrad,
  backendName: 'webgpu',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { dy, indices } = inputs as unknown as EmbeddingGradInputs;
    const { vocabularySize } = attrs as unknown as EmbeddingGradAttrs;
    const gpu = Gpu.of(backend);
    const [tokens, hidden] = asRows(dy.shape);
    const dtable = gpu.output([vocabularySize, hidden]);
    runElementwise(gpu, clearProgram, {}, { dtable });
    gpu.run(
      embeddingGradProgram,
      { vocabularySize, hidden },
      { dy, indices, dtable },
      { tokens },
      tokens * slicesOf(hidden),
    );
    return dtable;
  },
};
