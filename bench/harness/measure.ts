import * as tf from '@tensorflow/tfjs';
import type { Subject } from './bench_case.js';
import type { BenchDevice } from './device.js';

export interface Measurement {
  /** Milliseconds a call: several are queued, then waited for. What a training loop feels. */
  ms: number;
  /** Milliseconds a call on the device alone, where it can tell. */
  deviceMs?: number;
  /** Microseconds a call until it is queued. */
  jsMicroseconds: number;
  /** The first call, which compiles. */
  firstMs: number;
  /** The most memory of one call, with its inputs. */
  peakBytes?: number;
  /** What of it the subject's inputs and its state take. */
  inputBytes?: number;
  calls: number;
}

export interface Budget {
  /** Seconds to measure for, and to warm up for before. */
  seconds: number;
  /** Milliseconds that one batch of calls should take. */
  batchMs: number;
}

const MAX_CALLS = 10_000;

export const median = (values: number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)]!;

const call = (subject: Subject): tf.Tensor[] => tf.tidy(() => subject.call());

/** Milliseconds of `calls` calls, in all and until they were queued. */
async function batch(device: BenchDevice, subject: Subject, calls: number): Promise<{ all: number; queue: number }> {
  let results: tf.Tensor[] = [];
  const start = performance.now();
  for (let i = 0; i < calls; i++) {
    tf.dispose(results);
    results = call(subject);
  }
  const queued = performance.now();
  await device.wait(results);
  const done = performance.now();
  tf.dispose(results);
  return { all: done - start, queue: queued - start };
}

const clamp = (value: number, min: number, max: number) => Math.max(min, Math.min(max, value));

/**
 * Times a subject. `check` is given what its first call came to, which it has to dispose.
 *
 * @param onDevice Whether the subject is a single op, whose time on the device is found out, too.
 */
export async function measure(
  device: BenchDevice,
  subject: Subject,
  { seconds, batchMs }: Budget,
  check: (outputs: tf.Tensor[]) => Promise<void>,
  onDevice: boolean,
): Promise<Measurement> {
  await device.wait([]);
  const firstStart = performance.now();
  const results = call(subject);
  await device.wait(results);
  const firstMs = performance.now() - firstStart;
  const outputs = subject.outputs ? tf.tidy(() => subject.outputs!()) : results;
  if (subject.outputs) tf.dispose(results);
  await check(outputs);

  // The second call: an optimizer, for one, has made its state by now.
  await device.wait([]);
  device.memory?.resetPeak();
  const inputBytes = device.memory?.allocated;
  const once = await batch(device, subject, 1);
  const peakBytes = device.memory?.peak;
  const measurement = { firstMs, peakBytes, inputBytes };
  // What is slow is called only once more, with the buffers that exist now.
  if (once.all > 1000 * seconds) return { ...measurement, ...perCall([await batch(device, subject, 1)], 1) };

  // Until JavaScript is compiled, an idle device has raised its clocks, and a batch is as long as it should be.
  let calls = 1;
  let estimate = once.all;
  for (const end = performance.now() + 1000 * seconds; performance.now() < end; ) {
    estimate = (await batch(device, subject, calls)).all / calls;
    calls = clamp(Math.round(batchMs / estimate), 1, MAX_CALLS);
  }
  const batches = clamp(Math.floor((1000 * seconds) / (calls * estimate)), 1, 7);
  const times: Array<{ all: number; queue: number }> = [];
  for (let i = 0; i < batches; i++) times.push(await batch(device, subject, calls));
  const timing = { ...measurement, ...perCall(times, calls) };
  if (!onDevice || !device.deviceTime) return timing;
  return { ...timing, deviceMs: await deviceTime(device, subject, calls) };
}

function perCall(times: Array<{ all: number; queue: number }>, calls: number) {
  return {
    ms: median(times.map(({ all }) => all)) / calls,
    jsMicroseconds: (1000 * median(times.map(({ queue }) => queue))) / calls,
    calls,
  };
}

async function deviceTime(device: BenchDevice, subject: Subject, calls: number): Promise<number> {
  const queue = () => {
    for (let i = 0; i < calls; i++) tf.dispose(call(subject));
  };
  const times: number[] = [];
  // The first batch makes the buffers and is not counted.
  for (let i = 0; i < 6; i++) times.push((await device.deviceTime!(queue)) / calls);
  return median(times.slice(1));
}
