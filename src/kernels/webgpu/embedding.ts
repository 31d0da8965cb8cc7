import { util } from '@tensorflow/tfjs-core';
import { Embedding, EmbeddingGrad } from '../contracts/embedding.js';
import { defineProgram } from './runtime/program.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { defineElementwise, runElementwise } from './shared/elementwise.js';
import { elementsOf, times } from './wgsl/elements.js';
import { asRows, Row } from './wgsl/row.js';

interface EmbeddingSpec {
  vocabularySize: number;
  columns: number;
}

const embeddingProgram = defineProgram('embedding', ({ vocabularySize, columns }: EmbeddingSpec, gpu) => {
  const row = new Row(gpu, columns);
  return {
    workgroupSize: row.workgroupSize,
    rowsPerWorkgroup: row.rowsPerWorkgroup,
    reads: { table: row.type, indices: 'i32' },
    writes: { y: row.type },
    uniforms: { ...row.uniforms, nan: 'f32' },
    body: `
  ${row.begin()}
  let index = indices[row];
  if (index >= 0 && index < ${vocabularySize}) {
    let tableBase = u32(index) * ${row.stride}u;
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

const slicesOf = (columns: number) => Math.ceil(elementsOf(columns).count / WORKGROUP_SIZE);

/**
 * One workgroup for each token (and 256 elements of its row): if no earlier token has its index, it sums dy over all that
 * have it, in their order, so that neither atomics nor their changing order are needed. A row that no token uses is left
 * alone, and so is an index out of range.
 */
const embeddingGradProgram = defineProgram('embeddingGrad', ({ vocabularySize, columns }: EmbeddingSpec) => {
  const { type, count } = elementsOf(columns);
  const slices = slicesOf(columns);
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

export const embedding = webgpuKernel(Embedding, (gpu, { table, indices }) => {
  const [vocabularySize, columns] = asRows(table.shape);
  const y = gpu.output([...indices.shape, columns]);
  const rows = util.sizeFromShape(indices.shape);
  gpu.run(embeddingProgram, { vocabularySize, columns }, { table, indices, y }, { nan: Number.NaN }, { rows });
  return { y };
});

export const embeddingGrad = webgpuKernel(EmbeddingGrad, (gpu, { dy, indices }, { vocabularySize }) => {
  const [tokens, columns] = asRows(dy.shape);
  const dtable = gpu.output([vocabularySize, columns]);
  runElementwise(gpu, clearProgram, {}, { dtable });
  const workgroups = tokens * slicesOf(columns);
  gpu.run(embeddingGradProgram, { vocabularySize, columns }, { dy, indices, dtable }, { tokens }, workgroups);
  return { dtable };
});
