// Which way imports go: models, layers, patch → losses, optimizers → ops → contracts ← kernels, gradients; ops and
// gradients → engine. Each rule names all that a folder may import of src/.
const only = (name, from, allowed) => ({
  name,
  severity: 'error',
  comment: `src/${from} may import only ${allowed.map((path) => `src/${path}`).join(', ')}`,
  from: { path: `^src/${from}` },
  to: { path: '^src/', pathNot: allowed.map((path) => `^src/${path}`) },
});

const contracts = 'kernels/contracts/';
const seam = 'backend/(bind_groups|constants|device_backend|lost_error|tfjs_webgpu_backend|uniforms)\\.ts';
const deviceFit = 'backend/device_fit\\.ts';
const numbersMap = 'backend/numbers_map\\.ts';

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    only('contracts-stand-alone', contracts, [contracts]),
    only('checks-stand-alone', 'checks/', ['checks/']),
    only('backend', 'backend/', ['backend/', 'checks/', 'engine/(registered|stock_kernels)\\.ts']),
    only('capture', 'capture/', ['capture/', 'backend/(device_backend|recorder|recording)\\.ts', 'checks/', 'engine/']),
    only('engine', 'engine/', ['engine/', contracts, seam]),
    only('ops-know-no-backend', 'ops/', ['ops/', 'checks/', 'engine/', contracts]),
    only('gradients-know-no-backend', 'gradients/', ['gradients/', 'engine/', contracts]),
    only('composed-kernels', 'kernels/composed/(?!stock/)', ['kernels/composed/', contracts]),
    only('composed-stock-kernels', 'kernels/composed/stock/', ['kernels/composed/stock/', 'engine/']),
    // What WGSL is written with sees a device's traits, and no device.
    only('wgsl-knows-no-device', 'kernels/webgpu/wgsl/', [
      'kernels/webgpu/wgsl/',
      'kernels/webgpu/runtime/program\\.ts',
    ]),
    only('webgpu-runtime', 'kernels/webgpu/runtime/', ['kernels/webgpu/runtime/', contracts, seam, numbersMap]),
    only('webgpu-matmul', 'kernels/webgpu/matmul/', [
      'kernels/webgpu/(matmul|runtime|wgsl)/',
      contracts,
      deviceFit,
      numbersMap,
    ]),
    only('webgpu-attention', 'kernels/webgpu/attention/', ['kernels/webgpu/(attention|runtime|wgsl)/', contracts]),
    only('webgpu-multi-token-attention', 'kernels/webgpu/multi_token_attention/', [
      'kernels/webgpu/(multi_token_attention|runtime|wgsl)/',
      contracts,
    ]),
    only('webgpu-fused-moe', 'kernels/webgpu/fused_moe/', [
      'kernels/webgpu/(fused_moe|matmul|runtime|wgsl)/',
      contracts,
    ]),
    only('webgpu-mhc-coeffs', 'kernels/webgpu/mhc_coeffs/', [
      'kernels/webgpu/(mhc_coeffs|shared|runtime|wgsl)/',
      contracts,
    ]),
    only('webgpu-shared', 'kernels/webgpu/shared/', [
      'kernels/webgpu/(shared|matmul|runtime|wgsl)/',
      contracts,
      numbersMap,
    ]),
    // An op's kernels are made of what is shared, and of no other op's.
    only('webgpu-kernels', 'kernels/webgpu/(?!all\\.ts)[^/]+\\.ts', [
      'kernels/webgpu/(shared|matmul|attention|fused_moe|mhc_coeffs|multi_token_attention|runtime|wgsl)/',
      contracts,
    ]),
    only('webgpu-stock', 'kernels/webgpu/stock/', [
      'kernels/webgpu/(stock|shared|matmul|runtime|wgsl)/',
      contracts,
      seam,
    ]),
    only('batches', 'batches/', ['batches/', 'checks/']),
    only('recompute', 'recompute/', ['recompute/', 'checks/', 'engine/']),
    only('losses', 'losses/', ['losses/', 'ops/', 'checks/', 'engine/', contracts]),
    only('optimizers', 'optimizers/', ['optimizers/', 'ops/', 'checks/', 'engine/', contracts]),
    only('layers', 'layers/', ['layers/', 'losses/', 'ops/', 'checks/', 'register\\.ts']),
    only('patch', 'patch/', ['patch/', 'optimizers/', 'losses/', 'ops/', 'checks/', 'engine/', contracts]),
    only('register', 'register\\.ts', [
      '(gradients|kernels/composed|kernels/webgpu)/((missing|stock)/)?all\\.ts',
      'kernels/webgpu/matmul/fit_device\\.ts',
      deviceFit,
      contracts,
      'engine/',
      'optimizers/',
    ]),
    {
      name: 'index-alone-registers',
      severity: 'error',
      comment: "Only the package's entries import what has a side effect",
      from: { path: '^src/', pathNot: '^src/(layers/)?index\\.ts' },
      to: { path: '^src/register\\.ts' },
    },
    only('script', 'script\\.ts', ['(layers/)?index\\.ts']),
    only('index', 'index\\.ts', [
      'batches/',
      'register\\.ts',
      'backend/register_webgpu_backend\\.ts',
      'capture/capture\\.ts',
      'losses/',
      'ops/',
      'optimizers/train\\.ts',
      'patch/(apply_to|patch)\\.ts',
      'recompute/',
    ]),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
  },
};
