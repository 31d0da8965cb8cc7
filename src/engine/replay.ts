import { engine } from '@tensorflow/tfjs-core';
import type { RecordingHooks } from '../backend/device_backend.js';
import { deviceBackendOf, isWebGPUBackend } from '../backend/tfjs_webgpu_backend.js';
import { mixBits } from '../kernels/contracts/shared/mix_bits.js';
import { currentOp } from './registered.js';

/** The step that is being captured now. */
function currentRecording(): RecordingHooks | null {
  const { backend } = engine();
  return isWebGPUBackend(backend) ? deviceBackendOf(backend).recording : null;
}

/** Has `write` run before each replay of the step that is being captured now, if there is one. */
export function beforeReplay(write: () => void): void {
  currentRecording()?.beforeReplay(write);
}

/**
 * A seed that is drawn from Math.random, of which a captured step has another in each replay. Seeds that were drawn as the same
 * number remain the same: that of a part of a model that is computed again in the backward pass.
 */
export function drawSeed(): () => number {
  const first = newSeed();
  const recording = currentRecording();
  if (!recording) return () => first;
  return () => (recording.replays === 0 ? first : mixBits(first + Math.imul(recording.replays, 0x9e3779b9)));
}

/** A whole number of 32 bits. */
export const newSeed = () => withoutNotice(() => Math.floor(Math.random() * 2 ** 32));

/** What is told that random numbers were drawn in JavaScript. */
let notice: (() => void) | null = null;

/** Runs `f`, and says which op in it drew random numbers in JavaScript by other ways than `drawSeed` and `newSeed`. */
export function noticeRandom<R>(f: () => R): { result: R; drewIn: string | null } {
  const { random } = Math;
  const outer = notice;
  let drewIn: string | null = null;
  notice = () => {
    drewIn ??= currentOp();
  };
  Math.random = () => {
    tellRandom();
    return random();
  };
  try {
    const result = f();
    return { result, drewIn };
  } finally {
    Math.random = random;
    notice = outer;
  }
}

/** Says that a random number was drawn. */
export function tellRandom(): void {
  notice?.();
}

function withoutNotice<R>(f: () => R): R {
  const outer = notice;
  notice = null;
  try {
    return f();
  } finally {
    notice = outer;
  }
}
