// beside others
// Helper programs run to their end, by the addon and by Node's own way: the same comes of both.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { describe, it } from 'node:test';
import { NO_SUCH_PROGRAM, runCommand, runCommandOnFile, runForked } from '../../src/net/helper-program.ts';
import { makeDirectory } from '../interop/harness/namespace.ts';

const LARGE = 'a line of twenty oct\n'.repeat(100_000);

/** What this process itself was started with: it lacks O_CLOEXEC (proc(5), fdinfo). */
const INHERITED = new Set(
  readdirSync('/proc/self/fdinfo')
    .map(Number)
    .filter((descriptor) => descriptor > 3 && lacksCloseOnExec(descriptor)),
);

function lacksCloseOnExec(descriptor: number): boolean {
  try {
    const flags = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8'))![1]!;
    return (parseInt(flags, 8) & 0o2000000) === 0;
  } catch {
    // The directory that was read just now.
    return false;
  }
}

const openDescriptors = (): number => readdirSync('/proc/self/fd').length;

for (const [what, runs] of [
  ['by the addon', runCommand],
  ["by Node's own way", runForked],
] as const) {
  describe(`a helper program, ${what}`, () => {
    it('has its status, and what it wrote to both streams', async () => {
      const { status, stdout, stderr } = await runs('sh', ['-c', 'echo out; echo " err " >&2; exit 3'], '');
      assert.deepEqual([status, stdout.toString(), stderr], [3, 'out\n', 'err']);
    });

    it('reads its input to the end, and may write more than a pipe holds', async () => {
      const { status, stdout } = await runs('cat', [], LARGE);
      assert.equal(status, 0);
      assert.ok(stdout.toString() === LARGE, `${stdout.length} octets`);
    });

    it('need not read its input', async () => {
      assert.equal((await runs('true', [], LARGE)).status, 0);
    });

    it('gets arguments as they are, also empty ones', async () => {
      const { stdout } = await runs('printf', ['<%s>', 'two words', '', '$HOME', 'é'], '');
      assert.equal(stdout.toString(), '<two words><><$HOME><é>');
    });

    it('is told as missing when there is none', async () => {
      const { status, stderr } = await runs('wideplane-no-such-program', [], '');
      assert.deepEqual([status, stderr], [NO_SUCH_PROGRAM, 'wideplane-no-such-program: ENOENT']);
    });

    it('has 128 when a signal ends it, and no signal is ignored', async () => {
      for (const signal of ['PIPE', 'TERM', 'KILL']) {
        assert.equal((await runs('sh', ['-c', `kill -${signal} $$; exit 0`], '')).status, 128, signal);
      }
    });

    it('inherits no descriptor but its three', async () => {
      const { stdout } = await runs('ls', ['/proc/self/fd'], '');
      const its = stdout.toString().trim().split('\n').map(Number);
      // The fourth is the directory that ls reads.
      assert.deepEqual(
        its.filter((descriptor) => !INHERITED.has(descriptor)),
        [0, 1, 2, 3],
      );
    });

    it('leaves no descriptor behind', async () => {
      await runs('true', [], 'x');
      const before = openDescriptors();
      await Promise.all(Array.from({ length: 20 }, () => runs('cat', [], 'some')));
      assert.equal(openDescriptors(), before);
    });
  });
}

it('one that hangs is ended after ten seconds', async () => {
  const started = performance.now();
  const results = await Promise.all([runCommand, runForked].map((runs) => runs('sleep', ['60'], '')));
  assert.deepEqual(
    results.map(({ status }) => status),
    [128, 128],
  );
  assert.ok(performance.now() - started < 30_000);
});

it('a program reads a file that it can seek in', async () => {
  const directory = makeDirectory('helper');
  try {
    const script = 'head -c 4; exec 3<&0; tail -c 3';
    const { status, stdout } = await runCommandOnFile('sh', ['-c', script], Buffer.from('0123456789'), directory);
    assert.deepEqual([status, stdout.toString()], [0, '0123789']);
    assert.deepEqual(readdirSync(directory), []);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

it('a NUL in an argument does not make two of it', async () => {
  const { status, stderr } = await runCommand('echo', ['one\0two']);
  assert.deepEqual([status, stderr], [NO_SUCH_PROGRAM, 'echo: EINVAL']);
});
