/** What every op says of wrong arguments: one table for all of them, made from their signatures. */
import { expect } from 'chai';
import type { Option } from '../../src/checks/config_schema.js';
import { isTensorOption } from '../../src/checks/config_schema.js';
import { type Argument, Signature } from '../../src/checks/signature.js';
import * as liger from '../../src/index.js';
import { tf } from '../support/backend.js';
import { expectError, expectNoLeak } from '../support/golden.js';

type Op = (...args: unknown[]) => tf.TensorContainer;

const ops = liger as unknown as Record<string, Op>;

/** Sizes of named dimensions that suit every op; others are 3, 5, 7 and so on. */
const SIZES: Readonly<Record<string, number>> = {
  ...{ B: 2, '2B': 4, W: 25, D: 4, 'D/2': 2, N: 1, R: 4, Hq: 4, Hk: 2 },
  ...{ C: 4, 'C/groups': 4, I: 4, '2I': 8, O: 6, rows: 2, columns: 2 },
  ...{ Hq·D: 16, Hk·D: 8, '(Hq+2Hk)·D': 32 },
  ...{ HC: 2, HC·C: 8, 'HC²+2HC': 8 },
};

/** How an op is told which of its signatures is meant, where it has several: one config for each, in their order. */
const CONFIGS: Readonly<Record<string, ReadonlyArray<object>>> = {
  flashAttention: [{}, { layout: 'bthd' }, { heads: 4, keyHeads: 2 }, { heads: 4, keyHeads: 2 }],
  groupNorm: [{ numGroups: 2 }, { numGroups: 2, dataFormat: 'channelsFirst' }],
  qwen2vlMrope: [{ mropeSection: [1, 1, 0] }],
  rope: [{}, { layout: 'bthd' }, { layout: 'thd' }, { layout: 'thd' }],
};

/** The same of every op whose weight comes in two layouts. */
const BOTH_LAYOUTS: readonly object[] = [{}, { transposeWeight: true }];

/** A loss of one's own: the function follows the tensors. */
const withLoss =
  (op: string, lossOf: (logps: never) => tf.Tensor): Op =>
  (...args) =>
    ops[op]!(...args.slice(0, -1), lossOf, args.at(-1));

/** Ops that take a function among their arguments, as functions of the tensors and the config alone. */
const WITH_FUNCTIONS: Readonly<Record<string, Op>> = {
  fusedLinearDistillation: withLoss('fusedLinearDistillation', ({ studentLogits }: liger.DistillationLogits) =>
    tf.sum(studentLogits),
  ),
  fusedLinearPolicy: withLoss('fusedLinearPolicy', ({ perTokenLogps }: liger.PolicyLogps) => tf.sum(perTokenLogps)),
  fusedLinearPreference: withLoss('fusedLinearPreference', ({ chosenLogps }: liger.PreferenceLogps) =>
    tf.sum(chosenLogps),
  ),
  fusedLinearUnpairedPreference: withLoss('fusedLinearUnpairedPreference', ({ logps }: liger.UnpairedPreferenceLogps) =>
    tf.sum(logps),
  ),
  mhcForward: (x, ...others) => ops.mhcForward!(x, (t: tf.Tensor) => t, ...others),
};

/** The shapes of an op's tensors, of which all agree. */
function shapesOf(args: Readonly<Record<string, Argument>>): Record<string, number[]> {
  const sizes: Record<string, number> = { ...SIZES };
  let next = 3;
  const sizeOf = (symbol: string) => {
    if (/^\d+$/.test(symbol)) return Number(symbol);
    if (!(symbol in sizes)) {
      sizes[symbol] = next;
      next += 2;
    }
    return sizes[symbol]!;
  };
  return Object.fromEntries(
    Object.entries(args).map(([name, { shape }]) => [
      name,
      shape.flatMap((symbol) => (symbol.endsWith('...') ? [2, 1] : [sizeOf(symbol)])),
    ]),
  );
}

const make = (shape: number[], dtype: 'float32' | 'int32' | 'string') =>
  dtype === 'string' ? tf.tensor(Array(tf.util.sizeFromShape(shape)).fill(''), shape, dtype) : tf.zeros(shape, dtype);

/** Values of many kinds, of which an option accepts some. */
const VALUES: unknown[] = ['text', -1, 0, 0.5, 1e9, Number.NaN, true, {}, () => 0];
const wrongFor = (option: Option<unknown>) => VALUES.filter((value) => !option.accepts(value));

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

for (const { op, args, options } of Signature.all) {
  const ofOp = Signature.all.filter((signature) => signature.op === op);
  const configs = CONFIGS[op] ?? ('transposeWeight' in options ? BOTH_LAYOUTS : []);
  const config = configs[ofOp.findIndex((signature) => signature.args === args)] ?? {};
  const names = Object.keys(args);

  describe(`${op}${Object.keys(config).length > 0 ? ` with ${Object.keys(config).join(' and ')}` : ''}, of ${names.join(', ')}`, () => {
    const shapes = shapesOf(args);
    let given: Record<string, tf.Tensor>;
    beforeEach(() => {
      given = Object.fromEntries(names.map((name) => [name, make(shapes[name]!, args[name]!.dtype)]));
    });
    afterEach(() => tf.dispose(given));

    const call = (changed: Record<string, unknown>, changedConfig: unknown = config) =>
      (WITH_FUNCTIONS[op] ?? ops[op]!)(...Object.values({ ...given, ...changed }), changedConfig);
    /** The message is as expected, and nothing is lost. */
    const refuses = (changed: Record<string, unknown>, changedConfig: unknown, message: string) =>
      expectError(() => call(changed, changedConfig), new RegExp(message));

    for (const [i, name] of names.entries()) {
      const { dtype, isNumeric, optional } = args[name]!;
      const shape = shapes[name]!;
      const other = isNumeric ? 'string' : dtype === 'float32' ? 'int32' : 'float32';

      it(`names ${name} where it is missing, disposed, or no tensor`, () => {
        if (!optional)
          refuses({ [name]: undefined }, config, `^${op}: ${name} must be an? ${dtype} tensor, but got undefined$`);
        const disposed = make(shape, dtype);
        disposed.dispose();
        refuses({ [name]: disposed }, config, `^${op}: ${name} is a tensor that was disposed$`);
        refuses(
          { [name]: 'text' },
          config,
          `^${op}: ${name} must be an? ${dtype} tensor or an array of numbers, but got 'text'$`,
        );
      });

      it(`names ${name} where its type or shape is another`, () => {
        const wrongType = make(shape, other);
        const cast = dtype === 'int32' ? 'toInt' : 'toFloat';
        const got = `an? ${other} tensor of shape \\[${shape}\\]`;
        refuses(
          { [name]: wrongType },
          config,
          `^${op}: ${name} must be an? ${dtype} tensor, but got ${got}; pass ${name}\\.${cast}\\(\\)$`,
        );
        // Too few dimensions; where any number will do, others than those of another tensor.
        const isFree = args[name]!.shape.every((symbol) => symbol === '...');
        const others = names.filter((each) => each !== name && args[each]!.shape.includes('...'));
        const wrongShape = make(isFree ? [...shape, 11] : [], dtype);
        const culprits = isFree && (i === 0 || others.length === 0) ? others : [name];
        if (culprits.length > 0) {
          const message = `^${op}: (${culprits.join('|')}) must have shape \\[.*\\].*, but got an? .* tensor of shape \\[.*\\]$`;
          refuses({ [name]: wrongShape }, config, message);
        }
        tf.dispose([wrongType, wrongShape]);
      });
    }

    it('names an unknown option, and refuses what is no config', () => {
      for (const key of Object.keys(options)) {
        refuses({}, { [`${key}s`]: 1 }, `^${op}: unknown option '${key}s'; did you mean '${key}'\\?$`);
      }
      const known = Object.keys(options);
      const answer = known.length > 0 ? `the options are ${known.join(', ')}` : 'this op has no options';
      refuses({}, { qqqqqqqqqqqqqqqq: 1 }, `^${op}: unknown option 'qqqqqqqqqqqqqqqq'; ${answer}$`);
      for (const value of [1, 'text', [1]])
        refuses({}, value, `^${op}: the config must be an object of options, but got `);
      // After errors the next call works.
      expectNoLeak(() => tf.dispose(call({})));
    });

    for (const [key, option] of Object.entries(options)) {
      it(`names the option ${key} where its value is wrong`, () => {
        if (isTensorOption(option)) {
          const wrongShape = make([11, 13], option.dtype);
          const wrongType = make([3], option.dtype === 'float32' ? 'int32' : 'float32');
          // Where no other tensor says what `...` is, the op says itself which shapes will do.
          const isSaid = names.some((name) => args[name]!.shape.includes('...')) || !option.shape.includes('...');
          const shape = isSaid ? `have shape \\[${option.shape}\\]` : 'be .*of shape ';
          refuses({}, { ...config, [key]: wrongShape }, `^${op}: ${key} must ${shape}`);
          refuses({}, { ...config, [key]: wrongType }, `^${op}: ${key} must be an? ${option.dtype} tensor, but got`);
          tf.dispose([wrongShape, wrongType]);
        }
        const wrong = wrongFor(option);
        expect(wrong).to.be.an('array').that.is.not.empty;
        for (const value of wrong) {
          refuses(
            {},
            { ...config, [key]: value },
            `^${op}: option '${key}' must be ${escaped(option.expected)}, but got `,
          );
        }
      });
    }
  });
}
