import './register.js';

export {
  type MemoryUse,
  type RegisterWebGPUBackendOptions,
  registerWebGPUBackend,
  type WebGPUBackend,
} from './backend/register_webgpu_backend.js';
export { type PackedSequences, type PackSequencesConfig, packSequences } from './batches/pack_sequences.js';
export { type Captured, capture } from './capture/capture.js';
export {
  type FusedLinearCosineDistillationConfig,
  fusedLinearCosineDistillation,
} from './losses/fused_linear_cosine_distillation.js';
export { type FusedLinearCpoConfig, fusedLinearCpo } from './losses/fused_linear_cpo.js';
export { type FusedLinearDistillationConfig, fusedLinearDistillation } from './losses/fused_linear_distillation.js';
export { type DpoLossType, type FusedLinearDpoConfig, fusedLinearDpo } from './losses/fused_linear_dpo.js';
export { type FusedLinearGrpoConfig, fusedLinearGrpo } from './losses/fused_linear_grpo.js';
export { type FusedLinearJsdConfig, fusedLinearJsd } from './losses/fused_linear_jsd.js';
export {
  type FusedLinearJsdDistillationConfig,
  fusedLinearJsdDistillation,
} from './losses/fused_linear_jsd_distillation.js';
export { type FusedLinearKlDivConfig, fusedLinearKlDiv } from './losses/fused_linear_kl_div.js';
export { type FusedLinearKtoConfig, type FusedLinearKtoResult, fusedLinearKto } from './losses/fused_linear_kto.js';
export { type FusedLinearOrpoConfig, type FusedLinearOrpoResult, fusedLinearOrpo } from './losses/fused_linear_orpo.js';
export { type FusedLinearPolicyConfig, fusedLinearPolicy } from './losses/fused_linear_policy.js';
export { type FusedLinearPreferenceConfig, fusedLinearPreference } from './losses/fused_linear_preference.js';
export { type FusedLinearSimpoConfig, fusedLinearSimpo } from './losses/fused_linear_simpo.js';
export {
  type FusedLinearUnpairedPreferenceConfig,
  fusedLinearUnpairedPreference,
} from './losses/fused_linear_unpaired_preference.js';
export { type GrpoLossConfig, grpoLoss } from './losses/grpo_loss.js';
export type { DistillationLogits, DistillationResult, DistillationReturn } from './losses/shared/distillation.js';
export type { GrpoLossType, GrpoResult } from './losses/shared/grpo.js';
export type { PolicyLogps } from './losses/shared/policy.js';
export type { PreferenceLogps, PreferenceResult, PreferenceRewards } from './losses/shared/preference.js';
export type { UnpairedPreferenceLogps, UnpairedPreferenceResult } from './losses/shared/unpaired_preference.js';
export { type AttnResConfig, attnRes } from './ops/attn_res.js';
export { type CrossEntropyConfig, crossEntropy } from './ops/cross_entropy.js';
export { type DytConfig, dyt } from './ops/dyt.js';
export { type EmbeddingConfig, embedding } from './ops/embedding.js';
export {
  type FlashAttentionConfig,
  type FlashAttentionResult,
  type FlashAttentionReturn,
  flashAttention,
} from './ops/flash_attention.js';
export { type FusedAddRmsNormConfig, type FusedAddRmsNormResult, fusedAddRmsNorm } from './ops/fused_add_rms_norm.js';
export {
  type FusedCrossEntropyTvdConfig,
  type FusedCrossEntropyTvdResult,
  fusedCrossEntropyTvd,
} from './ops/fused_cross_entropy_tvd.js';
export { type FusedLinearCrossEntropyConfig, fusedLinearCrossEntropy } from './ops/fused_linear_cross_entropy.js';
export {
  type FusedLinearScaledCrossEntropyConfig,
  type FusedLinearScaledCrossEntropyResult,
  fusedLinearScaledCrossEntropy,
} from './ops/fused_linear_scaled_cross_entropy.js';
export { type FusedMoeConfig, fusedMoe } from './ops/fused_moe.js';
export {
  type FusedNeighborhoodAttentionConfig,
  fusedNeighborhoodAttention,
} from './ops/fused_neighborhood_attention.js';
export { type GegluConfig, geglu } from './ops/geglu.js';
export { type GeluConfig, gelu } from './ops/gelu.js';
export { type GroupNormConfig, groupNorm } from './ops/group_norm.js';
export { type JsdConfig, jsd } from './ops/jsd.js';
export { type KlDivConfig, klDiv } from './ops/kl_div.js';
export { type LayerNormConfig, layerNorm } from './ops/layer_norm.js';
export { type LinearConfig, linear } from './ops/linear.js';
export { type Llama4RopeConfig, llama4Rope } from './ops/llama4_rope.js';
export { type LogSoftmaxConfig, logSoftmax } from './ops/log_softmax.js';
export { type MhcCoeffsConfig, type MhcCoeffsResult, mhcCoeffs } from './ops/mhc_coeffs.js';
export {
  type MhcForwardConfig,
  type MhcForwardResult,
  type MhcForwardReturn,
  mhcForward,
} from './ops/mhc_forward.js';
export { type MhcPostResConfig, mhcPostRes } from './ops/mhc_post_res.js';
export { type MhcPreConfig, mhcPre } from './ops/mhc_pre.js';
export { type ModulatedRmsNormConfig, modulatedRmsNorm } from './ops/modulated_rms_norm.js';
export { type MultiTokenAttentionConfig, multiTokenAttention } from './ops/multi_token_attention.js';
export { type PackedSwigluConfig, packedSwiglu } from './ops/packed_swiglu.js';
export { type PolyNormConfig, polyNorm } from './ops/poly_norm.js';
export { type Qwen2vlMropeConfig, qwen2vlMrope } from './ops/qwen2vl_mrope.js';
export { type ReluSquaredConfig, reluSquared } from './ops/relu_squared.js';
export { type RmsNormConfig, rmsNorm } from './ops/rms_norm.js';
export { type RopeConfig, type RopeResult, rope } from './ops/rope.js';
export { type ScaledCrossEntropyConfig, scaledCrossEntropy } from './ops/scaled_cross_entropy.js';
export type {
  CrossEntropyOptions,
  CrossEntropyResult,
  CrossEntropyReturn,
} from './ops/shared/cross_entropy_options.js';
export type { ScaledCrossEntropyOptions, ScaledCrossEntropyResult } from './ops/shared/scaled_cross_entropy_options.js';
export { type SiluConfig, silu } from './ops/silu.js';
export { type SoftCrossEntropyConfig, softCrossEntropy } from './ops/soft_cross_entropy.js';
export { type SoftmaxConfig, softmax } from './ops/softmax.js';
export { type SparsemaxConfig, sparsemax } from './ops/sparsemax.js';
export { type SwigluConfig, swiglu } from './ops/swiglu.js';
export { type SwigluMlpConfig, swigluMlp } from './ops/swiglu_mlp.js';
export { type TvdConfig, tvd } from './ops/tvd.js';
export * as train from './optimizers/train.js';
export {
  type AnyLayersModel,
  type ApplyToOptions,
  type ApplyToReport,
  applyTo,
  type ReplacementReport,
} from './patch/apply_to.js';
export { type PatchOptions, patch, patched } from './patch/patch.js';
export { checkpoint } from './recompute/checkpoint.js';
export { type TiledMlpConfig, tiledMlp } from './recompute/tiled_mlp.js';
