import type { DeviceTraits } from '../runtime/program.js';
import { type ElementType, elementsOf, powerOfTwo, sumOf, times } from './elements.js';
import { columnReduction, type ReductionOptions, rowReduction, workgroupReduction } from './reduction.js';

/** Up to this many elements a thread, a group is held in registers: it is read once however often a kernel passes over it. */
const MOST_REGISTERS = { vec4f: 8, f32: 32 };

/** Elements that a thread gets before a group gets more threads. */
const USUAL_ELEMENTS = { vec4f: 4, f32: 8 };

/** The threads that a group gets at least, and at most unless only more of them have registers for it. */
const LEAST_WORKGROUP = 32;
const USUAL_WORKGROUP = 256;

/** Bytes of workgroup memory that a thread needs for its part of two sums over vec4s, and of two over floats. */
const BYTES_A_THREAD = 40;

/** Positions that a thread has in flight where a group does not fit the registers. */
const POSITIONS_IN_FLIGHT = 4;

export interface ChannelGroupShape {
  /** Groups of one sample. */
  readonly groups: number;
  /** Channels of one group. */
  readonly inGroup: number;
  /** Positions of one channel, at least 1. */
  readonly positions: number;
  /** Whether the channels of a position lie side by side, [B, positions, C], and not the positions of a channel, [B, C, positions]. */
  readonly channelsLast: boolean;
}

/** WGSL of a walk, in which `channel` is the number of the channel (or of four) within the group. */
interface Walk<Name extends string> {
  /** Ahead of a channel's elements. A thread without a channel reads what is not its own here, and does not use it. */
  readonly before?: string;
  /** For one element, given the names of the values, and `at`, its index in the buffers. */
  readonly each: (values: Readonly<Record<Name, string>>, at: string) => string;
  /** After a channel's elements, in uniform control flow. Not every thread has a channel there: `isChannel`. */
  readonly after?: string;
}

/**
 * How a workgroup walks a group of channels of one sample: a share of its threads along the channels, the others along
 * positions, in vec4s of neighbours where their number allows them. A thread is at `lane` of `slot`: it has every `lanes`-th
 * position, from `lane` on, of every `slots`-th channel, from `slot` on.
 *
 * A group that fits the registers is read by the first walk and kept; a larger one is read again by each walk.
 */
export class ChannelGroup {
  /** The WGSL type of an element. */
  readonly type: ElementType;
  /** The WGSL type of what is one number for each channel, such as gamma. */
  readonly channelType: ElementType;
  /** The WGSL type of two such numbers. */
  readonly pairType: 'vec2f' | 'mat2x4f';
  /** Floats in a group. */
  readonly count: number;
  readonly workgroupSize: number;
  /** Elements of `channelType` in a group. */
  private readonly channels: number;
  /** Elements of `type` in a channel (or in four). */
  private readonly positions: number;
  private readonly slots: number;
  private readonly lanes: number;
  private readonly channelsLast: boolean;
  private readonly inRegisters: boolean;
  private readonly read = new Set<string>();

  /** @param inputs How many groups a kernel reads together; they share the registers. */
  constructor(
    private readonly gpu: DeviceTraits,
    private readonly shape: ChannelGroupShape,
    inputs = 1,
  ) {
    const { inGroup, positions } = shape;
    // With one position both formats are the same, and channels are neighbours.
    this.channelsLast = shape.channelsLast || positions === 1;
    const { type, count: neighbours } = elementsOf(this.channelsLast ? inGroup : positions);
    this.type = type;
    this.channelType = this.channelsLast ? type : 'f32';
    this.pairType = this.channelType === 'f32' ? 'vec2f' : 'mat2x4f';
    this.count = inGroup * positions;
    [this.channels, this.positions] = this.channelsLast ? [neighbours, positions] : [inGroup, neighbours];

    const { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupStorageSize } = gpu.limits;
    const largest = Math.min(maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupStorageSize / BYTES_A_THREAD);
    const elements = this.channels * this.positions;
    const registers = MOST_REGISTERS[type] / inputs;
    let size = LEAST_WORKGROUP;
    while (size < USUAL_WORKGROUP && size * Math.min(USUAL_ELEMENTS[type], registers) < elements) size *= 2;
    while (2 * size <= largest && size * registers < elements) size *= 2;
    this.workgroupSize = size;
    // Neighbours in memory are read by neighbouring threads.
    const side = Math.min(size, powerOfTwo(neighbours));
    [this.slots, this.lanes] = this.channelsLast ? [side, size / side] : [size / side, side];
    this.inRegisters = this.channelsPerThread * this.positionsPerThread <= registers;
  }

  private get channelsPerThread(): number {
    return Math.ceil(this.channels / this.slots);
  }

  private get positionsPerThread(): number {
    return Math.ceil(this.positions / this.lanes);
  }

  /** WGSL that finds the workgroup's group: `base`, its first element; and the thread's place there, `slot` and `lane`. */
  get begin(): string {
    const { groups } = this.shape;
    return this.channelsLast
      ? `
  let slot = thread % ${this.slots}u;
  let lane = thread / ${this.slots}u;
  let base = (workgroup / ${groups}u * ${this.positions * groups}u + workgroup % ${groups}u) * ${this.channels}u;`
      : `
  let slot = thread / ${this.lanes}u;
  let lane = thread % ${this.lanes}u;
  let base = workgroup * ${this.channels * this.positions}u;`;
  }

  /** WGSL of the index of `channel` in what is one number for each channel, [C], and for each sample and channel, [B, C]. */
  get inChannels(): string {
    return `workgroup % ${this.shape.groups}u * ${this.channels}u + channel`;
  }
  get inSamplesAndChannels(): string {
    return `workgroup * ${this.channels}u + channel`;
  }

  /** WGSL of `fn <name>(value: <type>) -> <type>`: the sum over the threads. */
  reduction(name: string, options?: ReductionOptions): string {
    return workgroupReduction(this.gpu, this.workgroupSize, name, options);
  }

  /**
   * WGSL of `fn <name>(value: <pairType>) -> <pairType>`: the sum over the threads of a channel, for those with `lane` 0. It is
   * called `after` a channel.
   */
  channelReduction(name: string): string {
    if (!this.channelsLast) {
      return rowReduction(this.gpu, this.workgroupSize, this.lanes, name, { type: 'vec2f' });
    }
    return columnReduction(this.workgroupSize, this.slots, name, this.pairType);
  }

  /** The sum of an element's components, as WGSL. */
  sum(value: string): string {
    return sumOf(this.type, value);
  }

  /** The sum over channels that lie in one element of `channelType`, as WGSL. */
  sumOfChannels(value: string): string {
    return sumOf(this.channelType, value);
  }

  /** The sum of an element's components that are of one channel, as WGSL. */
  ofChannel(value: string): string {
    return this.channelsLast ? value : sumOf(this.type, value);
  }

  /**
   * WGSL that visits each element of the group, channel by channel.
   *
   * @param sources What is read, by the names of the values: WGSL in which `@` stands for the element's index in the buffers.
   */
  walk<Name extends string>(sources: Readonly<Record<Name, string>>, walk: Walk<Name>): string {
    return this.inRegisters ? this.walkRegisters(sources, walk) : this.walkMemory(sources, walk);
  }

  private walkRegisters<Name extends string>(
    sources: Readonly<Record<Name, string>>,
    { before = '', each, after = '' }: Walk<Name>,
  ): string {
    const names = Object.keys(sources) as Name[];
    const eachElement = (channel: number, text: (place: string, at: string) => string) =>
      times(this.positionsPerThread, (position) => {
        const at = this.at(this.channel(channel), this.position('lane', position));
        return this.guarded(channel, position, text(`${channel}_${position}`, at));
      });
    const loads = names
      .filter((name) => !this.read.has(name))
      .map((name) => {
        this.read.add(name);
        return times(this.channelsPerThread, (channel) => {
          const declared = times(this.positionsPerThread, (i) => `var ${name}${channel}_${i} = ${this.type}();`);
          const load = eachElement(channel, (place, at) => `${name}${place} = ${sources[name].replaceAll('@', at)};`);
          return `${declared}\n${load}`;
        });
      });
    const visits = times(
      this.channelsPerThread,
      (i) => `{
    let channel = ${this.channel(i)};
    let isChannel = channel < ${this.channels}u;
    ${before}
    ${eachElement(i, (place, at) => each(valuesOf(names, place), at))}
    ${after}
  }`,
    );
    return `${loads.join('\n')}\n${visits}`;
  }

  /** Loads past the end read the last position instead, so that no branch keeps them from being in flight together. */
  private walkMemory<Name extends string>(
    sources: Readonly<Record<Name, string>>,
    { before = '', each, after = '' }: Walk<Name>,
  ): string {
    const names = Object.keys(sources) as Name[];
    const together = Math.min(this.positionsPerThread, POSITIONS_IN_FLIGHT);
    const load = (i: number) => `
      let at${i} = ${this.at('channel', `min(${this.position('position', i)}, ${this.positions - 1}u)`)};
      ${names.map((name) => `let ${name}${i} = ${sources[name].replaceAll('@', `at${i}`)};`).join('\n')}`;
    const visit = (i: number) =>
      `if (${this.position('position', i)} < end) { ${each(valuesOf(names, String(i)), `at${i}`)} }`;
    return `for (var block = 0u; block < ${this.channels}u; block += ${this.slots}u) {
    let channel = block + slot;
    let isChannel = channel < ${this.channels}u;
    let end = select(0u, ${this.positions}u, isChannel);
    ${before}
    for (var position = lane; position < end; position += ${together * this.lanes}u) {
      ${times(together, load)}
      ${times(together, visit)}
    }
    ${after}
  }`;
  }

  private channel(i: number): string {
    return `(slot + ${i * this.slots}u)`;
  }

  private position(first: string, i: number): string {
    return `(${first} + ${i * this.lanes}u)`;
  }

  /** The index of an element in the buffers. */
  private at(channel: string, position: string): string {
    return this.channelsLast
      ? `(base + ${channel} + ${position} * ${this.shape.groups * this.channels}u)`
      : `(base + ${channel} * ${this.positions}u + ${position})`;
  }

  private guarded(channel: number, position: number, inside: string): string {
    const conditions = [
      ...((channel + 1) * this.slots > this.channels ? [`(${this.channel(channel)} < ${this.channels}u)`] : []),
      ...((position + 1) * this.lanes > this.positions
        ? [`(${this.position('lane', position)} < ${this.positions}u)`]
        : []),
    ];
    return conditions.length > 0 ? `if (${conditions.join(' & ')}) { ${inside} }` : `{ ${inside} }`;
  }
}

const valuesOf = <Name extends string>(names: readonly Name[], suffix: string) =>
  Object.fromEntries(names.map((name) => [name, name + suffix])) as Record<Name, string>;
