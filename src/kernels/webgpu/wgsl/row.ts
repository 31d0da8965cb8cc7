import type { DeviceTraits, UniformType } from '../runtime/program.js';
import { type ElementType, elementsOf, maxOf, powerOfTwo, sumOf, times } from './elements.js';
import { type ReductionOptions, rowReduction } from './reduction.js';

/** Up to this many elements a thread, a row is held in registers: it is read once however often a kernel passes over it. */
const MOST_REGISTERS = 8;

/** Elements that a thread gets before a row gets more threads: few threads with several hide latency better than many with one. */
const USUAL_ELEMENTS = { vec4f: 4, f32: 8 };

/** The threads that a row gets at most, unless only more of them have registers for it. */
const USUAL_WORKGROUP = 256;

/** The threads that a row gets at most which is read once. */
const STREAMING_WORKGROUP = 512;

/** Rows that need fewer threads share a workgroup of this many, and of fewer where they are reduced again and again. */
const PACKED_WORKGROUP = 256;
const ITERATED_WORKGROUP = 64;

/**
 * A row that a pass reads: WGSL in which `@` stands for the element's index within the row. With `again`, it is made from
 * `first` once, and read as `again` by later passes that do not find it in registers.
 */
export type Source = string | { readonly first: string; readonly again: string };

/** Rows that a pass reads, by the names of the values. Undefined ones are left out. */
export type Sources = Readonly<Record<string, Source | undefined>>;

/** The names of the values of an element in WGSL. */
type Values<S extends Sources> = { readonly [K in keyof S]: S[K] extends undefined ? undefined : string };

export interface RowOptions {
  /** How many rows a kernel reads together; they share the registers. Default 1. */
  readonly inputs?: number;
  /** Floats from one row to the next: `columns` unless rows are padded. */
  readonly stride?: number;
  /** Whether the row is read in a single pass, so that a longer one may have fewer threads. Default false. */
  readonly streamed?: boolean;
  /** Whether the row is reduced again and again, so that as few threads as can hold it should wait for one another. Default false. */
  readonly iterated?: boolean;
  /**
   * Whether `columns` is only the most that a row has, by `boundOf`, and its elements are the uniform `count`: one program then serves
   * rows of many lengths. Default false.
   */
  readonly bounded?: boolean;
}

/** The least bound of rows of `columns` floats: a multiple of 4 where that is one. */
export const boundOf = (columns: number) => (columns % 4 === 0 ? powerOfTwo(columns) : powerOfTwo(columns + 1) - 1);

/**
 * How threads walk rows of `columns` floats: in vec4s where every row begins at a multiple of four and in scalars otherwise.
 * A long row has a workgroup to itself; short ones share one, `lanes` threads each. Element `place + i · lanes` of a row is the
 * i-th of the thread at `place`.
 *
 * A row that fits the registers is read by the first pass and kept; a longer one is read again by each pass. Kernels are
 * written once for all of them: they `begin` with a group of rows, `pass` over its elements, reduce by `reduction` and store
 * what is one number a row where `isFirst`.
 */
export class Row {
  /** The WGSL type of an element. */
  readonly type: ElementType;
  /** Elements in a row. */
  readonly count: number;
  /** Elements from one row to the next. */
  readonly stride: number;
  /** Whether the last element holds floats that are not the row's, which `inside` tells from those that are. */
  readonly padded: boolean;
  readonly workgroupSize: number;
  /** Rows that a workgroup handles together. */
  readonly rowsPerWorkgroup: number;
  /** `rows`, where rows share a workgroup whose last ones may not be there. */
  readonly uniforms: Readonly<Record<string, UniformType>>;
  private readonly lanes: number;
  private readonly perThread: number;
  private readonly inRegisters: boolean;
  private readonly streamed: boolean;
  /** WGSL of the elements in a row, and from one to the next. */
  private readonly size: string;
  private readonly step: string;
  /** Where each value that was passed over comes from. */
  private readonly passed = new Map<string, Source>();

  /** @param columns Floats in a row. */
  constructor(
    private readonly gpu: DeviceTraits,
    readonly columns: number,
    { inputs = 1, stride = columns, streamed = false, iterated = false, bounded = false }: RowOptions = {},
  ) {
    const { type, count } = elementsOf(stride);
    this.type = type;
    this.stride = count;
    this.padded = type === 'vec4f' && columns % 4 !== 0;
    this.count = type === 'vec4f' ? Math.ceil(columns / 4) : columns;
    this.streamed = streamed;
    const largest = gpu.limits.maxComputeInvocationsPerWorkgroup;
    const usual = Math.min(streamed ? STREAMING_WORKGROUP : USUAL_WORKGROUP, largest);
    const registers = Math.max(1, (type === 'vec4f' ? MOST_REGISTERS : 4 * MOST_REGISTERS) / inputs);
    const elements = iterated ? registers : Math.min(USUAL_ELEMENTS[type], registers);
    let lanes = 1;
    // Of many rows that are read together not even one element fits: more threads than elements would idle all the same.
    const most = (threads: number) => Math.min(threads, this.count);
    while (lanes < most(usual) && lanes * elements < this.count) lanes *= 2;
    while (lanes < most(largest) && !streamed && lanes * registers < this.count) lanes *= 2;
    this.lanes = lanes;
    this.workgroupSize = Math.max(lanes, iterated ? ITERATED_WORKGROUP : PACKED_WORKGROUP);
    this.rowsPerWorkgroup = this.workgroupSize / lanes;
    this.uniforms = { ...(this.isShared && { rows: 'u32' }), ...(bounded && { count: 'u32' }) };
    this.size = bounded ? 'u.count' : `${this.count}u`;
    this.step = bounded ? 'u.count' : `${this.stride}u`;
    this.perThread = Math.ceil(this.count / lanes);
    // Loads that are written out are under way together, which a loop's are not.
    this.inRegisters = this.perThread <= (streamed ? elements : registers);
  }

  /** Whether rows share a workgroup. */
  get isShared(): boolean {
    return this.rowsPerWorkgroup > 1;
  }

  /**
   * WGSL that finds the thread's row in the `group`-th group of `rowsPerWorkgroup` rows, from row `first` on: `row`, its number,
   * and `base`, its first element. Threads beyond the last row read that row, and visit no element.
   */
  begin(group = 'workgroup', first = '0u'): string {
    if (!this.isShared) return `let row = ${first} + ${group}; let base = row * ${this.step};`;
    return `
  let place = thread % ${this.lanes}u;
  let isRow = ${group} * ${this.rowsPerWorkgroup}u + thread / ${this.lanes}u < u.rows;
  let row = ${first} + min(${group} * ${this.rowsPerWorkgroup}u + thread / ${this.lanes}u, u.rows - 1u);
  let base = row * ${this.step};
  let end = select(0u, ${this.size}, isRow);`;
  }

  /** WGSL of a loop in which a workgroup walks every `u.workgroups`-th group of `u.rows` rows. */
  forEachGroup(body: string): string {
    return this.loop(body, 'workgroup', 'u.workgroups');
  }

  /** The same where each `u.rows` rows are a segment of their own, which `u.parts` workgroups, one after another, share. */
  forEachGroupOfSegment(body: string): string {
    return this.loop(body, 'workgroup % u.parts', 'u.parts', 'workgroup / u.parts * u.rows');
  }

  private loop(body: string, start: string, step: string, first?: string): string {
    return `for (var group = ${start}; group * ${this.rowsPerWorkgroup}u < u.rows; group += ${step}) {
    ${this.begin('group', first)}
    ${body}
  }`;
  }

  /** WGSL of whether the thread is the one that stores what is one number for its row. */
  get isFirst(): string {
    return this.isShared ? '(place == 0u && isRow)' : '(thread == 0u)';
  }

  /**
   * WGSL for rows that are none of the kernel's work: `otherwise` is done for one where `condition` holds, and nothing else.
   * It stands after `begin`; what is stored where `isFirst` must then be stored where `isWorked`, too.
   */
  skip(condition: string, otherwise: string): string {
    if (!this.isShared) return `let isWorked = true; if (${condition}) { ${otherwise} return; }`;
    return `let isWorked = !(${condition}); if (!isWorked) { ${otherwise} }`;
  }

  /** WGSL of `fn <name>(value: <type>) -> <type>`: every thread gets the sum, or maximum, over the threads of its row. */
  reduction(name: string, options?: ReductionOptions): string {
    return rowReduction(this.gpu, this.workgroupSize, this.lanes, name, options);
  }

  /** The numbers of an element's floats within the row, as WGSL. */
  columnsAt(at: string): string {
    return this.type === 'f32' ? at : `vec4u(${at} * 4u) + vec4u(0u, 1u, 2u, 3u)`;
  }

  /** `value`, which stands at `at`, but `otherwise` in what pads the row, as WGSL. */
  inside(value: string, otherwise: string, at: string): string {
    if (!this.padded) return value;
    return `select(vec4f(${otherwise}), ${value}, ${this.columnsAt(at)} < vec4u(${this.columns}u))`;
  }

  /** The sum of an element's components, as WGSL. */
  sum(value: string): string {
    return sumOf(this.type, value);
  }

  /** The largest of an element's components, as WGSL. */
  max(value: string): string {
    return maxOf(this.type, value);
  }

  /** The sum of the products of two elements' components, as WGSL. */
  dot(a: string, b: string): string {
    return this.type === 'f32' ? `(${a}) * (${b})` : `dot(${a}, ${b})`;
  }

  /**
   * Sums over rows, one for each column: in registers, or in the workgroup's row of the buffer `name` where a row does not fit.
   *
   * @throws If the row is streamed: it has no registers for sums.
   */
  columnSums(name: string): ColumnSums {
    if (this.streamed) throw new Error(`Row: '${name}' can't be summed over rows that are streamed`);
    const at = (element: string) => `${name}[workgroup * ${this.count}u + ${element}]`;
    if (!this.inRegisters) {
      return {
        declarations: '',
        start: this.pass({}, (_, element) => `${at(element)} = ${this.type}();`),
        add: (value, element) => `${at(element)} += ${value};`,
        store: '',
      };
    }
    const start = this.times((i) => `var ${name}Sum${i} = ${this.type}();`);
    const add: ColumnSums['add'] = (value, _, i) => `${name}Sum${i} += ${value};`;
    if (!this.isShared) {
      const store = this.times((i) => this.guarded(i, (element) => `${at(element)} = ${name}Sum${i};`));
      return { declarations: '', start, add, store };
    }
    // The rows of the workgroup are added up in shared memory, in their order by halves.
    const store = this.times(
      (i) => `
  workgroupBarrier();
  ${name}Parts[thread] = ${name}Sum${i};
  for (var stride = ${this.workgroupSize / 2}u; stride >= ${this.lanes}u; stride /= 2u) {
    workgroupBarrier();
    if (thread < stride) { ${name}Parts[thread] += ${name}Parts[thread + stride]; }
  }
  if (thread < ${this.lanes}u && ${this.element(i, 'thread')} < ${this.count}u) {
    ${at(this.element(i, 'thread'))} = ${name}Parts[thread];
  }`,
    );
    return {
      declarations: `var<workgroup> ${name}Parts: array<${this.type}, ${this.workgroupSize}>;`,
      start,
      add,
      store,
    };
  }

  /**
   * WGSL that reads rows into registers ahead of a loop over rows, which then does not read them again. They must be the same
   * for every row.
   */
  hold(sources: Sources): string {
    if (!this.inRegisters) return '';
    const place = this.isShared ? `let heldPlace = thread % ${this.lanes}u;` : '';
    return `${place}\n${this.loads(sources, this.isShared ? 'heldPlace' : 'thread')}`;
  }

  /**
   * WGSL that visits each element of a row.
   *
   * @param sources The rows that are read; undefined ones are left out.
   * @param visit WGSL for one element, given the names of the values, `at`, the element's index within the row, and `i`, its
   *     number within the thread.
   * @throws If a value was passed over before, and came from elsewhere.
   */
  pass<const S extends Sources>(sources: S, visit: (values: Values<S>, at: string, i: number) => string): string {
    const names = Object.keys(sources).filter((name) => sources[name] !== undefined);
    const values = (suffix: number | '') => Object.fromEntries(names.map((name) => [name, name + suffix])) as Values<S>;
    if (this.inRegisters) {
      const loads = this.loads(sources, this.place);
      return `${loads}\n${this.times((i) => this.guarded(i, (at) => visit(values(i), at, i)))}`;
    }
    const loads = names.map((name) => {
      const source = sources[name]!;
      const isFirst = this.note(name, source);
      const text = typeof source === 'string' ? source : isFirst ? source.first : source.again;
      return `let ${name} = ${text.replaceAll('@', 'at')};`;
    });
    const end = this.isShared ? 'end' : this.size;
    return `for (var at = ${this.place}; at < ${end}; at += ${this.lanes}u) {\n${loads.join('\n')}\n${visit(values(''), 'at', 0)}\n}`;
  }

  /** Notes what a value comes from, and says whether this is the first time. */
  private note(name: string, source: Source): boolean {
    const before = this.passed.get(name);
    if (before === undefined) {
      this.passed.set(name, source);
      return true;
    }
    if (JSON.stringify(before) !== JSON.stringify(source)) {
      throw new Error(
        `Row: '${name}' was ${JSON.stringify(before)} in an earlier pass, and is ${JSON.stringify(source)} now`,
      );
    }
    return false;
  }

  private loads(sources: Sources, place: string): string {
    return Object.entries(sources)
      .map(([name, source]) => {
        if (source === undefined || !this.note(name, source)) return '';
        const text = typeof source === 'string' ? source : source.first;
        return this.times((i) => {
          const at = this.element(i, place);
          const load = `${name}${i} = ${text.replaceAll('@', at)};`;
          return `var ${name}${i} = ${this.type}(); ${this.isWhole(i) ? load : `if (${at} < ${this.size}) { ${load} }`}`;
        });
      })
      .join('\n');
  }

  /** WGSL of a thread's place in its row. */
  private get place(): string {
    return this.isShared ? 'place' : 'thread';
  }

  private element(i: number, place: string): string {
    return `(${place} + ${i * this.lanes}u)`;
  }

  private guarded(i: number, inside: (at: string) => string): string {
    const at = this.element(i, this.place);
    if (this.isShared) return `if (${at} < end) { ${inside(at)} }`;
    return this.isWhole(i) ? `{ ${inside(at)} }` : `if (${at} < ${this.size}) { ${inside(at)} }`;
  }

  /** Whether every thread has an `i`-th element. */
  private isWhole(i: number): boolean {
    return this.size === `${this.count}u` && (i + 1) * this.lanes <= this.count;
  }

  private times(text: (i: number) => string): string {
    return times(this.perThread, text);
  }
}

/** WGSL of a sum over rows for each column. */
export interface ColumnSums {
  readonly declarations: string;
  /** Stands ahead of the loop over rows. */
  readonly start: string;
  /** Adds an element's value, where `at` and `i` are those of the pass. */
  add(value: string, at: string, i: number): string;
  /** Stands after the loop, and leaves the sums in the workgroup's row of the buffer. */
  readonly store: string;
}

/** A tensor's shape as rows: all its leading dimensions in one, and the last. */
export function asRows(shape: readonly number[]): [rows: number, columns: number] {
  const columns = shape[shape.length - 1] ?? 1;
  let rows = 1;
  for (let i = 0; i < shape.length - 1; i++) rows *= shape[i]!;
  return [rows, columns];
}

/**
 * How many workgroups walk the rows of a backward pass that also sums over them: enough to fill a large GPU, and no more, since
 * each leaves a row of sums.
 */
export function backwardWorkgroups(rows: number): number {
  return Math.max(1, Math.min(rows, 256));
}
