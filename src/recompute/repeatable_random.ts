import { tellRandom } from '../engine/replay.js';

/**
 * Runs `f` with random numbers that are the same for the same seed. tfjs seeds all of its random ops (dropout, randomNormal and
 * their kind) by Math.random, unless they are given a seed.
 */
export function withRandom<R>(seed: number, f: () => R): R {
  const { random } = Math;
  Math.random = mulberry32(seed);
  try {
    return f();
  } finally {
    Math.random = random;
  }
}

/** Tommy Ettinger's generator of 32 bits: numbers in [0, 1). */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    tellRandom();
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}
