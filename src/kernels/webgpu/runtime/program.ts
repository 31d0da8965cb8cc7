import type { UniformType } from '../../../backend/uniforms.js';

export type { UniformType };

export type StorageType = 'f32' | 'vec4f' | 'i32' | 'vec4i' | 'atomic<i32>';

/** One WGSL kernel, as data. */
export interface Program {
  /** Threads in a workgroup. */
  readonly workgroupSize: number;
  /** Of a program that is run over rows: how many each workgroup handles. Default 1. */
  readonly rowsPerWorkgroup?: number;
  /** The storage buffers that are read, by the name they have in `body`, and the type of their elements. */
  readonly reads: Readonly<Record<string, StorageType>>;
  /** The storage buffers that are written (and may be read). */
  readonly writes: Readonly<Record<string, StorageType>>;
  /** Values that may change from call to call, found in `body` as `u.<name>`. */
  readonly uniforms?: Readonly<Record<string, UniformType>>;
  /** Workgroup variables and functions. */
  readonly declarations?: string;
  /**
   * The kernel. It finds `workgroup` (the linear number of its workgroup, below `u.workgroups`) and `thread` (its number
   * within the workgroup).
   */
  readonly body: string;
}

export type Limits = { readonly [name in Exclude<keyof GPUSupportedLimits, '__brand'>]: number };

/** The smallest subgroup that WGSL allows, which bounds the number of subgroups in a workgroup. */
export const SMALLEST_SUBGROUP = 4;

/** What a program may depend on of the device that it is compiled for: all that it sees of the `Gpu`. */
export interface DeviceTraits {
  readonly hasSubgroups: boolean;
  /** The smallest size that subgroups may have. */
  readonly subgroupMinSize: number;
  readonly limits: Limits;
}

/** A family of programs: one for each specialisation, compiled when it is first used on a device. */
export interface ProgramFamily<Spec> {
  /** The name that tf.profile shows. */
  readonly name: string;
  build(spec: Spec, gpu: DeviceTraits): Program;
}

export function defineProgram<Spec>(
  name: string,
  build: (spec: Spec, gpu: DeviceTraits) => Program,
): ProgramFamily<Spec> {
  return { name, build };
}

/** The complete WGSL of a program. */
export function wgsl(program: Program, gpu: DeviceTraits): string {
  const { workgroupSize, reads, writes, uniforms = {}, declarations = '', body } = program;
  const buffers = [
    ...Object.entries(reads).map(([name, type]) => ['read', name, type]),
    ...Object.entries(writes).map(([name, type]) => ['read_write', name, type]),
  ];
  const bindings = buffers.map(
    ([access, name, type], index) => `@group(0) @binding(${index}) var<storage, ${access}> ${name}: array<${type}>;`,
  );
  const fields = Object.entries(uniforms).map(([name, type]) => `  ${name}: ${type},`);
  return `${gpu.hasSubgroups ? 'enable subgroups;' : ''}
${bindings.join('\n')}
struct Uniforms {
  workgroups: u32,
${fields.join('\n')}
}
@group(0) @binding(${buffers.length}) var<uniform> u: Uniforms;

var<private> thread: u32;
${gpu.hasSubgroups ? 'var<private> lane: u32;\nvar<private> subgroupWidth: u32;' : ''}
${declarations}

@compute @workgroup_size(${workgroupSize})
fn main(
  @builtin(workgroup_id) workgroupId: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) localIndex: u32,
${gpu.hasSubgroups ? '  @builtin(subgroup_invocation_id) subgroupLane: u32,\n  @builtin(subgroup_size) subgroupSize: u32,' : ''}
) {
  let workgroup = workgroupId.x + workgroupId.y * grid.x;
  if (workgroup >= u.workgroups) { return; }
  thread = localIndex;
${gpu.hasSubgroups ? '  lane = subgroupLane;\n  subgroupWidth = subgroupSize;' : ''}
${body}
}
`;
}
