import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { VersionStore } from '../../../src/store/version-store.ts';
import type { Save } from '../../../src/store/version-store.ts';

const root = mkdtempSync(join(tmpdir(), 'versions-'));
after(() => rmSync(root, { recursive: true }));

const modified = new Date('2026-01-02T03:04:05.678Z');
const octetsOf = (text: string) => ({ octets: Buffer.from(text), modified });
const saveOf = (text: string, user = 'anna'): Save => ({
  digest: createHash('sha256').update(text).digest('hex'),
  savedAt: '2026-05-06T07:08:09.010Z',
  user,
  program: '1',
  octets: text.length,
});

async function opened(directory: string, limit = 3): Promise<VersionStore> {
  const store = new VersionStore(directory, limit);
  assert.equal(await store.open(), undefined);
  return store;
}

describe('kept versions', () => {
  it('are the files that were replaced, mode 0600, with who saved them and when', async () => {
    const directory = join(root, 'a');
    const store = await opened(directory);
    await store.keep(octetsOf('#TMSH-VERSION: 7\none'), saveOf('two'));
    await store.keep(octetsOf('two'), saveOf('three', 'bert'));
    assert.deepEqual(readdirSync(directory), [
      '00001-20260102T030405Z.conf',
      '00002-20260506T070809Z.conf',
      'index.json',
    ]);
    for (const again of [store, await opened(directory)]) {
      const [first, second] = again.versions;
      assert.deepEqual([first?.number, first?.user, first?.program, first?.octets], [1, undefined, '7', 20]);
      assert.deepEqual(second, { number: 2, ...saveOf('two') });
      assert.equal(again.find(saveOf('three').digest)?.user, 'bert');
      assert.equal(readFileSync(again.pathOf(second), 'utf8'), 'two');
      assert.equal(statSync(again.pathOf(second)).mode & 0o777, 0o600);
    }
    assert.equal(statSync(directory).mode & 0o777, 0o700);
  });

  it('are bounded in number, and their numbers go on', async () => {
    const directory = join(root, 'b');
    const store = await opened(directory);
    for (let round = 0; round < 8; round++) {
      await store.keep(octetsOf(`text ${round}`), saveOf(`text ${round + 1}`));
      if (round !== 6) await store.prune();
    }
    for (const again of [store, await opened(directory)]) {
      assert.deepEqual(
        again.versions.map(({ number }) => number),
        [6, 7, 8],
      );
    }
    assert.equal(readdirSync(directory).length, 4);
  });

  it('are kept once, also when the save did not come to its end', async () => {
    const directory = join(root, 'c');
    const store = await opened(directory);
    await store.keep(octetsOf('one'), saveOf('two'));
    const again = await opened(directory);
    await again.keep(octetsOf('one'), saveOf('three'));
    assert.deepEqual(
      again.versions.map(({ number }) => number),
      [1],
    );
    assert.equal(again.find(saveOf('three').digest)?.user, 'anna');
  });

  it('are still there without their index, and what a kill left is not', async () => {
    const directory = join(root, 'd');
    const store = await opened(directory);
    await store.keep(octetsOf('one'), saveOf('two'));
    await store.keep(octetsOf('two'), saveOf('three'));
    writeFileSync(join(directory, 'index.json'), '{"v":1,');
    writeFileSync(join(directory, `.index.json.${process.pid}.9.tmp`), '{');
    writeFileSync(join(directory, `.00003-20260506T070809Z.conf.${process.pid}.9.tmp`), 'torn');
    // Process 1 lives: what it writes is its own.
    writeFileSync(join(directory, '.index.json.1.9.tmp'), '{');
    const again = new VersionStore(directory, 3);
    assert.match((await again.open())!, /index\.json cannot be used: who saved the kept versions is not known \(/);
    assert.deepEqual(
      again.versions.map(({ number, savedAt, octets, user }) => [number, savedAt, octets, user]),
      [
        [1, '2026-01-02T03:04:05.000Z', 3, undefined],
        [2, '2026-05-06T07:08:09.000Z', 3, undefined],
      ],
    );
    assert.deepEqual(
      readdirSync(directory).filter((name) => name.endsWith('.tmp')),
      ['.index.json.1.9.tmp'],
    );
    await again.keep(octetsOf('three'), saveOf('four'));
    assert.equal((await opened(directory)).versions.length, 3);
  });
});
