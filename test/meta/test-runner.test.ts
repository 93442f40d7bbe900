// The test runner fails when it should: files in test/fixtures/runner that skip, hang, exit early or run nothing.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { it } from 'node:test';

type Result = { name: string; passed: boolean; output: string };
type File = { source: string; kind: string; compiled: string; timeOutSeconds: number };

const { runTestFile } = (await import(new URL('../../../scripts/lib/test-files.mjs', import.meta.url).href)) as {
  runTestFile: (file: File, options: { coverage: boolean }) => Promise<Result[]>;
};

/** Names and states of a fixture's results, each as "name: passed" or "name: first line of the output". */
async function outcome(name: string): Promise<string[]> {
  const path = `test/fixtures/runner/${name}.js`;
  const results = await runTestFile(
    { source: path, kind: 'fixtures', compiled: path, timeOutSeconds: 2 },
    { coverage: false },
  );
  return results.map(({ name: label, passed, output }) => {
    return `${label.replace(`${path} > `, '').replace(path, 'file')}: ${passed ? 'passed' : output.split('\n')[0]}`;
  });
}

it('a test that passes', async () => {
  assert.deepEqual(await outcome('passes'), ['passes: passed']);
});

it('a test that fails, named with its suite, and counted once', async () => {
  assert.deepEqual(await outcome('fails'), ['suite > fails: Error: on purpose', 'suite > passes: passed']);
});

it('skipped and todo count as failed', async () => {
  assert.deepEqual(await outcome('skips'), ['is skipped: was skipped', 'is left to do: is marked todo']);
});

it('a file without a test fails', async () => {
  assert.deepEqual(await outcome('empty'), ['file: ran no test (exit status 0): ']);
});

it('a file that exceeds its time-out fails', async () => {
  assert.deepEqual(await outcome('hangs'), ['file: exceeded its time-out of 2 s: not finished: hangs']);
});

it('a file that ends with another status than 0 fails', async () => {
  assert.deepEqual(await outcome('exits'), [
    'passes: passed',
    'file: exited with status 3 although every test passed: ',
  ]);
});

it('what a file leaves running ends with it', async () => {
  assert.deepEqual(await outcome('leaves'), ['leaves a process behind: passed']);
  const commands = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        return ''; // it ended while we looked
      }
    });
  assert.deepEqual(
    commands.filter((command) => command.includes('4711')),
    [],
  );
});
