import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { createLlamaVariables } from '../../examples/llama/config.js';
import { presets } from '../../examples/llama/presets.js';
import { decodeSafetensors } from '../../examples/support/safetensors.js';
import { root } from '../../scripts/lib/process.mjs';
import { tf } from '../support/backend.js';

interface Result {
  code: number | null;
  output: string;
}

/** Runs the demo's program; `onOutput` sees what it has printed so far. */
function runDemo(args: string[], onOutput?: (output: string, child: ChildProcess) => void): Promise<Result> {
  const command = ['--import', 'tsx', 'examples/llama/train.ts', ...args];
  const child = spawn(process.execPath, command, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      onOutput?.(output, child);
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
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

  it('lists its options', async () => {
    const { code, output } = await runDemo(['--help']);
    expect(code).to.equal(0);
    for (const option of ['--steps', '--backend', '--size', '--text', '--seed', '--out']) {
      expect(output).to.include(option);
    }
  });

  it('names what is wrong', async () => {
    const unknown = await runDemo(['--backend', 'gpu']);
    expect(unknown.code).to.equal(1);
    expect(unknown.output).to.match(/Allowed choices are auto, webgpu, tensorflow, wasm, cpu/);
    const missing = await runDemo(['--backend', 'cpu', '--text', path.join(folder, 'none.txt')]);
    expect(missing.code).to.equal(1);
    expect(missing.output).to.match(/^Cannot read the text: ENOENT[^\n]*\n$/);
  });

  it('trains, saves the model and the picture, prints words and the comparison', async function () {
    this.timeout(180_000);
    const args = ['--backend', 'wasm', '--size', 'tiny', '--steps', '3', '--out', folder];
    const { code, output } = await runDemo(args);
    expect(code, output).to.equal(0);
    const [, before, after] = /held-out text: (\S+) before, (\S+) after 3 steps/.exec(output)!;
    expect(Number(before)).to.be.closeTo(Math.log(50257), 0.1);
    expect(Number(after)).to.be.lessThan(Number(before));
    expect(output).to.match(/tfjs-liger +│ +\d+ ms │ +[\d.]+ [MG]B/);
    expect(output).to.match(/stock tfjs ops +│ +\d+ ms │ +[\d.]+ [MG]B/);

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

  it('ends after the step at hand when it is interrupted, and saves', async function () {
    if (process.platform === 'win32') this.skip(); // no signals there
    this.timeout(180_000);
    let interrupted = false;
    const args = ['--backend', 'wasm', '--size', 'tiny', '--steps', '100000', '--out', folder];
    const { code, output } = await runDemo(args, (text, child) => {
      if (interrupted || !text.includes('1.6M parameters')) return;
      interrupted = true;
      setTimeout(() => child.kill('SIGINT'), 2000);
    });
    expect(code, output).to.equal(0);
    expect(output).to.match(/Stopping after this step/);
    expect(output).to.match(/after \d+ steps/);
    expect((await readModel(folder)).tensors).to.include.keys('model.embed_tokens.weight');
  });
});
