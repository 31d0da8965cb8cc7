export class ArgumentError extends Error {}

/** What an option takes. */
export interface Kind<T> {
  placeholder: string;
  expected: string;
  parse(value: string): T | undefined;
}
export function text(placeholder: string): Kind<string>;
export const readableFile: Kind<string>;
export function integer(range: { min: number }): Kind<number>;
export const positiveNumber: Kind<number>;
export function oneOf<W extends string>(words: readonly W[]): Kind<W>;
export function listOf<W extends string>(words: readonly W[]): Kind<W[]>;

export interface Option<T> {
  /** Without it the option is a flag, true where it is given. */
  takes?: Kind<T>;
  default?: T;
  description: string;
}
export interface Program<Values> {
  /** What the help shows to be typed. */
  command: string;
  about: string;
  options: { [Name in keyof Values]-?: Option<NonNullable<Values[Name]>> };
}
export function readArguments<Values>(program: Program<Values>, args?: string[]): Values;
export function formatHelp<Values>(program: Program<Values>): string;
