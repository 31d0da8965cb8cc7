import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { formatComparison } from '../../examples/llama/compare.js';
import { createLlamaVariables } from '../../examples/llama/config.js';
import { measureInProcess } from '../../examples/llama/measure.js';
import { defaultSize, presets } from '../../examples/llama/presets.js';
import { formatDuration } from '../../examples/support/format.js';
import { decodeSafetensors } from '../../examples/support/safetensors.js';
import { root } from '../../scripts/lib/process.mjs';
import { tf } from '../support/backend.js';

interface Result {
  code: number | null;
  output: string;
}

type OnOutput = (output: string, child: ChildProcess) => void;

/** Runs a program in a process group of its own; `onOutput` sees what it and what it starts have printed so far. */
function watch(program: string, args: string[], onOutput?: OnOutput): Promise<Result> {
  const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      onOutput?.(output, child);
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    // After the last process that could print has ended.
    child.on('close', (code) => resolve({ code, output }));
  });
}

const runDemo = (args: string[], onOutput?: OnOutput) =>
  watch(process.execPath, ['--import', 'tsx', 'examples/llama/train.ts', ...args], onOutput);

/** Calls back once, at the first output that has the text. */
function at(text: string, callback: (child: ChildProcess) => void): OnOutput {
  let seen = false;
  return (output, child) => {
    if (seen || !output.includes(text)) return;
    seen = true;
    callback(child);
  };
}

async function readModel(folder: string) {
  const { tensors, metadata } = decodeSafetensors(await readFile(path.join(folder, 'model.safetensors')));
  return { tensors, metadata, config: JSON.parse(await readFile(path.join(folder, 'config.json'), 'utf8')) };
}

describe('demo', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'liger-demo-'));
  });

  afterEach(() => rm(folder, { recursive: true }));

  it('names what is wrong', async () => {
    const unknown = await runDemo(['--backend', 'gpu']);
    expect(unknown.code).to.equal(1);
    expect(unknown.output).to.equal("--backend takes one of auto, webgpu, tensorflow, wasm, cpu, not 'gpu'.\n");
    const text = path.join(folder, 'short.txt');
    await writeFile(text, 'Call me Ishmael.');
    const short = await runDemo(['--backend', 'cpu', '--text', text]);
    expect(short.code).to.equal(1);
    expect(short.output).to.match(/^--text takes 330 tokens or more, not \d\.$/m);
  });

  it('sets up what the backend needs, and takes a size that suits it', async function () {
    this.timeout(120_000);
    const endThen = at('parameters, on cpu', (child) => child.kill('SIGTERM'));
    const { code, output } = await watch(process.execPath, ['scripts/demo.mjs', '--backend', 'cpu'], endThen);
    expect(code, output).to.equal(143);
    expect(output).to.match(/A Llama with 1\.6M parameters, on cpu: 40 steps/);
    expect(output).not.to.include('libtensorflow');
    expect(defaultSize('cpu', 'auto')).to.equal('tiny');
    expect(defaultSize('webgpu', 'auto')).to.equal('medium');
    expect(defaultSize('webgpu', 'webgpu')).to.equal('small');
    expect(defaultSize('wasm', 'auto')).to.equal('small');
  });

  it('trains, saves the model and the picture, prints words and the comparison', async function () {
    this.timeout(180_000);
    const args = ['--backend', 'wasm', '--size', 'tiny', '--steps', '3', '--out', folder];
    const { code, output } = await runDemo(args);
    expect(code, output).to.equal(0);
    const [, before, after] = /held-out text: (\S+) before, (\S+) after 3 steps/.exec(output)!;
    expect(Number(before)).to.be.closeTo(Math.log(50257), 0.1);
    expect(Number(after)).to.be.lessThan(Number(before));
    expect(output).to.match(/ 0\/3, … left \|.* 3\/3, 0 s left \|/s);
    expect(output).to.match(/tfjs-liger +│ +\d+ ms │ +5 │ +[\d.]+ [MG]B/);
    expect(output).to.match(/stock tfjs ops +│ +\d+ ms │ +5 │ +[\d.]+ [MG]B/);

    const { tensors, metadata, config } = await readModel(folder);
    expect(metadata).to.deep.equal({ format: 'pt' });
    expect(config).to.include({ model_type: 'llama', vocab_size: 50257, hidden_size: 32, num_key_value_heads: 2 });
    const variables = createLlamaVariables(presets.tiny.config, 1);
    expect(tensors).to.have.all.keys(Object.keys(variables));
    for (const [name, variable] of Object.entries(variables)) {
      expect(tensors[name]!.shape, name).to.deep.equal(variable.shape);
      expect(tensors[name]!.data.every(Number.isFinite), `${name} is finite`).to.equal(true);
    }
    tf.dispose(variables);
    expect(await readFile(path.join(folder, 'loss.svg'), 'utf8')).to.match(/^<svg .*held-out text.*<\/svg>\s*$/s);
  });

  describe('when it is interrupted', function () {
    this.timeout(180_000);
    const endless = ['--backend', 'wasm', '--size', 'tiny', '--steps', '100000'];

    before(function () {
      if (process.platform === 'win32') this.skip(); // no signals there
    });

    async function expectSaved({ code, output }: Result) {
      expect(code, output).to.equal(0);
      expect(output).to.match(/after \d+ steps/);
      expect((await readModel(folder)).tensors).to.include.keys('model.embed_tokens.weight');
    }

    const npmRunDemo = ['run', 'demo', '--', ...endless, '--out'];

    it('ends after the step at hand and saves, by SIGINT to npm', async () => {
      const interrupt = at(' 0/100000', (child) => child.kill('SIGINT'));
      await expectSaved(await watch('npm', [...npmRunDemo, folder], interrupt));
    });

    it('takes the SIGINTs of one Ctrl-C, to each of its processes and from npm, for one', async () => {
      const interrupt = at(' 0/100000', (child) => {
        const toAll = () => child.exitCode ?? process.kill(-child.pid!, 'SIGINT');
        toAll();
        setTimeout(toAll, 100); // npm's comes at its own time
      });
      await expectSaved(await watch('npm', [...npmRunDemo, folder], interrupt));
    });

    it('ends at once at a second interrupt', async () => {
      const first = at(' 0/100000', (child) => child.kill('SIGINT'));
      const second = at('Stopping', (child) => child.kill('SIGINT'));
      const { code, output } = await runDemo([...endless, '--out', folder], (text, child) => {
        first(text, child);
        second(text, child);
      });
      expect(code).to.equal(130);
      expect(output).not.to.include('Saved');
    });

    it('leaves out the rest of the comparison', async () => {
      const interrupt = at('Measuring', (child) => setTimeout(() => child.kill('SIGINT'), 1000));
      const args = ['--backend', 'wasm', '--size', 'tiny', '--steps', '1', '--out', folder];
      const result = await runDemo(args, interrupt);
      await expectSaved(result);
      expect(result.output).not.to.include('│');
    });

    it('leaves nothing running where scripts/demo.mjs is killed', async function () {
      this.timeout(60_000);
      const kill = at(' 0/500', (child) => child.kill('SIGKILL'));
      const args = ['scripts/demo.mjs', '--backend', 'wasm', '--size', 'tiny', '--steps', '500', '--out', folder];
      const { output } = await watch(process.execPath, args, kill);
      expect(output).not.to.include('Saved');
    });
  });
});

describe('comparison', () => {
  it('measures as many steps as end in time', async () => {
    const options = { model: 'liger', backend: 'wasm', size: 'tiny' } as const;
    const seconds = 12;
    const begin = performance.now();
    const result = await measureInProcess({ ...options, steps: 100_000 }, seconds);
    expect((performance.now() - begin) / 1000).to.be.within(seconds, seconds + 5);
    expect(result!.steps).to.be.within(1, 10_000);
    expect(result!.secondsPerStep).to.be.within(0.001, seconds);
    expect(result!.peakBytes).to.be.above(1e6);
  });

  it('says so where no step does', async () => {
    const stock = await measureInProcess({ model: 'stock', backend: 'cpu', size: 'small', steps: 1 }, 3);
    expect(stock).to.equal(undefined);
    const table = formatComparison('cpu', { steps: 5, secondsPerStep: 0.25, peakBytes: 4e8 }, stock);
    expect(table).to.match(/tfjs-liger +│ +250 ms │ +5 │ +400 MB/);
    expect(table).to.match(/stock tfjs ops +│ +none within 25 s │ +0 │/);
    expect(table).not.to.match(/×|NaN|undefined/);
  });

  it('gives durations in their two largest units', () => {
    const durations = [0.4, 45, 59.7, 123, 3599.6, 3900, 100_000].map(formatDuration);
    expect(durations).to.deep.equal([
      '0 s',
      '45 s',
      '1 min 00 s',
      '2 min 03 s',
      '1 h 00 min',
      '1 h 05 min',
      '27 h 46 min',
    ]);
  });
});
