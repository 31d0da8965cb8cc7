import type { StorageType, UniformType } from '../runtime/program.js';
import { times } from '../wgsl/elements.js';
import { fetchQuad, type HeadRows, headStart, quadsOf, strideUniforms, typeOf } from './heads.js';
import { COMPONENTS, declarePart, eachElement, multiplyRows, type Part } from './products.js';
import {
  isKept,
  isVisible,
  needsMask,
  rowBits,
  type ScoreSpec,
  scoreDeclarations,
  scoreOf,
  scoreReads,
  scoreUniforms,
  segmentOf,
} from './scores.js';
import { SharedTile, Stage } from './shared_tile.js';
import { type AttentionTile, columnsOf, rowsOf, threadsOf } from './tile.js';

interface AheadOptions {
  /** Whether what a product takes first is fetched already. */
  readonly isFetched?: boolean;
  /** WGSL that reads what is needed after the product: it is under way during the multiplications. */
  readonly ahead?: string;
}

/**
 * WGSL of a block of the scores' gradient, with keys along rows and queries along columns:
 *
 *     p = 2^(s − lse),  dp = v · dyᵀ,  ds = p · (dp · kept − δ)
 *
 * where kept is what dropout multiplied a weight by, and δ, Σ dy · y − dlse, is in `stats` behind lse.
 */
export class ScoreGradient {
  readonly rows: number;
  readonly columns: number;
  readonly threads: number;
  readonly chunks: number;
  /** Keys, then weights, then their gradients: all have one shape. */
  readonly keyTile: SharedTile;
  readonly queryTile: SharedTile;
  /** Rows of dy, or those of keys. */
  readonly otherTile: SharedTile;
  /** s becomes p. */
  readonly weights: Part;
  /** p · kept. */
  readonly keptWeights: Part;
  /** dp becomes ds. */
  readonly slopes: Part;
  /** Values, in the place of queries. */
  private readonly valueTile: SharedTile;
  /** Whether p stays in registers, since it can't be had from p · kept, or its slope is needed, too. */
  private readonly holdsWeights: boolean;
  private readonly isPadded: boolean;

  constructor(
    private readonly spec: ScoreSpec & HeadRows & { readonly tile: AttentionTile },
    /** Whether softcap's slope is to be a factor of ds: not for the gradient of what is added behind it. */
    private readonly throughSoftcap: boolean,
  ) {
    const { tile, headSize } = spec;
    const { rowLanes, columnLanes, threadRows, columnQuads, depth } = tile;
    if (depth !== columnLanes || columnQuads !== 1 || rowsOf(tile) > columnsOf(tile)) {
      throw new Error('A tile of ScoreGradient is as wide as its lanes, and has no more keys than queries');
    }
    [this.rows, this.columns, this.threads] = [rowsOf(tile), columnsOf(tile), threadsOf(tile)];
    this.chunks = Math.ceil(quadsOf(headSize) / depth);
    this.isPadded = this.chunks > 2 || quadsOf(headSize) % depth !== 0;
    this.keyTile = new SharedTile('keyTile', 'strided', rowLanes, threadRows, depth);
    this.queryTile = new SharedTile('queryTile', 'quads', columnLanes, 4, depth);
    this.otherTile = new SharedTile('otherTile', 'quads', columnLanes, 4, depth);
    this.valueTile = new SharedTile('queryTile', 'strided', columnLanes, 4, depth).among(rowLanes);
    this.weights = { name: 's', rows: threadRows, quads: 1 };
    this.keptWeights = spec.dropout ? { ...this.weights, name: 'kept' } : this.weights;
    this.holdsWeights = spec.dropout || this.hasSlope;
    this.slopes = { name: 'd', rows: threadRows, quads: 1 };
  }

  /** What a program that computes it binds, takes and declares. */
  get reads(): Record<string, StorageType> {
    const type = typeOf(this.spec);
    return { q: type, k: type, v: type, dy: type, stats: 'i32', ...scoreReads(this.spec) };
  }

  get uniforms(): Record<string, UniformType> {
    return { ...scoreUniforms(this.spec), ...strideUniforms('q', 'k', 'v', 'dy') };
  }

  get declarations(): string {
    const tiles = new Set([this.keyTile, this.queryTile, this.otherTile]);
    return [...[...tiles].map(({ declaration }) => declaration), scoreDeclarations(this.spec)].join('\n');
  }

  /** WGSL of a thread's place. */
  get lanes(): string {
    const { columnLanes } = this.spec.tile;
    return `let laneRow = thread / ${columnLanes}u;
  let laneColumn = thread % ${columnLanes}u;`;
  }

  /** WGSL that puts one column block of rows of q, k, v or dy into a tile: `fetch`, then `store`. */
  stage(
    name: 'q' | 'k' | 'v' | 'dy',
    tile: SharedTile,
    part: string,
    register = `${name}Row`,
  ): { fetch: string; store: string } {
    const ofKeys = name === 'k' || name === 'v';
    const stage = new Stage(tile, this.threads, tile.width, ofKeys ? this.rows : this.columns);
    const value = (row: string, column: string) => {
      const first = ofKeys ? 'firstKey' : 'firstQuery';
      const start = `${name}Start + u32(min(${first} + i32(${row}), u.${ofKeys ? 'keys' : 'queries'} - 1)) * u.${name}Row`;
      const quad = fetchQuad(this.spec, name, start, `(${part} + ${column})`, this.isPadded);
      return ofKeys ? `select(vec4f(), ${quad}, firstKey + i32(${row}) < keyEnd)` : quad;
    };
    return { fetch: stage.fetch(register, value), store: stage.store(register) };
  }

  keyOf(i: number): string {
    return `(firstKey + i32(laneRow) + ${i * this.spec.tile.rowLanes})`;
  }

  queryOf(c: number): string {
    return `(firstQuery + i32(laneColumn) * 4 + ${c})`;
  }

  /** What depends on the keys alone: `firstKey`, `keyHead`, `batch` and `keyEnd` are there. */
  get keyBlock(): string {
    const { spec, weights } = this;
    return `
  let kStart = ${headStart('k', 'batch', 'keyHead')};
  let vStart = ${headStart('v', 'batch', 'keyHead')};
  ${
    spec.visibility === 'segments'
      ? Array.from(
          { length: weights.rows },
          (_, i) => `let segmentOfKey${i} = ${segmentOf('stats', 'batch', this.keyOf(i))};`,
        ).join('\n')
      : ''
  }`;
  }

  private get hasSlope(): boolean {
    return this.spec.softcap && this.throughSoftcap;
  }

  /** As `stage`, of the values. */
  stageValues(part: string): { fetch: string; store: string } {
    return this.stage('v', this.valueTile, part);
  }

  /**
   * WGSL of a product of what is staged, with `ahead` before the multiplications.
   *
   * @param isFetched Whether the first is fetched already.
   */
  private product(
    c: Part,
    tiles: readonly [SharedTile, SharedTile],
    stages: (part: string) => ReadonlyArray<{ fetch: string; store: string }>,
    { isFetched = false, ahead = '' }: AheadOptions = {},
  ): string {
    const { depth, unroll } = this.spec.tile;
    const isWhole = this.chunks === 1;
    const staged = stages(isWhole ? '0u' : 'part');
    const text = `
      ${staged.map(({ fetch }, i) => (i === 0 && isFetched ? '' : fetch)).join('\n')}
      workgroupBarrier();
      ${staged.map(({ store }) => store).join('\n')}
      workgroupBarrier();
      ${ahead}
      ${multiplyRows(c, ...tiles, depth, unroll)}`;
    return isWhole ? text : `for (var part = 0u; part < ${this.chunks * depth}u; part += ${depth}u) { ${text} }`;
  }

  /** The weights of a block: `firstQuery` and `queryHead` are there, too. `ahead` stands before the multiplications. */
  weightsBlock(ahead = ''): string {
    const { spec, weights, keptWeights, keyTile, queryTile, columns } = this;
    const { visibility, bias, dropout } = spec;
    const stages = (part: string) => [this.stage('k', keyTile, part), this.stage('q', queryTile, part)];
    return `
    let qStart = ${headStart('q', 'batch', 'queryHead')};
    let dyStart = ${headStart('dy', 'batch', 'queryHead')};
    let rowsBefore = (batch * u.queryHeads + queryHead) * u32(u.queries);
    ${times(
      4,
      (c) => `let row${c} = rowsBefore + u32(min(${this.queryOf(c)}, u.queries - 1));
    let lse${c} = bitcast<f32>(stats[row${c} * 2u]);
    ${dropout ? `let bits${c} = ${rowBits(`row${c}`)};` : ''}
    ${bias ? `let biasRow${c} = batch * u.biasBatch + queryHead * u.biasHead + u32(min(${this.queryOf(c)}, u.queries - 1)) * u.biasRow;` : ''}
    ${visibility === 'segments' ? `let segmentOfQuery${c} = ${segmentOf('stats', 'batch', this.queryOf(c))};` : ''}`,
    )}
    ${declarePart(weights)}
    ${this.product(weights, [keyTile, queryTile], stages, { ahead })}
    ${this.hasSlope ? eachElement(weights, (s, i, _, c) => `let slope${i}_${c} = tanhAndSlope(${s} * u.scale).slope;`) : ''}
    ${eachElement(weights, (s, i, _, c) => `${s} = exp2(${scoreOf(spec, s, `biasRow${c}`, bias ? `min(${this.keyOf(i)}, u.keys - 1)` : '')} - lse${c});`)}
    if (firstQuery + ${columns} > u.queries || ${needsMask(
      spec,
      ['firstQuery + u.shift', `firstQuery + ${columns - 1} + u.shift`],
      ['firstKey', `firstKey + ${this.rows - 1}`],
    )}) {
      ${eachElement(weights, (s, i, _, c) => {
        const visible = isVisible(spec, `(${this.queryOf(c)} + u.shift)`, this.keyOf(i), [
          `segmentOfKey${i}`,
          `segmentOfQuery${c}`,
        ]);
        return `${s} = select(0.0, ${s}, (${this.queryOf(c)} < u.queries) & ${visible});`;
      })}
    }
    ${
      dropout
        ? declarePart(keptWeights) +
          eachElement(keptWeights, (kept, i, j, c) => `${kept} = s${i}_${j}.${COMPONENTS[c]} * ${this.keptOf(i, c)};`)
        : ''
    }`;
  }

  /** WGSL of what dropout multiplies a weight by. */
  private keptOf(i: number, c: number): string {
    return `select(0.0, u.keepScale, ${isKept(`bits${c}`, this.keyOf(i))})`;
  }

  /**
   * The gradient of a block, once `keyTile` holds its weights.
   *
   * @param ahead With `isFetched`, of heads that fit a tile: values are fetched, and `otherTile` holds rows of dy.
   */
  slopesBlock(ahead: AheadOptions = {}): string {
    const { spec, weights, slopes, keyTile, valueTile, otherTile, holdsWeights } = this;
    const weight = holdsWeights ? weights.name : 'p';
    const stages = (part: string) => [
      this.stageValues(part),
      ...(ahead.isFetched ? [] : [this.stage('dy', otherTile, part)]),
    ];
    return `
    ${times(4, (c) => `let delta${c} = bitcast<f32>(stats[row${c} * 2u + 1u]);`)}
    ${declarePart(slopes)}
    ${this.product(slopes, [valueTile, otherTile], stages, ahead)}
    ${
      holdsWeights
        ? ''
        : `let weightTurn = ${keyTile.turn('laneRow')};
    ${times(weights.rows, (i) => `let p${i}_0 = ${keyTile.read(i, 'laneRow', 'laneColumn', 'weightTurn')};`)}`
    }
    ${eachElement(slopes, (d, i, j, c) => {
      const kept = spec.dropout ? ` * ${this.keptOf(i, c)}` : '';
      const slope = this.hasSlope ? ` * slope${i}_${c}` : '';
      return `${d} = ${weight}${i}_${j}.${COMPONENTS[c]} * (${d}${kept} - delta${c})${slope};`;
    })}`;
  }

  /** WGSL that stores a part, of weights or of their gradients, in place of the keys. */
  store(part: Part): string {
    return `{
      let turn = ${this.keyTile.turn('laneRow')};
      ${Array.from({ length: part.rows }, (_, i) => `${this.keyTile.read(i, 'laneRow', 'laneColumn', 'turn')} = ${part.name}${i}_0;`).join('\n')}
    }`;
  }
}
