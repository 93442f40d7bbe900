import assert from 'node:assert/strict';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import {
  StoreError,
  makeDirectory,
  readFileIfThere,
  removeFile,
  writeFileAtomic,
} from '../../../src/store/atomic-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'store-'));
after(() => rmSync(directory, { recursive: true }));

describe('atomic files', () => {
  it('are replaced whole, mode 0600, and leave nothing beside them', async () => {
    const own = join(directory, 'own');
    mkdirSync(own);
    const path = join(own, 'f');
    writeFileSync(path, 'old', { mode: 0o644 });
    await writeFileAtomic(path, 'new');
    assert.equal(readFileSync(path, 'utf8'), 'new');
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(own), ['f']);
  });

  it('keep a symbolic link and replace its target', async () => {
    const target = join(directory, 'target');
    const link = join(directory, 'link');
    writeFileSync(target, 'old');
    symlinkSync(target, link);
    await writeFileAtomic(link, 'new');
    assert.ok(lstatSync(link).isSymbolicLink());
    assert.equal(readFileSync(target, 'utf8'), 'new');
  });

  it('name path, operation and errno when they cannot be written', async () => {
    await assert.rejects(writeFileAtomic(join(directory, 'no', 'f'), 'x'), (error) => {
      assert.ok(error instanceof StoreError);
      assert.equal(error.code, 'ENOENT');
      assert.match(
        error.message,
        /^cannot write .*\/no\/f: open failed: no such file or directory \(ENOENT\); the old file is intact$/,
      );
      return true;
    });
    await assert.rejects(writeFileAtomic(directory, 'x'), /rename failed: .*\(E[A-Z]+\); the old file is intact/);
  });

  it('are read when they are there', async () => {
    assert.equal(await readFileIfThere(join(directory, 'absent')), undefined);
    await assert.rejects(readFileIfThere(directory), /cannot read .*\(EISDIR\)/);
    await removeFile(join(directory, 'absent'));
    await assert.rejects(makeDirectory(join(directory, 'target', 'below')), /cannot make the directory/);
  });
});
