/**
 * Command lines: a program's table of options gives the parsing, the checks, the error messages and the --help. Nothing
 * but Node.js is needed, so that arguments are read before anything is installed.
 */
import { accessSync, constants, statSync } from 'node:fs';
import { parseArgs } from 'node:util';

/** A command line that cannot be meant; its message says what to mend. */
export class ArgumentError extends Error {}

// What options take. `placeholder` stands for a value in --help, `expected` for all of them in error messages. parse()
// gives undefined for a text that is no such value.

export const text = (placeholder) => ({
  placeholder,
  expected: `a ${placeholder}`,
  parse: (value) => (value === '' ? undefined : value),
});

export const readableFile = {
  placeholder: 'file',
  expected: 'a file that can be read',
  parse(value) {
    try {
      accessSync(value, constants.R_OK);
      return statSync(value).isDirectory() ? undefined : value;
    } catch {
      return undefined;
    }
  },
};

export const integer = ({ min }) => ({
  placeholder: 'number',
  expected: `a whole number from ${min}`,
  parse(value) {
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    return Number.isSafeInteger(number) && number >= min ? number : undefined;
  },
});

export const positiveNumber = {
  placeholder: 'number',
  expected: 'a number above 0',
  parse: (value) => (Number.isFinite(Number(value)) && Number(value) > 0 ? Number(value) : undefined),
};

export const oneOf = (words) => ({
  placeholder: 'name',
  expected: `one of ${words.join(', ')}`,
  parse: (value) => words.find((word) => word === value),
});

export const listOf = (words) => ({
  placeholder: 'names',
  expected: `one or more of ${words.join(', ')}, with commas between them`,
  parse(value) {
    const list = value.split(',');
    return list.every((word) => words.includes(word)) ? list : undefined;
  },
});

/** Reads a command line to an object of the options' values; with --help it prints the help and exits. */
export function readArguments(program, args = process.argv.slice(2)) {
  const { options } = program;
  const types = Object.entries(options).map(([name, { takes }]) => [name, { type: takes ? 'string' : 'boolean' }]);
  const { tokens } = parseArgs({
    args,
    options: { ...Object.fromEntries(types), help: { type: 'boolean', short: 'h' } },
    strict: false, // it would not say which values an option takes
    tokens: true,
  });
  if (tokens.some(({ name }) => name === 'help')) {
    console.log(formatHelp(program));
    process.exit();
  }
  const values = Object.fromEntries(Object.entries(options).map(([name, option]) => [name, option.default]));
  for (const token of tokens) {
    if (token.kind === 'positional') {
      throw new ArgumentError(`'${token.value}' belongs to no option; ${program.command} --help lists them.`);
    }
    if (token.kind === 'option') {
      values[token.name] = readOption(program, token);
    }
  }
  return values;
}

function readOption({ command, options }, { name, rawName, value, inlineValue }) {
  if (!Object.hasOwn(options, name)) {
    throw new ArgumentError(`There is no option '${rawName}'; ${command} --help lists them.`);
  }
  const { takes } = options[name];
  if (!takes) {
    if (value !== undefined) {
      throw new ArgumentError(`${rawName} takes no value, not '${value}'.`);
    }
    return true;
  }
  // What looks like the next option is one.
  if (value === undefined || (!inlineValue && value.startsWith('--'))) {
    throw new ArgumentError(`${rawName} takes ${takes.expected}, and got nothing.`);
  }
  const parsed = takes.parse(value);
  if (parsed === undefined) {
    throw new ArgumentError(`${rawName} takes ${takes.expected}, not '${value}'.`);
  }
  return parsed;
}

/** The text of --help. Descriptions may have several lines. */
export function formatHelp({ command, about, options }) {
  const rows = Object.entries(options).map(([name, { takes, description, default: fallback }]) => [
    takes ? `--${name}=<${takes.placeholder}>` : `--${name}`,
    fallback === undefined ? description : `${description} (default: ${fallback})`,
  ]);
  rows.push(['-h, --help', 'prints this']);
  const width = Math.max(...rows.map(([usage]) => usage.length)) + 4;
  const lines = rows.map(
    ([usage, description]) => `  ${usage.padEnd(width - 2)}${description.replaceAll('\n', `\n${' '.repeat(width)}`)}`,
  );
  return `${command} [options]\n\n${about}\n\n${lines.join('\n')}`;
}
