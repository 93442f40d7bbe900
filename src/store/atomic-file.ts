// Files that are either the old one or the new one, whole, whatever happens in between.

import { constants } from 'node:fs';
import { mkdir, open, readFile, readdir, realpath, rename, rm, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { getSystemErrorMap } from 'node:util';

/** A file operation that failed: `operation` as the system calls it, `code` its errno. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly path: string;
  readonly operation: string;
  readonly code: string;
  /** What failed, without what that means for the file. */
  readonly reason: string;

  constructor(path: string, operation: string, code: string, reason: string, state?: string) {
    super(state === undefined ? reason : `${reason}; ${state}`);
    this.reason = reason;
    this.path = path;
    this.operation = operation;
    this.code = code;
  }
}

/** The operation of a StoreError whose file was replaced, but may be the old one again after a power cut. */
export const DIRECTORY_SYNC = 'fsync of the directory';

let sequence = 0;

const PIECE_CHARACTERS = 64 * 1024;

export type AtomicOptions = {
  /** Called when the new file is complete and safe, before it takes the place of the old one; what it throws keeps that. */
  readonly beforeRename?: () => Promise<void>;
  /** Permissions of the new file. */
  readonly mode?: number;
  /** Whose it becomes; else that of the process. */
  readonly owner?: FileOwner;
};

export type FileOwner = { readonly uid: number; readonly gid: number };

/**
 * Replaces a file by a new one with `content`, whole or in pieces, mode 0600 unless told: temporary file, fsync, rename, fsync of the
 * directory. A symbolic link stays and its target is replaced. Throws a StoreError; until the rename the old file is as it
 * was.
 */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array | Iterable<string>,
  { beforeRename, mode = 0o600, owner }: AtomicOptions = {},
): Promise<void> {
  let operation = 'look-up';
  let temporary: string | undefined;
  let renamed = false;
  try {
    const target = await targetOf(path);
    const directory = dirname(target);
    operation = 'open';
    temporary = join(directory, `.${basename(target)}.${process.pid}.${++sequence}.tmp`);
    const file = await open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, mode);
    try {
      operation = 'chown';
      if (owner !== undefined) await file.chown(owner.uid, owner.gid);
      operation = 'chmod';
      // The mask of the process does not count.
      if (mode !== 0o600) await file.chmod(mode);
      operation = 'write';
      const pieces = typeof content === 'string' || content instanceof Uint8Array ? [content] : content;
      let at = 0;
      for (const piece of joined(pieces)) at += await writeAt(file, piece, at);
      operation = 'fsync';
      await file.sync();
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
    operation = 'close';
    await file.close();
    operation = 'rename';
    await beforeRename?.();
    await rename(temporary, target);
    renamed = true;
    operation = DIRECTORY_SYNC;
    await syncDirectory(directory);
  } catch (error) {
    if (!renamed && temporary !== undefined) await unlink(temporary).catch(() => undefined);
    if (error instanceof StoreError) throw error;
    const { code, text } = describe(error);
    const state = renamed ? 'the new file is in place, but may not survive a power cut' : 'the old file is intact';
    throw new StoreError(path, operation, code, `cannot write ${path}: ${operation} failed: ${text}`, state);
  }
}

/** What a symbolic link leads to; the path itself when there is nothing yet. */
async function targetOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return path;
    throw error;
  }
}

/**
 * Removes the temporary files that writers of the file have left behind: those whose process has gone, or had the number
 * that this one has now. Call it before this process writes the file. Resolves to the names that were removed; what
 * cannot be removed does no harm and stays.
 */
export async function removeLeftovers(path: string): Promise<string[]> {
  const target = await realpath(path).catch(() => path);
  const directory = dirname(target);
  const lead = `.${basename(target)}.`;
  const removed: string[] = [];
  for (const name of await readdir(directory).catch(() => [])) {
    const writer = name.startsWith(lead) ? /^(\d+)\.\d+\.tmp$/.exec(name.slice(lead.length))?.[1] : undefined;
    if (writer === undefined || isOtherProcess(Number(writer))) continue;
    await unlink(join(directory, name)).then(
      () => removed.push(name),
      () => undefined,
    );
  }
  return removed;
}

function isOtherProcess(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Writes all of a piece at an offset; resolves to its octets. */
async function writeAt(file: FileHandle, piece: string | Uint8Array, offset: number): Promise<number> {
  const octets = typeof piece === 'string' ? Buffer.from(piece) : piece;
  for (let done = 0; done < octets.length;) {
    done += (await file.write(octets, done, octets.length - done, offset + done)).bytesWritten;
  }
  return octets.length;
}

/** Makes what was created, renamed or removed in it safe. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Small pieces put together, so that each is worth a system call. */
function* joined(pieces: Iterable<string | Uint8Array>): Generator<string | Uint8Array, void> {
  let text = '';
  for (const piece of pieces) {
    if (typeof piece !== 'string') {
      yield piece;
      continue;
    }
    text += piece;
    if (text.length < PIECE_CHARACTERS) continue;
    yield text;
    text = '';
  }
  if (text !== '') yield text;
}

/** The text of a file, undefined when there is none; throws a StoreError for anything else. */
export async function readFileIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code, text } = describe(error);
    if (code === 'ENOENT') return undefined;
    throw new StoreError(path, 'read', code, `cannot read ${path}: ${text}`);
  }
}

/** The octets of a file and when it was last changed, undefined when there is none; throws a StoreError for anything else. */
export async function readOctetsIfThere(path: string): Promise<{ octets: Uint8Array; modified: Date } | undefined> {
  try {
    const file = await open(path, constants.O_RDONLY);
    try {
      const { mtime: modified } = await file.stat();
      return { octets: await file.readFile(), modified };
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code, text } = describe(error);
    if (code === 'ENOENT') return undefined;
    throw new StoreError(path, 'read', code, `cannot read ${path}: ${text}`);
  }
}

/** Makes the directory and what is above it, mode 0700 for what is new. */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    const { code, text } = describe(error);
    throw new StoreError(path, 'mkdir', code, `cannot make the directory ${path}: ${text}`);
  }
}

/** Removes a file that may be absent; throws a StoreError. */
export async function removeFile(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
  } catch (error) {
    const { code, text } = describe(error);
    throw new StoreError(path, 'unlink', code, `cannot remove ${path}: ${text}`);
  }
}

/** `no space left on device (ENOSPC)`. */
function describe(error: unknown): { code: string; text: string } {
  const { code, errno, message } = error as NodeJS.ErrnoException;
  if (code === undefined) return { code: '', text: message };
  const known = errno === undefined ? undefined : getSystemErrorMap().get(errno);
  return { code, text: known === undefined ? message : `${known[1]} (${code})` };
}
