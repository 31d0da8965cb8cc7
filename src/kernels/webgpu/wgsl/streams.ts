import { range } from './elements.js';
import type { Row } from './row.js';

/** How WGSL reads the residual streams of a token, which lie one after another: an array [rows, streams, columns]. */
export interface Streams {
  /** Stands after the row's `begin`. */
  readonly begin: string;
  /** What a pass over the row reads of every stream. */
  readonly sources: Readonly<Record<string, string>>;
  /** An element's value in each stream, of the values of a pass. */
  of(values: Readonly<Record<string, string | undefined>>): string[];
  /** The place in the array of an element that stands `at` in the row of a stream. */
  at(stream: number, at: string): string;
}

export function streamsOf(name: string, streams: number, row: Row): Streams {
  const first = `${name}First`;
  const at = (stream: number, place: string) => `${first} + ${stream * row.stride}u + ${place}`;
  const names = range(streams).map((stream) => `${name}${stream}_`);
  return {
    begin: `let ${first} = row * ${streams * row.stride}u;`,
    sources: Object.fromEntries(names.map((value, stream) => [value, `${name}[${at(stream, '@')}]`])),
    of: (values) => names.map((value) => values[value]!),
    at,
  };
}
