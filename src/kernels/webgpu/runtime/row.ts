import { type ElementType, elementsOf, maxOf, sumOf, times } from './elements.js';
import type { DeviceTraits } from './program.js';

/** Below this many elements a thread, a row is held in registers: it is read once however often a kernel passes over it. */
const MOST_REGISTERS = 8;

/** The threads that a row gets, unless only more of them have registers for it. */
const USUAL_WORKGROUP = 256;

/** The threads that a row gets which is read once. */
const STREAMING_WORKGROUP = 512;

/** Rows that a pass reads: by the name of the value, WGSL in which `@` stands for the element's index within the row. */
export type Sources = Readonly<Record<string, string | undefined>>;

export interface RowOptions {
  /** How many rows a kernel reads together; they share the registers. Default 1. */
  readonly inputs?: number;
  /** Floats from one row to the next: `length` unless rows are padded. */
  readonly stride?: number;
  /** Whether the row is read in a single pass, so that it need not be kept however short it is. Default false. */
  readonly streamed?: boolean;
}

/**
 * How one workgroup walks a row of `length` floats: in vec4s where every row begins at a multiple of four and in scalars
 * otherwise, `perThread` elements for each thread, element `thread + i · workgroupSize` being its i-th.
 *
 * A row that fits the registers is read by the first pass and kept; a longer one is read again by each pass. Kernels are
 * written once for both.
 */
export class Row {
  /** The WGSL type of an element. */
  readonly type: ElementType;
  /** Elements in a row. */
  readonly count: number;
  readonly workgroupSize: number;
  readonly perThread: number;
  readonly inRegisters: boolean;
  private readonly held = new Set<string>();

  /** Elements from one row to the next. */
  readonly stride: number;
  /** Whether the last element holds floats that are not the row's, which `inside` tells from those that are. */
  readonly padded: boolean;

  /** @param length Floats in a row. */
  constructor(
    gpu: DeviceTraits,
    readonly length: number,
    { inputs = 1, stride = length, streamed = false }: RowOptions = {},
  ) {
    const { type, count } = elementsOf(stride);
    this.type = type;
    this.stride = count;
    this.padded = type === 'vec4f' && length % 4 !== 0;
    this.count = type === 'vec4f' ? Math.ceil(length / 4) : length;
    const largest = gpu.limits.maxComputeInvocationsPerWorkgroup;
    const most = Math.min(USUAL_WORKGROUP, largest);
    const registers = (type === 'vec4f' ? MOST_REGISTERS : 4 * MOST_REGISTERS) / inputs;
    // Few threads with several elements each hide latency better than many with one.
    let size = 32;
    while (size < most && size * Math.min(4, registers) < this.count) size *= 2;
    while (size < largest && size * registers < this.count) size *= 2;
    this.workgroupSize = streamed ? Math.min(STREAMING_WORKGROUP, largest) : size;
    this.perThread = Math.ceil(this.count / this.workgroupSize);
    this.inRegisters = !streamed && this.perThread <= registers;
  }

  /** The numbers of an element's floats within the row, as WGSL. */
  columns(at: string): string {
    return this.type === 'f32' ? at : `vec4u(${at} * 4u) + vec4u(0u, 1u, 2u, 3u)`;
  }

  /** `value`, which stands at `at`, but `otherwise` in what pads the row, as WGSL. */
  inside(value: string, otherwise: string, at: string): string {
    return this.padded ? `select(vec4f(${otherwise}), ${value}, ${this.columns(at)} < vec4u(${this.length}u))` : value;
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
   * WGSL that starts a sum over rows, one for each element: in registers, or in the workgroup's row of the buffer `name`
   * where a row does not fit. `accumulate` adds to it and `storeAccumulators` leaves it in that row of the buffer.
   */
  accumulators(name: string): string {
    if (this.inRegisters) return this.times((i) => `var ${name}Sum${i} = ${this.type}();`);
    return this.pass({}, (_, at) => `${name}[workgroup * ${this.count}u + ${at}] = ${this.type}();`);
  }

  accumulate(name: string, value: string, at: string, i: number): string {
    if (this.inRegisters) return `${name}Sum${i} += ${value};`;
    return `${name}[workgroup * ${this.count}u + ${at}] += ${value};`;
  }

  storeAccumulators(name: string): string {
    if (!this.inRegisters) return '';
    return this.pass({}, (_, at, i) => `${name}[workgroup * ${this.count}u + ${at}] = ${name}Sum${i};`);
  }

  /** WGSL that reads rows into registers ahead of the passes that use them, so that a loop does not read them again. */
  hold(sources: Sources): string {
    return this.inRegisters ? this.loads(sources) : '';
  }

  /**
   * WGSL that visits each element of a row.
   *
   * @param sources The rows that are read; undefined ones are left out.
   * @param visit WGSL for one element, given the names of the values, `at`, the element's index within the row, and `i`, its
   *     number within the thread (registers only).
   */
  pass<S extends Sources>(sources: S, visit: (values: S, at: string, i: number) => string): string {
    const names = Object.keys(sources).filter((name) => sources[name] !== undefined);
    const values = (suffix: number | '') => Object.fromEntries(names.map((name) => [name, name + suffix])) as S;
    if (!this.inRegisters) {
      const loads = names.map((name) => `let ${name} = ${sources[name]!.replaceAll('@', 'at')};`);
      const loop = `for (var at = thread; at < ${this.count}u; at += ${this.workgroupSize}u)`;
      return `${loop} {\n${loads.join('\n')}\n${visit(values(''), 'at', 0)}\n}`;
    }
    const visits = this.times((i) => this.guarded(i, '', (at) => visit(values(i), at, i)));
    return `${this.loads(sources)}\n${visits}`;
  }

  private loads(sources: Sources): string {
    const fresh = Object.keys(sources).filter((name) => sources[name] !== undefined && !this.held.has(name));
    for (const name of fresh) this.held.add(name);
    const load = (name: string, i: number) =>
      this.guarded(
        i,
        `var ${name}${i} = ${this.type}();`,
        (at) => `${name}${i} = ${sources[name]!.replaceAll('@', at)};`,
      );
    return fresh.map((name) => this.times((i) => load(name, i))).join('\n');
  }

  private guarded(i: number, before: string, inside: (at: string) => string): string {
    const at = `(thread + ${i * this.workgroupSize}u)`;
    const whole = (i + 1) * this.workgroupSize <= this.count;
    return whole ? `${before} { ${inside(at)} }` : `${before} if (${at} < ${this.count}u) { ${inside(at)} }`;
  }

  private times(text: (i: number) => string): string {
    return times(this.perThread, text);
  }
}

/** A tensor's shape as rows: all its leading dimensions in one, and the last. */
export function asRows(shape: readonly number[]): [rows: number, length: number] {
  const length = shape[shape.length - 1] ?? 1;
  let rows = 1;
  for (let i = 0; i < shape.length - 1; i++) rows *= shape[i]!;
  return [rows, length];
}

/** How many workgroups walk the rows of a backward pass that also sums over them: enough to fill a large GPU. */
export function backwardWorkgroups(rows: number): number {
  return Math.max(1, Math.min(rows, 512));
}
