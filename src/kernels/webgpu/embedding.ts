import { util } from '@tensorflow/tfjs-core';
import { Embedding, EmbeddingGrad } from '../contracts/embedding.js';
import { defineProgram } from './runtime/program.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
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

const WORKGROUP_SIZE = 256;

/** No token, as a first use: more than there are. */
const NONE = 0x7fffffff;

/** Rows that no token uses: the first use of each is none, and the last one before all. */
const clearUsesProgram = defineProgram('embeddingUsesClear', (_: object) => ({
  workgroupSize: WORKGROUP_SIZE,
  reads: {},
  writes: { first: 'i32', last: 'i32' },
  uniforms: { vocabularySize: 'u32' },
  body: `
  let at = workgroup * ${WORKGROUP_SIZE}u + thread;
  if (at >= u.vocabularySize) { return; }
  first[at] = ${NONE};
  last[at] = -1;`,
}));

/** The first and the last token that uses each row: the same in whatever order the atomics come. */
const usesProgram = defineProgram('embeddingUses', ({ vocabularySize }: { vocabularySize: number }) => ({
  workgroupSize: WORKGROUP_SIZE,
  reads: { indices: 'i32' },
  writes: { first: 'atomic<i32>', last: 'atomic<i32>' },
  uniforms: { tokens: 'u32' },
  body: `
  let token = workgroup * ${WORKGROUP_SIZE}u + thread;
  if (token >= u.tokens) { return; }
  let index = indices[token];
  if (index < 0 || index >= ${vocabularySize}) { return; }
  atomicMin(&first[index], i32(token));
  atomicMax(&last[index], i32(token));`,
}));

/** Rows of the table that a workgroup writes: it reads where they are used together. */
const ROWS = 4;

/** Tokens that each thread looks at together, so that few barriers are needed. */
const TOKENS = 4;

/** Rows of dy that are under way together. */
const IN_FLIGHT = 8;

/** The threads that write a row, and how many workgroups share one of more elements than threads. */
function gradThreads(columns: number) {
  const { count } = elementsOf(columns);
  return { threads: Math.min(WORKGROUP_SIZE, 64 * Math.ceil(count / 64)), slices: Math.ceil(count / WORKGROUP_SIZE) };
}

/**
 * Writes each row of dtable once: zeros where no token uses it, and otherwise the sum of dy over those that do, in their order. Of
 * the tokens between the first and the last use, a workgroup looks at as many together as it has bits for: one for each in a
 * word for 32 of them, and one for each word in another. Neither the sum nor its order needs atomics of floats.
 */
const embeddingGradProgram = defineProgram('embeddingGrad', ({ vocabularySize, columns }: EmbeddingSpec) => {
  const { type, count } = elementsOf(columns);
  const { threads, slices } = gradThreads(columns);
  const block = TOKENS * threads;
  return {
    workgroupSize: threads,
    reads: { dy: type, indices: 'i32', first: 'i32', last: 'i32' },
    writes: { dtable: type },
    declarations: `
var<workgroup> uses: array<atomic<u32>, ${block / 32}>;
var<workgroup> usedWords: atomic<u32>;

fn sumOfUses(index: i32, firstUse: u32, end: u32, column: u32) -> ${type} {
  var sum = ${type}();
  for (var start = firstUse; start < end; start += ${block}u) {
    if (thread < ${block / 32}u) { atomicStore(&uses[thread], 0u); }
    if (thread == ${block / 32}u) { atomicStore(&usedWords, 0u); }
    workgroupBarrier();
    ${times(
      TOKENS,
      (j) => `let i${j} = start + ${j * threads}u + thread;
    if (i${j} < end && indices[i${j}] == index) {
      let word = ${(j * threads) / 32}u + thread / 32u;
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
  return sum;
}`,
    body: `
  let row0 = workgroup / ${slices}u * ${ROWS}u;
  let at = workgroup % ${slices}u * ${WORKGROUP_SIZE}u + thread;
  let column = min(at, ${count - 1}u);
  ${times(
    ROWS,
    (i) => `let row${i + 1} = min(row0 + ${i + 1}u, ${vocabularySize - 1}u);
  let first${i} = first[row${i}];
  let last${i} = last[row${i}];`,
  )}
  ${times(
    ROWS,
    (i) => `if (row0 + ${i}u < ${vocabularySize}u) {
    var sum = ${type}();
    if (first${i} == last${i}) { sum = dy[u32(first${i}) * ${count}u + column]; }
    else if (last${i} >= 0) { sum = sumOfUses(i32(row${i}), u32(first${i}), u32(last${i}) + 1u, column); }
    if (at < ${count}u) { dtable[row${i} * ${count}u + at] = sum; }
  }`,
  )}`,
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
  const [first, last] = [gpu.output([vocabularySize], 'int32'), gpu.output([vocabularySize], 'int32')];
  gpu.run(clearUsesProgram, {}, { first, last }, { vocabularySize }, Math.ceil(vocabularySize / WORKGROUP_SIZE));
  const uses = { indices, first, last };
  gpu.run(usesProgram, { vocabularySize }, uses, { tokens }, Math.ceil(tokens / WORKGROUP_SIZE));
  const workgroups = Math.ceil(vocabularySize / ROWS) * gradThreads(columns).slices;
  gpu.run(embeddingGradProgram, { vocabularySize, columns }, { dy, ...uses, dtable }, {}, workgroups);
  gpu.release(first, last);
  return { dtable };
});
