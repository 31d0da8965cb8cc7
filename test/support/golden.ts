/** Reference cases in test/golden, see the README there, and the checks that every op's spec uses. */
import { expect } from 'chai';
import { tf } from './backend.js';
import { readGolden } from './platform_node.js';

export interface GoldenTensor {
  dtype: 'float32' | 'int32';
  shape: number[];
  data: Float32Array | Int32Array;
}

export interface GoldenCase {
  name: string;
  op: string;
  inputs: string[];
  /** The op's config without its tensors. */
  options: Record<string, unknown>;
  outputs: string[];
  /** The outputs that have an upstream gradient. */
  dy: string[];
  /** The inputs that have a gradient. */
  grads: string[];
}

export interface GoldenFile {
  /** The header's metadata; the values that are JSON are parsed. */
  // biome-ignore lint/suspicious/noExplicitAny: each file has its own
  metadata: Record<string, any>;
  tensors: Record<string, GoldenTensor>;
}

/** The largest relative errors that are float32 rounding alone. */
export const OUTPUT_TOLERANCE = 2e-6;
export const GRADIENT_TOLERANCE = 1e-5;

const files = new Map<string, GoldenFile>();

function load(name: string): GoldenFile {
  const file = files.get(name) ?? parseSafetensors(readGolden(name));
  files.set(name, file);
  return file;
}

/** Reads test/golden/<name>.safetensors. */
export async function loadSafetensors(name: string): Promise<GoldenFile> {
  return load(name);
}

interface SafetensorsEntry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

function parseSafetensors(buffer: ArrayBuffer): GoldenFile {
  const headerLength = Number(new DataView(buffer).getBigUint64(0, true));
  const { __metadata__ = {}, ...entries } = JSON.parse(
    new TextDecoder().decode(new Uint8Array(buffer, 8, headerLength)),
  ) as Record<string, SafetensorsEntry> & { __metadata__?: Record<string, string> };
  const tensors: GoldenFile['tensors'] = {};
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(entries)) {
    const [begin, end] = data_offsets.map((offset) => 8 + headerLength + offset);
    const bytes = buffer.slice(begin!, end!); // a copy, since a view would have to begin at a multiple of 4
    if (dtype === 'F32') tensors[name] = { dtype: 'float32', shape, data: new Float32Array(bytes) };
    else if (dtype === 'I32') tensors[name] = { dtype: 'int32', shape, data: new Int32Array(bytes) };
    else throw new Error(`${name}: no reader for the type ${dtype}`);
  }
  const metadata = Object.fromEntries(Object.entries(__metadata__).map(([key, text]) => [key, parseIfJson(text)]));
  return { metadata, tensors };
}

function parseIfJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A new tensor on the backend under test. */
export function toTensor({ data, shape, dtype }: GoldenTensor): tf.Tensor {
  return tf.tensor(data, shape, dtype);
}

type Values = ArrayLike<number>;

/** ‖a − b‖ / ‖b‖ in float64; elements that are equal, infinite ones too, count as no difference. NaN if one has NaN. */
export function relativeError(a: Values, b: Values): number {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < b.length; i++) {
    if (a[i]! !== b[i]!) difference += (a[i]! - b[i]!) ** 2;
    if (Number.isFinite(b[i]!)) norm += b[i]! ** 2;
  }
  return difference === 0 ? 0 : Math.sqrt(difference / norm);
}

async function read(value: tf.Tensor | GoldenTensor | Values | number): Promise<{ shape?: number[]; data: Values }> {
  if (value instanceof tf.Tensor) return { shape: value.shape, data: await value.data() };
  if (typeof value === 'number') return { data: [value] };
  return 'data' in value ? value : { data: value };
}

/** Fails unless the shapes, where both have one, are equal and the relative error is at most `tolerance`. */
export async function expectClose(
  actual: tf.Tensor | Values | number,
  expected: tf.Tensor | GoldenTensor | Values | number,
  tolerance: number,
  what = 'value',
): Promise<void> {
  const [a, b] = await Promise.all([read(actual), read(expected)]);
  if (a.shape && b.shape) expect(a.shape, `${what}: shape`).to.deep.equal(b.shape);
  expect(a.data.length, `${what}: number of elements`).to.equal(b.data.length);
  const error = relativeError(a.data, b.data);
  if (!(error <= tolerance)) {
    const show = (values: Values) => {
      const first = Array.from({ length: Math.min(4, values.length) }, (_, i) => Number(values[i]!.toPrecision(8)));
      return `[${first.join(', ')}${values.length > 4 ? ', …' : ''}]`;
    };
    const found = Number.isNaN(error) ? 'there are NaN' : `relative error ${error.toExponential(2)}`;
    throw new Error(`${what}: ${found}, at most ${tolerance} expected; ${show(a.data)} for ${show(b.data)}`);
  }
}

/** What exists now: tensors, and data that the backend holds for them. */
function countMemory(): { tensors: number; dataIds: number } {
  return { tensors: tf.memory().numTensors, dataIds: (tf.backend() as tf.KernelBackend).numDataIds() };
}

/** Runs fn, which disposes what it makes, and fails if a tensor or data of the backend remains. */
export function expectNoLeak<T>(fn: () => T): T {
  const before = countMemory();
  const check = () => expect(countMemory(), 'tensors and data after, as before').to.deep.equal(before);
  const result = fn();
  if (result instanceof Promise) {
    return result.then((value) => {
      check();
      return value;
    }) as T;
  }
  check();
  return result;
}

/** Fails unless fn throws, or its promise is rejected with, an error whose message matches, and nothing leaked. */
export function expectError(fn: () => Promise<unknown>, message: RegExp): Promise<void>;
export function expectError(fn: () => unknown, message: RegExp): void;
export function expectError(fn: () => unknown, message: RegExp): unknown {
  const before = countMemory();
  const check = (error: unknown) => {
    expect(error, 'what was thrown').to.be.instanceOf(Error);
    expect((error as Error).message).to.match(message);
    expect(countMemory(), 'tensors and data after the error, as before').to.deep.equal(before);
  };
  const missing = () => expect.fail(`no error, one that matches ${message} was expected`);
  let result: unknown;
  try {
    result = fn();
  } catch (error) {
    return check(error);
  }
  return result instanceof Promise ? result.then(missing, check) : missing();
}

type Tensors = Record<string, tf.Tensor>;

/** Calls the op: `inputs` has its tensors by name, optional ones only where the case has them. */
export type RunOp = (inputs: Tensors, options: Record<string, unknown>) => Tensors;

/** The outputs of run, and the gradients of Σ sum(output · dy). Both are the caller's to dispose. */
function runWithGradients(run: RunOp, inputs: Tensors, dy: Tensors, wanted: string[], options: GoldenCase['options']) {
  let outputs: Tensors = {};
  const { value, grads } = tf.engine().gradients(
    () => {
      outputs = run(inputs, options);
      for (const output of Object.values(outputs)) tf.keep(output);
      return Object.entries(dy)
        .map(([name, gradient]) => tf.sum(tf.mul(outputs[name]!, gradient)))
        .reduce((a, b) => tf.add(a, b)) as tf.Scalar;
    },
    wanted.map((name) => inputs[name]!),
  );
  value.dispose();
  return { outputs, grads: Object.fromEntries(wanted.map((name, i) => [name, grads[i]!])) };
}

async function checkCase(
  { name, inputs, options, outputs, dy, grads }: GoldenCase,
  file: GoldenFile,
  run: RunOp,
  { condition = () => 1 }: GoldenOptions,
) {
  const golden = (kind: string, tensor: string) => {
    const found = file.tensors[`${name}/${kind}/${tensor}`];
    if (!found) throw new Error(`The reference case has no ${name}/${kind}/${tensor}`);
    return found;
  };
  const toTensors = (kind: string, names: string[]): Tensors =>
    Object.fromEntries(names.map((tensor) => [tensor, toTensor(golden(kind, tensor))]));
  const checkOutputs = async (actual: Tensors) => {
    for (const output of outputs) {
      const expected = golden('out', output);
      if (!actual[output]) throw new Error(`There is no output ${output}`);
      expect(actual[output].dtype, `${output}: dtype`).to.equal(expected.dtype);
      const tolerance = expected.dtype === 'int32' ? 0 : OUTPUT_TOLERANCE * condition(output, expected, golden);
      await expectClose(actual[output], expected, tolerance, output);
    }
  };
  const inputTensors = toTensors('in', inputs);
  const dyTensors = toTensors('dy', dy);

  // An op may do less where no gradient is wanted, so its outputs are checked both ways.
  const forward = tf.tidy(() => run(inputTensors, options));
  await checkOutputs(forward);
  tf.dispose(forward);

  if (grads.length > 0) {
    const result = runWithGradients(run, inputTensors, dyTensors, grads, options);
    await checkOutputs(result.outputs);
    for (const input of grads) {
      await expectClose(result.grads[input]!, golden('grad', input), GRADIENT_TOLERANCE, `gradient of ${input}`);
    }
    tf.dispose([result.outputs, result.grads]);
  }
  tf.dispose([inputTensors, dyTensors]);
}

export interface GoldenOptions {
  /** The cases that are left out, and why. */
  skipped?: Readonly<Record<string, string>>;
  /**
   * How many times an output's tolerance is that of a sum whose terms don't cancel: its terms' magnitude over its own. No order of a
   * float32 sum has fewer wrong digits than that. 1 unless given.
   */
  condition?(output: string, expected: GoldenTensor, golden: (kind: string, tensor: string) => GoldenTensor): number;
}

/** Defines one test for each reference case of an op: its outputs, its gradients, and that it leaks nothing. */
export function describeGolden(opName: string, run: RunOp, options: GoldenOptions = {}): void {
  describe(`${opName}: reference cases`, () => {
    const file = load(opName);
    for (const goldenCase of file.metadata.cases as GoldenCase[]) {
      const { name } = goldenCase;
      const reason = options.skipped?.[name];
      if (reason) it.skip(`${name}: ${reason}`);
      else it(name, () => expectNoLeak(() => checkCase(goldenCase, file, run, options)));
    }
  });
}
