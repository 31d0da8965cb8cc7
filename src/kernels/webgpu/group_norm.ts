import { GroupNorm, GroupNormGrad, type GroupNormGradAttrs, groupShape } from '../contracts/group_norm.js';
import { defineProgram } from './runtime/program.js';
import { webgpuKernel } from './runtime/webgpu_kernel.js';
import { columnSums } from './shared/column_sum.js';
import { ChannelGroup, type ChannelGroupShape } from './wgsl/channel_group.js';

/**
 * y = (x − mean) · rstd · gamma + beta, rstd = 1 / √(variance + epsilon).
 *
 * Each thread follows the mean of what it reads and the squares around it, by Welford's update, so that a group which does not
 * fit the registers is read twice and not three times; then the threads' own are joined. Values are taken less `origin`, the
 * group's first: float32 would not hold enough digits of a mean that is large.
 */
const groupNormProgram = defineProgram('groupNorm', (shape: ChannelGroupShape, gpu) => {
  const group = new ChannelGroup(gpu, shape);
  const { type, channelType, count } = group;
  const isVector = type === 'vec4f';
  const sources = { x: 'x[@] - origin' };
  return {
    workgroupSize: group.workgroupSize,
    reads: { x: type, gamma: channelType, beta: channelType },
    writes: { y: type, mean: 'f32', rstd: 'f32' },
    uniforms: { epsilon: 'f32' },
    declarations: group.reduction('groupSum'),
    body: `
  ${group.begin}
  let origin = x[base]${isVector ? '.x' : ''};
  var seen = 0.0;
  var ownMean = ${type}();
  var ownSquares = ${type}();
  ${group.walk(sources, {
    each: ({ x }) => `
      seen += 1.0;
      let delta = ${x} - ownMean;
      ownMean += delta * (1.0 / seen);
      ownSquares += delta * (${x} - ownMean);`,
  })}
  let m = groupSum(seen * ${group.sum('ownMean')}) / ${count}.0;
  let apart = ownMean - m;
  let r = inverseSqrt(groupSum(${group.sum('ownSquares + seen * apart * apart')}) / ${count}.0 + u.epsilon);
  if (thread == 0u) {
    mean[workgroup] = origin + m;
    rstd[workgroup] = r;
  }
  ${group.walk(sources, {
    before: `
      let scale = r * gamma[${group.inChannels}];
      let shift = beta[${group.inChannels}];`,
    each: ({ x }, at) => `y[${at}] = (${x} - m) * scale + shift;`,
  })}`,
  };
});

/**
 * With x̂ = (x − mean) · rstd and w = dy · gamma: dx = rstd · (w − mean(w) − x̂ · mean(w · x̂)), dgamma = Σ dy · x̂ and
 * dbeta = Σ dy. The means follow from the sums of the channels, which are the sample's parts of dgamma and dbeta. A group that
 * does not fit the registers is read twice, since dx needs the means.
 */
const groupNormGradProgram = defineProgram('groupNormGrad', (shape: ChannelGroupShape, gpu) => {
  const group = new ChannelGroup(gpu, shape, 2);
  const { type, channelType, pairType, count } = group;
  const sources = { dy: 'dy[@]', normalized: '(x[@] - m) * r' };
  return {
    workgroupSize: group.workgroupSize,
    reads: { dy: type, x: type, gamma: channelType, mean: 'f32', rstd: 'f32' },
    writes: { dx: type, dgamma: channelType, dbeta: channelType },
    declarations: group.reduction('groupSum', { type: 'vec2f' }) + group.channelReduction('channelSum'),
    body: `
  ${group.begin}
  let m = mean[workgroup];
  let r = rstd[workgroup];
  var sums = vec2f();
  ${group.walk(sources, {
    before: `var own = ${pairType}();`,
    each: ({ dy, normalized }) =>
      `own += ${pairType}(${group.ofChannel(`${dy} * ${normalized}`)}, ${group.ofChannel(dy)});`,
    after: `
      let ofChannel = channelSum(own);
      if (isChannel & (lane == 0u)) {
        let scale = gamma[${group.inChannels}];
        dgamma[${group.inSamplesAndChannels}] = ofChannel[0];
        dbeta[${group.inSamplesAndChannels}] = ofChannel[1];
        sums += vec2f(${group.sumOfChannels('scale * ofChannel[1]')}, ${group.sumOfChannels('scale * ofChannel[0]')});
      }`,
  })}
  let means = groupSum(sums) / ${count}.0;
  ${group.walk(sources, {
    before: `let scale = gamma[${group.inChannels}];`,
    each: ({ dy, normalized }, at) => `dx[${at}] = r * (${dy} * scale - means.x - ${normalized} * means.y);`,
  })}`,
  };
});

/** A call's specialisation and sizes. Nothing is to do where there are no positions. */
function extentOf(shape: readonly number[], attrs: GroupNormGradAttrs) {
  const { batches, channels, inGroup, positions } = groupShape(shape, attrs);
  const spec = { groups: attrs.numGroups, inGroup, positions, channelsLast: attrs.dataFormat === 'channelsLast' };
  return { spec, channels, samples: positions === 0 ? 0 : batches, stats: [batches, attrs.numGroups] };
}

export const groupNorm = webgpuKernel(GroupNorm, (gpu, { x, gamma, beta }, { epsilon, ...attrs }) => {
  const { spec, samples, stats } = extentOf(x.shape, attrs);
  const [y, mean, rstd] = [gpu.output(x.shape), gpu.output(stats), gpu.output(stats)];
  gpu.run(groupNormProgram, spec, { x, gamma, beta, y, mean, rstd }, { epsilon }, samples * attrs.numGroups);
  return { y, mean, rstd };
});

export const groupNormGrad = webgpuKernel(GroupNormGrad, (gpu, { dy, x, gamma, mean, rstd }, attrs) => {
  const { spec, channels, samples } = extentOf(x.shape, attrs);
  const dx = gpu.output(x.shape);
  const [dgammas, dbetas] = [gpu.output([samples, channels]), gpu.output([samples, channels])];
  const tensors = { dy, x, gamma, mean, rstd, dx, dgamma: dgammas, dbeta: dbetas };
  gpu.run(groupNormGradProgram, spec, tensors, {}, samples * attrs.numGroups);
  const [dgamma, dbeta] = columnSums(gpu, [dgammas, dbetas], samples, channels);
  gpu.release(dgammas, dbetas);
  return { dx, dgamma, dbeta };
});
