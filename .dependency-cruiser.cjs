// The one-way dependency rule: models, layers, patch → ops → kernel_names ← kernels, gradients.
const only = (name, from, allowed) => ({
  name,
  severity: 'error',
  comment: `src/${from} may import only ${allowed.map((path) => `src/${path}`).join(', ')}`,
  from: { path: `^src/${from}` },
  to: { path: '^src/', pathNot: allowed.map((path) => `^src/${path}`) },
});

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    only('contract-stands-alone', 'kernels/kernel_names\\.ts', ['kernels/kernel_names\\.ts']),
    only('checks-stand-alone', 'checks/', ['checks/']),
    only('ops-know-no-backend', 'ops/', [
      'ops/',
      'checks/',
      'kernels/kernel_names\\.ts',
      'kernels/run_kernel\\.ts',
      'backend/resident_values\\.ts',
    ]),
    only('gradients-know-no-backend', 'gradients/', [
      'gradients/',
      'kernels/kernel_names\\.ts',
      'kernels/run_kernel\\.ts',
      'backend/resident_values\\.ts',
    ]),
    only('composed-stands-alone', 'kernels/composed/', [
      'kernels/composed/',
      'kernels/kernel_names\\.ts',
      'kernels/run_kernel\\.ts',
    ]),
    only('webgpu-kernels', 'kernels/webgpu/', ['kernels/webgpu/', 'kernels/kernel_names\\.ts']),
    only('tensorflow-kernels', 'kernels/tensorflow/', ['kernels/tensorflow/', 'kernels/kernel_names\\.ts']),
    only('optimizers-stand-on-ops', 'optimizers/', [
      'optimizers/',
      'ops/',
      'checks/',
      'kernels/kernel_names\\.ts',
      'kernels/run_kernel\\.ts',
    ]),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
  },
};
