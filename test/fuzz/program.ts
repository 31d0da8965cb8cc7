/** Random programs over a handful of small tensors, to be run on two backends. */
import fc from 'fast-check';
import { capture, crossEntropy, linear, rmsNorm, swiglu, train } from '../../src/index.js';
import { tf } from '../support/backend.js';

/** A number that picks one of what there is. */
type Pick = number;

type Simple =
  | { do: 'upload'; shape: Pick; seed: number }
  | { do: 'fill'; shape: Pick; value: number }
  | { do: 'unary'; op: Pick; a: Pick }
  | { do: 'binary'; op: Pick; a: Pick; b: Pick }
  | { do: 'rows'; op: Pick; a: Pick; b: Pick }
  | { do: 'view'; op: Pick; a: Pick }
  | { do: 'gradient'; op: Pick; a: Pick; b: Pick }
  | { do: 'assign'; variable: Pick; a: Pick }
  | { do: 'copyVariable'; variable: Pick }
  | { do: 'shareVariable'; variable: Pick; other: Pick }
  | { do: 'train'; a: Pick }
  | { do: 'clone'; a: Pick }
  | { do: 'dispose'; a: Pick };

type Instruction =
  | Simple
  | { do: 'read'; a: Pick; waits: boolean }
  | { do: 'tidy'; body: Simple[]; keeps: Pick }
  | { do: 'capture'; inputs: Pick[]; body: Simple[]; outputs: Pick[] }
  | { do: 'call'; captured: Pick; a: Pick; b: Pick; disposes: boolean };

export type Program = Instruction[];

const SHAPES = [[3, 4], [4, 4], [4], [], [16]];

const pick = fc.nat(997);
const seed = fc.nat(99);

const simple: fc.Arbitrary<Simple> = fc.oneof(
  fc.record({ do: fc.constant('upload' as const), shape: pick, seed }),
  fc.record({ do: fc.constant('fill' as const), shape: pick, value: fc.constantFrom(-1, 0, 0.5, 2) }),
  fc.record({ do: fc.constant('unary' as const), op: pick, a: pick }),
  fc.record({ do: fc.constant('binary' as const), op: pick, a: pick, b: pick }),
  { weight: 3, arbitrary: fc.record({ do: fc.constant('rows' as const), op: pick, a: pick, b: pick }) },
  fc.record({ do: fc.constant('view' as const), op: pick, a: pick }),
  fc.record({ do: fc.constant('gradient' as const), op: pick, a: pick, b: pick }),
  fc.record({ do: fc.constant('assign' as const), variable: pick, a: pick }),
  fc.record({ do: fc.constant('copyVariable' as const), variable: pick }),
  fc.record({ do: fc.constant('shareVariable' as const), variable: pick, other: pick }),
  fc.record({ do: fc.constant('train' as const), a: pick }),
  fc.record({ do: fc.constant('clone' as const), a: pick }),
  fc.record({ do: fc.constant('dispose' as const), a: pick }),
);

const body = fc.array(simple, { minLength: 1, maxLength: 8 });

const call = fc.record({
  do: fc.constant('call' as const),
  captured: pick,
  a: pick,
  b: pick,
  disposes: fc.boolean(),
});

const instruction: fc.Arbitrary<Instruction> = fc.oneof(
  { weight: 12, arbitrary: simple as fc.Arbitrary<Instruction> },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('read' as const), a: pick, waits: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('tidy' as const), body, keeps: pick }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('capture' as const),
      inputs: fc.array(pick, { minLength: 0, maxLength: 2 }),
      body,
      outputs: fc.array(pick, { minLength: 0, maxLength: 2 }),
    }),
  },
  { weight: 6, arbitrary: call },
);

export const program: fc.Arbitrary<Program> = fc.array(instruction, { minLength: 4, maxLength: 30 });

type Unary = (x: tf.Tensor) => tf.Tensor;
type Binary = (x: tf.Tensor, y: tf.Tensor) => tf.Tensor;

// None makes values much larger than its inputs, so that programs may be long.
const unaries: Record<string, Unary> = {
  neg: (x) => tf.neg(x),
  tanh: (x) => tf.tanh(x),
  sigmoid: (x) => tf.sigmoid(x),
  relu: (x) => tf.relu(x),
  half: (x) => tf.mul(x, 0.5),
};
const binaries: Record<string, Binary> = {
  mean: (x, y) => tf.mul(tf.add(x, y), 0.5),
  difference: (x, y) => tf.mul(tf.sub(x, y), 0.5),
  gate: (x, y) => tf.mul(x, tf.sigmoid(y)),
  swiglu: (x, y) => swiglu(tf.tanh(x), tf.tanh(y)),
};
/** Of [rows, 4], and of another of [4, 4]. */
const rowOps: Record<string, Binary> = {
  matMul: (x, w) => tf.mul(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D), 0.25),
  linear: (x, w) => linear(x, tf.mul(w, 0.25)),
  addLinear: (x, w) => tf.mul(tf.add(x, linear(x, tf.mul(w, 0.25))), 0.5),
  softmax: (x) => tf.softmax(x),
  rmsNorm: (x) => rmsNorm(tf.add(x, 0.01)),
  scaledRmsNorm: (x, w) => rmsNorm(tf.add(x, 0.01), tf.reshape(tf.slice(w, [1, 0], [1, 4]), [4])),
  sumRows: (x) => tf.mul(tf.sum(x, 0), 0.25),
  sum: (x) => tf.mul(tf.sum(x), 0.1),
  gather: (x) => tf.gather(x, tf.tensor1d([2, 0, 1], 'int32')),
  slice: (x) => tf.slice(x, [x.shape[0]! - 3, 0], [3, 4]),
  concat: (x, w) => tf.concat([tf.slice(w, [0, 0], [1, 4]), tf.slice(x, [0, 0], [3, 4])]),
  crossEntropy: (x) => crossEntropy(x, tf.range(0, x.shape[0]!, 1, 'int32')),
};
const views: Record<string, { from: number[][]; run: Unary }> = {
  flatten: { from: [[4, 4]], run: (x) => tf.reshape(x, [16]) },
  square: { from: [[16]], run: (x) => tf.reshape(x, [4, 4]) },
  transpose: { from: [[4, 4]], run: (x) => tf.transpose(x) },
};

const entry = <T>(record: Record<string, T>, choice: Pick): [string, T] => {
  const entries = Object.entries(record);
  return entries[choice % entries.length]!;
};

function valuesFor(shape: number[], from: number): Float32Array {
  return Float32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => Math.sin(1 + 3.7 * i + 1.3 * from));
}

interface Slot {
  name: string;
  tensor: tf.Tensor;
}

/** What a run has, and the lines that it consists of. */
interface State {
  slots: Slot[];
  variables: Slot[];
  optimizer: ReturnType<typeof train.adamW>;
  lines: string[];
  count: number;
}

const isShape = (...shapes: number[][]) => {
  const texts = shapes.map(String);
  return ({ tensor }: Slot) => texts.includes(`${tensor.shape}`);
};

function choose(slots: readonly Slot[], choice: Pick, fits: (slot: Slot) => boolean = () => true): Slot | undefined {
  const candidates = slots.filter(fits);
  return candidates.length > 0 ? candidates[choice % candidates.length] : undefined;
}

function runSimple(state: State, step: Simple): void {
  const { slots, variables, lines } = state;
  const all = [...slots, ...variables];
  const put = (text: string, make: () => tf.Tensor) => {
    const name = `t${state.count++}`;
    lines.push(`${name} = ${text}`);
    slots.push({ name, tensor: tf.tidy(make) });
  };
  const rows = isShape([3, 4], [4, 4]);
  const square = isShape([4, 4]);
  switch (step.do) {
    case 'upload': {
      const shape = SHAPES[step.shape % SHAPES.length]!;
      put(`upload([${shape}], ${step.seed})`, () => tf.tensor(valuesFor(shape, step.seed), shape));
      return;
    }
    case 'fill': {
      const shape = SHAPES[step.shape % SHAPES.length]!;
      put(`fill([${shape}], ${step.value})`, () => tf.fill(shape, step.value));
      return;
    }
    case 'unary': {
      const a = choose(all, step.a);
      const [name, run] = entry(unaries, step.op);
      if (a) put(`${name}(${a.name})`, () => run(a.tensor));
      return;
    }
    case 'binary': {
      const a = choose(all, step.a);
      const b = a && choose(all, step.b, isShape(a.tensor.shape));
      const [name, run] = entry(binaries, step.op);
      if (a && b) put(`${name}(${a.name}, ${b.name})`, () => run(a.tensor, b.tensor));
      return;
    }
    case 'rows': {
      const [a, b] = [choose(all, step.a, rows), choose(all, step.b, square)];
      const [name, run] = entry(rowOps, step.op);
      if (a && b) put(`${name}(${a.name}, ${b.name})`, () => run(a.tensor, b.tensor));
      return;
    }
    case 'view': {
      const [name, { from, run }] = entry(views, step.op);
      const a = choose(all, step.a, isShape(...from));
      if (a) put(`${name}(${a.name})`, () => run(a.tensor));
      return;
    }
    case 'gradient': {
      const [a, b] = [choose(slots, step.a, rows), choose(all, step.b, square)];
      const [name, run] = entry(rowOps, step.op);
      if (!a || !b) return;
      put(`gradient of sum(tanh(${name}(x, ${b.name}))) at x = ${a.name}`, () =>
        tf.grad((x: tf.Tensor) => tf.sum(tf.tanh(run(x, b.tensor))))(a.tensor),
      );
      return;
    }
    case 'assign': {
      const variable = choose(variables, step.variable)!;
      const a = choose(slots, step.a, isShape(variable.tensor.shape));
      if (!a) return;
      lines.push(`${variable.name}.assign(${a.name})`);
      (variable.tensor as tf.Variable).assign(a.tensor);
      return;
    }
    case 'copyVariable': {
      const variable = choose(variables, step.variable)!;
      put(`${variable.name}.clone()`, () => variable.tensor.clone());
      return;
    }
    case 'shareVariable': {
      const variable = choose(variables, step.variable)!;
      const other = choose(variables, step.other, isShape(variable.tensor.shape))!;
      lines.push(`${variable.name}.assign(${other.name})`);
      if (other !== variable) (variable.tensor as tf.Variable).assign(other.tensor);
      return;
    }
    case 'train': {
      const a = choose(slots, step.a, rows);
      if (!a) return;
      const [w, , g] = variables.map(({ tensor }) => tensor);
      lines.push(`optimizer.minimize(() => sum(square(linear(rmsNorm(${a.name} + 0.01, g), w))), [w, g])`);
      tf.tidy(() => {
        const x = tf.add(a.tensor, 0.01);
        const loss = () => tf.sum(tf.square(linear(rmsNorm(x, g!), w!))) as tf.Scalar;
        state.optimizer.minimize(loss, false, [w, g] as tf.Variable[]);
      });
      return;
    }
    case 'clone': {
      const a = choose(slots, step.a);
      if (a) put(`${a.name}.clone()`, () => a.tensor.clone());
      return;
    }
    case 'dispose': {
      const a = choose(slots, step.a);
      if (!a) return;
      lines.push(`${a.name}.dispose()`);
      a.tensor.dispose();
      slots.splice(slots.indexOf(a), 1);
    }
  }
}

interface CapturedBody {
  name: string;
  inputs: number[][];
  run: ReturnType<typeof capture>;
}

export interface Outcome {
  values: Array<{ what: string; data: Float32Array }>;
  lines: string[];
}

/** Runs a program on the current backend, and gives what it read, in order. It leaves no tensor behind, if all is well. */
export async function runProgram(instructions: Program): Promise<Outcome> {
  const variables = tf.tidy(() =>
    [[4, 4], [4, 4], [4]].map((shape, i) => {
      const initial = i === 1 ? tf.fill(shape, 0.25) : tf.tensor(valuesFor(shape, 100 + i), shape);
      return { name: ['w', 'w2', 'g'][i]!, tensor: tf.variable(initial) as tf.Tensor };
    }),
  );
  const optimizer = train.adamW({ learningRate: 0.05, epsilon: 0.05, clipNorm: 1 });
  const state: State = { slots: [], variables, optimizer, lines: [], count: 0 };
  const { slots, lines } = state;
  const captures: CapturedBody[] = [];
  const values: Array<{ what: string; data: Promise<Float32Array> }> = [];
  const read = ({ name, tensor }: Slot) => {
    const data = tensor.data<'float32'>().then((read) => read.slice());
    data.catch(() => {});
    values.push({ what: `${name} in line ${lines.length}`, data });
    return data;
  };

  const tidyBody = ({ body, keeps }: { body: Simple[]; keeps: Pick }) => {
    lines.push('tidy {');
    const inner: State = { ...state, slots: [...slots] };
    const kept = tf.tidy(() => {
      // What was there before is not its to dispose.
      for (const step of body) if (step.do !== 'dispose') runSimple(inner, step);
      const slot = choose(inner.slots.slice(slots.length), keeps);
      if (!slot) return [];
      tf.keep(slot.tensor);
      slots.push(slot);
      lines.push(`  keep(${slot.name})`);
      return [];
    });
    state.count = inner.count;
    tf.dispose(kept);
    lines.push('}');
  };

  const captureBody = ({ inputs, body, outputs }: Extract<Instruction, { do: 'capture' }>) => {
    const name = `c${captures.length}`;
    const shapes = inputs.map((shape) => SHAPES[shape % SHAPES.length]!);
    const runBody = (recordLines: string[], ...given: tf.Tensor[]) => {
      const inner: State = {
        ...state,
        slots: given.map((tensor, i) => ({ name: `x${i}`, tensor })),
        lines: recordLines,
        count: 0,
      };
      // An input is not the step's to dispose.
      for (const step of body) {
        if (step.do === 'dispose') {
          const made = { ...inner, slots: inner.slots.slice(given.length) };
          runSimple(made, step);
          inner.slots = [...inner.slots.slice(0, given.length), ...made.slots];
        } else {
          runSimple(inner, step);
        }
      }
      const chosen = outputs.map((output) => choose(inner.slots, output)).filter((slot) => slot !== undefined);
      recordLines.push(`return [${chosen.map((slot) => slot.name)}]`);
      return chosen.map((slot) => slot.tensor);
    };
    let described: string[] | null = null;
    const run = capture((...given: tf.Tensor[]) => {
      const inner: string[] = [];
      const result = runBody(inner, ...given);
      if (!described) {
        described = inner;
        lines.push(`  // ${name}: ${inner.join('; ')}`);
      }
      return result;
    });
    captures.push({ name, inputs: shapes, run: run as never });
    lines.push(`${name} = capture((${shapes.map((shape, i) => `x${i}: [${shape}]`).join(', ')}) => …)`);
  };

  const callCaptured = (step: Extract<Instruction, { do: 'call' }>) => {
    if (captures.length === 0) return;
    const { name, inputs, run } = captures[step.captured % captures.length]!;
    const given = inputs.map((shape, i) => choose(slots, i === 0 ? step.a : step.b, isShape(shape)));
    if (given.some((slot) => slot === undefined)) return;
    const outputs = run(...given.map((slot) => slot!.tensor)) as unknown as tf.Tensor[];
    const copies = outputs.map((tensor) => ({ name: `t${state.count++}`, tensor: tf.mul(tensor, 1) }));
    lines.push(`[${copies.map((copy) => copy.name)}] = copies of ${name}(${given.map((slot) => slot!.name)})`);
    slots.push(...copies);
    if (step.disposes || tf.getBackend() === 'cpu') {
      for (const output of outputs) if (!slots.some(({ tensor }) => tensor === output)) output.dispose();
    }
  };

  try {
    for (const step of instructions) {
      if (step.do === 'read') {
        const slot = choose([...slots, ...variables], step.a);
        if (!slot) continue;
        lines.push(`${step.waits ? 'await ' : ''}${slot.name}.data()`);
        const data = read(slot);
        if (step.waits) await data;
      } else if (step.do === 'tidy') tidyBody(step);
      else if (step.do === 'capture') captureBody(step);
      else if (step.do === 'call') callCaptured(step);
      else runSimple(state, step);
      // Few at a time, so that buffers are used again.
      while (slots.length > 12) slots.shift()!.tensor.dispose();
    }
    for (const slot of [...slots, ...variables]) read(slot);
    const result = [];
    for (const { what, data } of values) result.push({ what, data: await data });
    return { values: result, lines };
  } catch (error) {
    (error as { lines?: string[] }).lines = lines;
    throw error;
  } finally {
    await Promise.allSettled(values.map(({ data }) => data));
    for (const { run } of captures) run.dispose();
    tf.dispose(slots.map(({ tensor }) => tensor));
    tf.dispose(variables.map(({ tensor }) => tensor));
    optimizer.dispose();
  }
}
