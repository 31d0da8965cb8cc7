import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import * as kinds from '../../scripts/lib/arguments.mjs';
import { root, run } from '../../scripts/lib/process.mjs';

const { ArgumentError, formatHelp, readArguments } = kinds;

const program: kinds.Program<{ count: number; color?: string; names?: string[]; file?: string; quick?: boolean }> = {
  command: 'paint --',
  about: 'Paints.',
  options: {
    count: { takes: kinds.integer({ min: 1 }), default: 2, description: 'how many' },
    color: { takes: kinds.oneOf(['red', 'green']), description: 'of what' },
    names: { takes: kinds.listOf(['a', 'b']), description: 'which\nof them' },
    file: { takes: kinds.readableFile, description: 'where' },
    quick: { description: 'in a hurry' },
  },
};

describe('arguments', () => {
  it('become values, with a space or = before them', () => {
    expect(readArguments(program, [])).to.include({ count: 2, color: undefined, quick: undefined });
    const spaced = ['--count', '3', '--color', 'red', '--names', 'b,a', '--file', 'package.json', '--quick'];
    const joined = ['--count=3', '--color=red', '--names=b,a', '--file=package.json', '--quick'];
    const values = { count: 3, color: 'red', names: ['b', 'a'], file: 'package.json', quick: true };
    for (const args of [spaced, joined]) expect(readArguments(program, args)).to.deep.equal(values);
  });

  const wrong: Record<string, string> = {
    '--count=0': "--count takes a whole number from 1, not '0'.",
    '--count -1': "--count takes a whole number from 1, not '-1'.",
    '--count=1e3': "--count takes a whole number from 1, not '1e3'.",
    '--count=99999999999999999999': "--count takes a whole number from 1, not '99999999999999999999'.",
    '--count': '--count takes a whole number from 1, and got nothing.',
    '--color --quick': '--color takes one of red, green, and got nothing.',
    '--color=Red': "--color takes one of red, green, not 'Red'.",
    '--names=a,c': "--names takes one or more of a, b, with commas between them, not 'a,c'.",
    '--file=none.txt': "--file takes a file that can be read, not 'none.txt'.",
    '--file=test': "--file takes a file that can be read, not 'test'.",
    '--quick=yes': "--quick takes no value, not 'yes'.",
    '--colour=red': "There is no option '--colour'; paint -- --help lists them.",
    '--constructor=red': "There is no option '--constructor'; paint -- --help lists them.",
    '-c': "There is no option '-c'; paint -- --help lists them.",
    red: "'red' belongs to no option; paint -- --help lists them.",
    '-- --quick': "'--quick' belongs to no option; paint -- --help lists them.",
  };
  for (const [args, message] of Object.entries(wrong)) {
    it(`${args} is refused`, () => {
      let error: unknown;
      try {
        readArguments(program, args.split(' '));
      } catch (thrown) {
        error = thrown;
      }
      expect(error).to.be.instanceOf(ArgumentError).with.property('message', message);
    });
  }

  it('are listed by --help', () => {
    expect(formatHelp(program)).to.equal(
      [
        'paint -- [options]',
        '',
        'Paints.',
        '',
        '  --count=<number>  how many (default: 2)',
        '  --color=<name>    of what',
        '  --names=<names>   which',
        '                    of them',
        '  --file=<file>     where',
        '  --quick           in a hurry',
        '  -h, --help        prints this',
      ].join('\n'),
    );
  });
});

describe('npm scripts in a fresh clone', () => {
  let clone: string;

  before(async () => {
    clone = await mkdtemp(path.join(tmpdir(), 'liger-clone-'));
    for (const folder of ['scripts', 'examples', 'bench']) {
      await mkdir(path.join(clone, folder));
      await cp(path.join(root, folder), path.join(clone, folder), { recursive: true });
    }
  });
  after(() => rm(clone, { recursive: true }));

  const node = (script: string, ...args: string[]) => run(process.execPath, [path.join(clone, script), ...args]);

  for (const script of ['scripts/demo.mjs', 'scripts/bench.mjs', 'scripts/test.mjs', 'scripts/tfjs_suite.mjs']) {
    it(`${script} prints its help without a set-up`, async () => {
      for (const help of ['--help', '-h']) {
        const { code, output } = await node(script, '--nonsense', help);
        expect(code, output).to.equal(0);
        expect(output)
          .to.match(/^npm (run demo|run bench|run tfjs-suite|test) -- \[options\]\n/)
          .and.to.include('--help');
      }
    });
  }

  it('scripts/demo.mjs refuses arguments before a set-up', async () => {
    const wrong = {
      '--nonsense': "There is no option '--nonsense'; npm run demo -- --help lists them.",
      '--backend gpu': "--backend takes one of auto, webgpu, tensorflow, wasm, cpu, not 'gpu'.",
      '--size=huge': "--size takes one of tiny, small, medium, large, not 'huge'.",
      '--steps many': "--steps takes a whole number from 1, not 'many'.",
      '--text none.txt': "--text takes a file that can be read, not 'none.txt'.",
    };
    for (const [args, message] of Object.entries(wrong)) {
      expect(await node('scripts/demo.mjs', ...args.split(' '))).to.deep.equal({ code: 1, output: `${message}\n` });
    }
  });

  it('scripts/test.mjs counts a refusal as a failure, in its last line', async () => {
    const { code, output } = await node('scripts/test.mjs', '--nonsense');
    expect(code).to.equal(1);
    expect(output).to.equal("There is no option '--nonsense'; npm test -- --help lists them.\n0 passed, 1 failed\n");
  });
});
