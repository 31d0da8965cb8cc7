import type { StorageType, UniformType } from '../runtime/program.js';
import { times } from '../wgsl/elements.js';
import { fetchQuad, type HeadRows, headStart, quadsOf, strideUniforms, typeOf } from './heads.js';
import { declarePart, eachElement, multiplyRows, type Part } from './products.js';
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
  /** Keys or values, and then weights or their gradients: all have one shape. */
  readonly keyTile: SharedTile;
  readonly queryTile: SharedTile;
  /** Rows of dy, or those of keys. */
  readonly otherTile: SharedTile;
  /** s becomes p · kept, and dp becomes ds. */
  readonly weights: Part;
  readonly slopes: Part;
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
    // Heads that fit a tile stay in it; of larger ones each part is fetched where it is needed, so that one tile serves all.
    this.otherTile = this.chunks > 1 ? this.queryTile : new SharedTile('otherTile', 'quads', columnLanes, 4, depth);
    this.weights = { name: 's', rows: threadRows, quads: 1 };
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
  stage(name: 'q' | 'k' | 'v' | 'dy', tile: SharedTile, part: string): { fetch: string; store: string } {
    const ofKeys = name === 'k' || name === 'v';
    const stage = new Stage(tile, this.threads, tile.width, ofKeys ? this.rows : this.columns);
    const register = `${name}Row`;
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

  /** The gradient of a block: `firstQuery` and `queryHead` are there, too. `dy` stays in `otherTile`, and `q` in `queryTile`, if they are whole. */
  get block(): string {
    const { spec, weights, slopes, keyTile, queryTile, otherTile, columns } = this;
    const { depth, unroll } = spec.tile;
    const { visibility, softcap, bias, dropout } = spec;
    const [k, q] = [this.stage('k', keyTile, 'part'), this.stage('q', queryTile, 'part')];
    const [v, dy] = [this.stage('v', keyTile, 'part'), this.stage('dy', otherTile, 'part')];
    const product = (
      c: Part,
      a: { fetch: string; store: string },
      b: { fetch: string; store: string },
      tile: SharedTile,
    ) => `
    ${this.chunks > 1 ? `for (var part = 0u; part < ${this.chunks * depth}u; part += ${depth}u)` : ''} {
      ${this.chunks > 1 ? '' : 'let part = 0u;'}
      ${a.fetch}
      ${b.fetch}
      workgroupBarrier();
      ${a.store}
      ${b.store}
      workgroupBarrier();
      ${multiplyRows(c, keyTile, tile, depth, unroll)}
    }`;
    const eachQuery = (text: (c: number) => string) => times(4, text);
    const withSlope = softcap && this.throughSoftcap;
    return `
    let qStart = ${headStart('q', 'batch', 'queryHead')};
    let dyStart = ${headStart('dy', 'batch', 'queryHead')};
    ${declarePart(weights)}
    ${declarePart(slopes)}
    ${product(weights, k, q, queryTile)}
    ${product(slopes, v, dy, otherTile)}
    let rowsBefore = (batch * u.queryHeads + queryHead) * u32(u.queries);
    ${eachQuery(
      (c) => `let row${c} = rowsBefore + u32(min(${this.queryOf(c)}, u.queries - 1));
    let lse${c} = bitcast<f32>(stats[row${c} * 2u]);
    let delta${c} = bitcast<f32>(stats[row${c} * 2u + 1u]);
    ${dropout ? `let bits${c} = ${rowBits(`row${c}`)};` : ''}
    ${bias ? `let biasRow${c} = batch * u.biasBatch + queryHead * u.biasHead + u32(min(${this.queryOf(c)}, u.queries - 1)) * u.biasRow;` : ''}
    ${visibility === 'segments' ? `let segmentOfQuery${c} = ${segmentOf('stats', 'batch', this.queryOf(c))};` : ''}`,
    )}
    ${withSlope ? eachElement(weights, (s, i, _, c) => `let slope${i}_${c} = tanhAndSlope(${s} * u.scale).slope;`) : ''}
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
    ${eachElement(slopes, (d, i, j, c) => {
      const s = `s${i}_${j}.${'xyzw'[c]}`;
      const slope = withSlope ? ` * slope${i}_${c}` : '';
      if (!dropout) return `${d} = ${s} * (${d} - delta${c})${slope};`;
      return `{ let kept = select(0.0, u.keepScale, ${isKept(`bits${c}`, this.keyOf(i))});
    ${d} = ${s} * (${d} * kept - delta${c})${slope};
    ${s} *= kept; }`;
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
