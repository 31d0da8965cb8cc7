import type { UniformType } from '../../../backend/uniforms.js';
import { type DeviceTraits, type ProgramFamily, wgsl } from './program.js';

/** A program compiled for one device, and what a dispatch needs to know of it. */
export interface CompiledProgram {
  /** The family's. */
  readonly name: string;
  readonly id: number;
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  readonly uniformNames: readonly string[];
  readonly uniformTypes: readonly UniformType[];
  readonly rowsPerWorkgroup: number;
}

/** The programs of one device, compiled when they are first asked for. */
export class CompiledPrograms {
  private readonly families = new Map<object, Map<string, CompiledProgram>>();
  private nextId = 0;

  constructor(
    private readonly device: GPUDevice,
    private readonly traits: DeviceTraits,
  ) {}

  get<Spec>(family: ProgramFamily<Spec>, spec: Spec): CompiledProgram {
    let programs = this.families.get(family);
    if (!programs) {
      programs = new Map();
      this.families.set(family, programs);
    }
    const key = JSON.stringify(spec);
    let program = programs.get(key);
    if (!program) {
      program = this.compile(family, spec, `${family.name} ${key}`);
      programs.set(key, program);
    }
    return program;
  }

  private compile<Spec>(family: ProgramFamily<Spec>, spec: Spec, label: string): CompiledProgram {
    const { device, traits } = this;
    const { name } = family;
    const program = family.build(spec, traits);
    const { uniforms = {}, rowsPerWorkgroup = 1 } = program;
    const reads = Object.keys(program.reads);
    const writes = Object.keys(program.writes);
    const types: GPUBufferBindingType[] = [
      ...reads.map(() => 'read-only-storage' as const),
      ...writes.map(() => 'storage' as const),
      'uniform',
    ];
    const layout = device.createBindGroupLayout({
      label: name,
      entries: types.map((type, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } })),
    });
    const module = device.createShaderModule({ label: name, code: wgsl(program, traits) });
    const pipeline = device.createComputePipeline({
      label,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: 'main' },
    });
    const uniformTypes: UniformType[] = ['u32', ...Object.values(uniforms)];
    const uniformNames = Object.keys(uniforms);
    return { name, id: this.nextId++, pipeline, layout, reads, writes, uniformNames, uniformTypes, rowsPerWorkgroup };
  }
}
