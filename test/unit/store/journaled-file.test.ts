import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, it, mock } from 'node:test';
import { Journal, readJournal } from '../../../src/store/journal.ts';
import { JournaledFile, journalOf, readRecords } from '../../../src/store/journaled-file.ts';

const root = mkdtempSync(join(tmpdir(), 'journal-'));
after(() => rmSync(root, { recursive: true }));

const place = (): string => join(mkdtempSync(join(root, 'd')), 'journal');

describe('a journal', () => {
  it('gives back what was appended behind a content, in its order, whatever it says', async () => {
    const path = place();
    const journal = new Journal(path);
    const texts = [
      'one\n',
      '',
      'RECORD 3 00000000\nabc',
      'wideplane journal 1 other\n',
      'größer\u{1f600}\n'.repeat(1000),
    ];
    for (const text of texts) await journal.append('base 1', text);
    assert.equal(journal.octets, statSync(path).size);
    assert.deepEqual(await readJournal(path, 'base 1'), texts);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    await journal.close();
  });

  it('belongs to one content only, and begins anew behind another', async () => {
    const path = place();
    const journal = new Journal(path);
    await journal.append('base 1', 'a long record of the first content');
    assert.deepEqual(await readJournal(path, 'base'), []);
    assert.deepEqual(await readJournal(path, 'base 2'), []);
    await journal.append('base 2', 'b');
    assert.deepEqual(await readJournal(path, 'base 1'), []);
    assert.deepEqual(await readJournal(path, 'base 2'), ['b']);
    await journal.remove();
    assert.deepEqual(await readJournal(path, 'base 2'), []);
  });

  it('ends before the record that is torn or damaged, wherever that is', async () => {
    const path = place();
    const journal = new Journal(path);
    const ends: number[] = [];
    for (const text of ['first', 'second', 'third']) {
      await journal.append('base', text);
      ends.push(statSync(path).size);
    }
    await journal.close();
    const whole = readFileSync(path);
    for (let length = 0; length < whole.length; length++) {
      writeFileSync(path, whole);
      truncateSync(path, length);
      const expected = ends.filter((end) => end <= length).length;
      assert.deepEqual(await readJournal(path, 'base'), ['first', 'second', 'third'].slice(0, expected), `${length}`);
    }
    const head = whole.indexOf('\n');
    for (let at = head + 1; at < whole.length; at++) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 0x01;
      writeFileSync(path, damaged);
      const expected = ends.filter((end) => end <= at).length;
      assert.deepEqual(await readJournal(path, 'base'), ['first', 'second', 'third'].slice(0, expected), `${at}`);
    }
  });
});

describe('a file with a journal', () => {
  type State = { id: number; text: string; isWhole?: boolean };
  const failures: unknown[] = [];
  const fileAt = (path: string) =>
    new JournaledFile<State>({
      path,
      idOf: ({ id }) => `state ${id}`,
      textOf: ({ id, text }) => [`${id}\n`, text],
      changeOf: (from, to) => (to.isWhole === true ? undefined : `${from.id} to ${to.id}`),
      failed: (error) => failures.push(error),
    });
  const LARGE = 'x'.repeat(200_000);
  const idIn = (path: string): string => readFileSync(path, 'utf8').split('\n')[0]!;

  it('is written whole while it is small', async () => {
    const path = place();
    const file = fileAt(path);
    for (const id of [1, 2, 3]) {
      file.keep({ id, text: 'small' });
      await file.settled();
      assert.equal(idIn(path), `${id}`);
    }
    assert.equal(existsSync(journalOf(path)), false);
    await file.close();
  });

  it('is followed by records when it is large, until they are as much as half of it', async () => {
    const path = place();
    const file = fileAt(path);
    const expected: string[] = [];
    let id = 1;
    file.keep({ id, text: LARGE });
    for (; ; expected.push(`${id - 1} to ${id}`)) {
      await file.settled();
      if (idIn(path) !== '1') break;
      assert.deepEqual(await readRecords(path, 'state 1'), expected);
      file.keep({ id: ++id, text: LARGE });
      if (id === 30) file.keep({ id, text: LARGE, isWhole: true });
      assert.ok(id < 40);
    }
    assert.equal(idIn(path), '30');
    assert.deepEqual(await readRecords(path, 'state 30'), []);
    await file.close();
    assert.deepEqual(failures, []);
  });

  it('is written whole when a record cannot be', async () => {
    const path = place();
    mkdirSync(journalOf(path));
    const file = fileAt(path);
    for (const id of [1, 2]) {
      file.keep({ id, text: LARGE });
      await file.settled();
      assert.equal(idIn(path), `${id}`);
    }
    rmSync(journalOf(path), { recursive: true });
    file.keep({ id: 3, text: LARGE });
    await file.settled();
    assert.deepEqual(await readRecords(path, 'state 2'), ['2 to 3']);
    appendFileSync(journalOf(path), 'RECORD 5 ');
    assert.deepEqual(await readRecords(path, 'state 2'), ['2 to 3']);
    await file.remove();
    assert.equal(existsSync(path), false);
    assert.equal(existsSync(journalOf(path)), false);
  });

  for (const code of ['EIO', 'ENOSPC']) {
    for (const call of ['write', 'datasync'] as const) {
      for (const isWholeRefused of [false, true]) {
        const rest = isWholeRefused ? 'and the whole file after it' : 'but not the whole file';
        it(`loses nothing when the disk refuses a record (${call}: ${code}), ${rest}`, async () => {
          failures.length = 0;
          const path = place();
          const file = fileAt(path);
          for (const id of [1, 2]) {
            file.keep({ id, text: LARGE });
            await file.settled();
          }
          assert.deepEqual(failures, []);
          const restore = await refuse(call, code, isWholeRefused);
          try {
            file.keep({ id: 3, text: LARGE });
            await file.settled();
          } finally {
            restore();
          }
          assert.match(
            String(failures[0]),
            new RegExp(`cannot write a record of ${path}: ${code}.*written whole instead`),
          );
          assert.equal(failures.length, isWholeRefused ? 2 : 1);
          if (isWholeRefused) {
            assert.match(String(failures[1]), new RegExp(`cannot write ${path}: .*the old file is intact`));
            assert.equal(idIn(path), '1');
            // A record that was written before its sync failed may be there; one of which half was written is not.
            const expected = call === 'write' ? ['1 to 2'] : ['1 to 2', '2 to 3'];
            assert.deepEqual(await readRecords(path, 'state 1'), expected);
          } else {
            assert.equal(idIn(path), '3');
            assert.deepEqual(await readRecords(path, 'state 3'), []);
          }
          file.keep({ id: 4, text: LARGE });
          await file.settled();
          const [base, records] = isWholeRefused ? ['4', []] : ['3', ['3 to 4']];
          assert.equal(idIn(path), base);
          assert.deepEqual(await readRecords(path, `state ${base}`), records);
          assert.equal(failures.length, isWholeRefused ? 2 : 1);
          assert.deepEqual(
            readdirSync(dirname(path)).filter((name) => name.endsWith('.tmp')),
            [],
          );
          await file.close();
        });
      }
    }
  }
});

/** The next call of a record fails, a write in its middle; with `always` also the sync of a whole file. Undone by what it returns. */
async function refuse(call: 'write' | 'datasync', code: string, always: boolean): Promise<() => void> {
  const handle = await open(root, 'r');
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const refusal = (): Error => Object.assign(new Error(`${code}: refused, ${call}`), { code });
  let isRefused = false;
  // Called with the handle that it is a method of.
  // eslint-disable-next-line @typescript-eslint/unbound-method
  const original: (...given: never[]) => unknown = prototype[call];
  const mocks = [
    mock.method(prototype, call, async function (this: FileHandle, ...given: [Buffer, number, number, number]) {
      if (isRefused) return Reflect.apply(original, this, given) as unknown;
      isRefused = true;
      const [octets, from, length, at] = given;
      if (call === 'write') await Reflect.apply(original, this, [octets, from, length >> 1, at]);
      throw refusal();
    } as never),
  ];
  if (always) mocks.push(mock.method(prototype, 'sync', (() => Promise.reject(refusal())) as never));
  return () => {
    for (const each of mocks) each.mock.restore();
  };
}
