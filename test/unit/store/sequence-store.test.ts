// Sequence numbers are given out once, whatever fails and whenever the process dies.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { type SequenceBlock, SequenceStore } from '../../../src/store/sequence-store.ts';

const root = mkdtempSync(join(tmpdir(), 'sequence-'));
after(() => rmSync(root, { recursive: true }));

let serial = 0;
const newPath = (): string => {
  const directory = join(root, String(++serial));
  mkdirSync(directory);
  return join(directory, 'sequence-numbers');
};
const one = async (store: SequenceStore, fingerprint: string, count: number): Promise<SequenceBlock> =>
  (await store.reserve([{ fingerprint, count }]))[0]!;

describe('sequence numbers on disk', () => {
  it('begin with 1 for each key, and blocks follow each other', async () => {
    const store = await SequenceStore.open(newPath());
    assert.equal(store.knows('a'), false);
    const blocks = await store.reserve([
      { fingerprint: 'a', count: 10 },
      { fingerprint: 'b', count: 5 },
      { fingerprint: 'a', count: 1 },
    ]);
    assert.deepEqual(blocks, [
      { first: 1, end: 11 },
      { first: 1, end: 6 },
      { first: 11, end: 12 },
    ]);
    assert.deepEqual(await one(store, 'a', 3), { first: 12, end: 15 });
    assert.deepEqual([store.knows('a'), store.knows('b'), store.knows('c')], [true, true, false]);
  });

  it('are in the file before anybody has them, and go on behind it after a restart', async () => {
    const path = newPath();
    const store = await SequenceStore.open(path);
    for (let count = 1; count <= 5; count++) {
      const { end } = await one(store, 'key', count);
      const { next } = JSON.parse(readFileSync(path, 'utf8')) as { next: Record<string, number> };
      assert.equal(next.key, end);
    }
    const again = await SequenceStore.open(path);
    assert.deepEqual(await one(again, 'key', 1), { first: 16, end: 17 });
    assert.deepEqual(await one(again, 'other', 1), { first: 1, end: 2 });
  });

  it('are given to one of many who ask at once', async () => {
    const store = await SequenceStore.open(newPath());
    const blocks = await Promise.all(Array.from({ length: 50 }, (_, index) => one(store, 'key', 1 + (index % 7))));
    let expected = 1;
    for (const { first, end } of blocks.toSorted((a, b) => a.first - b.first)) {
      assert.equal(first, expected);
      expected = end;
    }
  });

  it('go beyond 32 bits', async () => {
    const path = newPath();
    writeFileSync(path, JSON.stringify({ version: 1, next: { key: 2 ** 40 } }));
    assert.deepEqual(await one(await SequenceStore.open(path), 'key', 2), { first: 2 ** 40, end: 2 ** 40 + 2 });
  });

  it('are nobody’s when they cannot be written, and not skipped for that', async () => {
    const path = newPath();
    const directory = join(path, '..');
    const store = await SequenceStore.open(path);
    await one(store, 'known', 10);
    renameSync(directory, `${directory}-gone`);
    for (let attempt = 0; attempt < 3; attempt++) {
      await assert.rejects(
        store.reserve([
          { fingerprint: 'known', count: 1000 },
          { fingerprint: 'known', count: 1000 },
          { fingerprint: 'new', count: 1000 },
        ]),
        /cannot write .*sequence-numbers: .*\(ENOENT\)/,
      );
    }
    assert.equal(store.knows('new'), false);
    renameSync(`${directory}-gone`, directory);
    assert.deepEqual(await one(store, 'known', 1), { first: 11, end: 12 });
    assert.deepEqual(await one(store, 'new', 1), { first: 1, end: 2 });
  });

  it('that were asked for behind a failure are not given twice', async () => {
    const path = newPath();
    const directory = join(path, '..');
    const store = await SequenceStore.open(path);
    renameSync(directory, `${directory}-gone`);
    const failing = [one(store, 'key', 10), one(store, 'key', 20)];
    const outcomes = await Promise.allSettled(failing);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    renameSync(`${directory}-gone`, directory);
    const [first, second] = await Promise.all([one(store, 'key', 10), one(store, 'key', 20)]);
    assert.ok(first.end <= second.first, JSON.stringify([first, second]));
  });

  it('are refused where the file cannot be understood', async () => {
    for (const text of ['', '{', '{"version":2,"next":{}}', '{"version":1,"next":{"key":0}}', '{"version":1}']) {
      const path = newPath();
      writeFileSync(path, text);
      await assert.rejects(SequenceStore.open(path), Error, text);
      assert.equal(readFileSync(path, 'utf8'), text);
    }
  });
});
