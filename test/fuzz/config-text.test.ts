// time-out: 900 s
// Mutated command lines, texts and files of configuration against a store in memory (config-target.ts), in a process for each
// core. WIDEPLANE_FUZZ_TEXTS says how many, and WIDEPLANE_FUZZ_SEED with which seed; a failure prints the text.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { describe, it } from 'node:test';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { loadText } from '../../src/config/load-text.ts';
import { BASE, OURS, stanzasOf } from './config-seeds.ts';
import { errorsOf, reload } from './config-target.ts';
import type { Tally } from './config-target.ts';

const { WIDEPLANE_FUZZ_TEXTS, WIDEPLANE_FUZZ_SEED, WIDEPLANE_LONG } = process.env;
const TEXTS = Number(WIDEPLANE_FUZZ_TEXTS ?? (WIDEPLANE_LONG === undefined ? 1_000_000 : 5_000_000));
const SEED = Number(WIDEPLANE_FUZZ_SEED ?? 20_261_124);

const PROCESS = fileURLToPath(new URL('config-process.js', import.meta.url));
/** Nothing is kept of a text: what a heap may have grown by in the end, what it may ever hold, and all of a process. */
const HEAP_GROWTH_OCTETS = 8 << 20;
const HEAP_MEGABYTES = 64;
const NEW_MEGABYTES = 16;
const RESIDENT_OCTETS = 200e6;

type Result = Tally & { readonly residentOctets: number };

function fuzzInProcess(seed: number, count: number): Promise<Result> {
  const limits = [`--max-old-space-size=${HEAP_MEGABYTES}`, `--max-semi-space-size=${NEW_MEGABYTES}`];
  const options = ['--expose-gc', '--enable-source-maps', ...limits];
  const child = spawn(process.execPath, [...options, PROCESS, `${seed}`, `${count}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (text: Buffer) => (output += text.toString()));
  child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => {
      if (status === 0) resolve(JSON.parse(output) as Result);
      else reject(new Error(`seed ${seed} ended with ${signal ?? status}: ${errors}`));
    });
  });
}

describe('mutated configuration', () => {
  it('never crashes, is never taken by halves, has places within the text, and keeps no memory', async (t) => {
    const processes = availableParallelism();
    const share = Math.ceil(TEXTS / processes);
    const results = await Promise.all(
      Array.from({ length: processes }, (_, index) => fuzzInProcess(SEED + index, share)),
    );
    const sum = (of: (result: Result) => number) => results.reduce((total, result) => total + of(result), 0);
    const most = (of: (result: Result) => number) => Math.max(...results.map(of));
    const texts = sum((result) => result.texts);
    const [accepted, syntax, placed] = [sum((r) => r.accepted), sum((r) => r.syntax), sum((r) => r.placed)];
    const growth = most(({ heapGrowthOctets }) => heapGrowthOctets);
    const resident = most(({ residentOctets }) => residentOctets);
    const places = `${accepted} accepted, ${syntax} errors of syntax, ${placed} places compared`;
    t.diagnostic(`${texts} texts in ${processes} processes: ${places}; heap +${growth}, resident ${resident} octets`);
    assert.ok(texts >= TEXTS);
    assert.ok(growth < HEAP_GROWTH_OCTETS, `a heap has grown by ${growth} octets`);
    assert.ok(resident < RESIDENT_OCTETS, `a process had ${resident} octets`);
    // Otherwise the test says little.
    assert.ok(accepted > TEXTS * 0.1 && syntax > TEXTS * 0.1 && placed > TEXTS * 0.05, places);
  });

  it('a wrong value, brace or word is reported at its line and column', () => {
    const base = reload(BASE);
    const running = loadText(OURS, base, { mergeInto: base }).configuration;
    const known = stanzasOf(OURS).filter((stanza) => /^net |^ltm pool/.test(stanza));
    let checked = 0;
    for (const stanza of known) {
      const lines = stanza.split('\n');
      for (const [index, line] of lines.entries()) {
        const value = /\b(mtu|tag|customer-tag|port|key|ttl|mode|adapter|local-address|tag-mode) ([^\s{}]+)/.exec(line);
        if (value === null) continue;
        const column = value.index + value[1]!.length + 2;
        for (const bad of ['<bad>', '{ bad', '"b a d']) {
          const changed = line.slice(0, column - 1) + bad + line.slice(column - 1 + value[2]!.length);
          const text = lines.with(index, changed).join('\n');
          const places = errorsOf(text, running)?.map(
            ({ details: { position } }) => `${position?.line}:${position?.column}`,
          );
          assert.ok(places?.includes(`${index + 1}:${column}`), `${changed}: ${places?.join(' ')}`);
          checked++;
        }
      }
    }
    assert.ok(checked >= 30, `${checked} places`);
  });
});
