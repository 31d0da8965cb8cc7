import { range, times } from '../wgsl/elements.js';

/**
 * WGSL of Sinkhorn's iteration over a matrix of one thread, whose entries are the variables m0_0, m0_1, …: arrays that are indexed
 * at run time would leave the registers. `u` has tmax and sinkhornEpsilon.
 */
export class Sinkhorn {
  private readonly lines: readonly number[];

  /** @param size Of the matrix. */
  constructor(private readonly size: number) {
    this.lines = range(size);
  }

  /** WGSL for every entry. */
  each(text: (i: number, j: number) => string): string {
    return times(this.size, (i) => times(this.size, (j) => text(i, j)));
  }

  /** Declares m as the softmax of the logits over each row. */
  softmax(logit: (i: number, j: number) => string): string {
    return `
  ${this.each((i, j) => `var m${i}_${j} = ${logit(i, j)};`)}
  ${times(this.size, (i) => {
    const entries = this.lines.map((j) => `m${i}_${j}`);
    return `{
    let top = ${entries.reduce((a, b) => `max(${a}, ${b})`)};
    ${entries.map((m) => `${m} = exp(${m} - top);`).join(' ')}
    let sum = ${entries.join(' + ')};
    ${entries.map((m) => `${m} /= sum;`).join(' ')}
  }`;
  })}`;
  }

  /**
   * Divides m + sinkhornEpsilon by the sums of columns, then tmax − 1 times by those of rows and of columns.
   *
   * @param keep WGSL that keeps the `divisor` of a `line`, of a division that is numbered `step` in WGSL.
   */
  divide(keep: (step: string, line: number, divisor: string) => string = () => ''): string {
    const division = (along: 'rows' | 'columns', step: string) =>
      times(this.size, (line) => {
        const entries = this.entriesOf(along, line);
        return `{
      let divisor = ${entries.join(' + ')} + u.sinkhornEpsilon;
      ${entries.map((m) => `${m} /= divisor;`).join(' ')}
      ${keep(step, line, 'divisor')}
    }`;
      });
    return `
  ${this.each((i, j) => `m${i}_${j} += u.sinkhornEpsilon;`)}
  ${division('columns', '0u')}
  for (var round = 1u; round < u.tmax; round++) {
    ${division('rows', '(2u * round - 1u)')}
    ${division('columns', '(2u * round)')}
  }`;
  }

  /**
   * Takes the gradient d0_0, d0_1, … of m back through all divisions, to that of what `divide` began with. A quotient
   * q = m / divisor, whose divisor is the sum of the line's m, has dm = (dq − Σ dq · q) / divisor; m = q · divisor.
   *
   * @param kept WGSL of what `divide` kept.
   */
  divideBackwards(kept: (step: string, line: number) => string): string {
    const division = (along: 'rows' | 'columns', step: string) =>
      times(this.size, (line) => {
        const entries = this.entriesOf(along, line);
        const slope = (m: string) => m.replace('m', 'd');
        return `{
      let divisor = ${kept(step, line)};
      let mean = ${entries.map((m) => `${slope(m)} * ${m}`).join(' + ')};
      ${entries.map((m) => `${slope(m)} = (${slope(m)} - mean) / divisor; ${m} *= divisor;`).join(' ')}
    }`;
      });
    return `
  for (var round = u.tmax - 1u; round > 0u; round--) {
    ${division('columns', '(2u * round)')}
    ${division('rows', '(2u * round - 1u)')}
  }
  ${division('columns', '0u')}`;
  }

  /** Takes the gradient back through the softmax, whose results are m. */
  softmaxBackwards(): string {
    return times(this.size, (i) => {
      const mean = this.lines.map((j) => `d${i}_${j} * m${i}_${j}`).join(' + ');
      return `{
    let mean = ${mean};
    ${this.lines.map((j) => `d${i}_${j} = m${i}_${j} * (d${i}_${j} - mean);`).join(' ')}
  }`;
    });
  }

  private entriesOf(along: 'rows' | 'columns', line: number): string[] {
    return this.lines.map((other) => (along === 'rows' ? `m${line}_${other}` : `m${other}_${line}`));
  }
}
