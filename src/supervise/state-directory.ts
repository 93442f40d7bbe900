// The state directory: who may enter it, and where things are in it.

import { chmodSync, lchownSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Account } from './capability.ts';

export type StateLayout = {
  state: string;
  /** Of the supervisor alone: the lock and the device journal, which no daemon may forge. */
  own: string;
  lock: string;
  deviceJournal: string;
  socket: string;
  /** Where dnsd gets sockets of other network namespaces. */
  inbox: string;
  /** What seals the secrets of the configuration; of the daemons. */
  masterKey: string;
};

export function stateLayout(state: string): StateLayout {
  const own = join(state, 'supervisor');
  return {
    state,
    own,
    lock: join(own, 'lock'),
    deviceJournal: join(own, 'devices.json'),
    socket: join(state, 'supervisor.sock'),
    inbox: join(state, 'dnsd', 'sockets'),
    masterKey: join(state, 'master.key'),
  };
}

const PRIVATE = 0o700;
const WRITABLE_BY_OTHERS = 0o022;

/** Makes the directory and the supervisor's own part of it. Throws when it is no place for state. */
export function makeStateDirectory(layout: StateLayout): void {
  const { state, own } = layout;
  try {
    mkdirSync(state, { recursive: true, mode: PRIVATE });
    if ((statSync(state).mode & WRITABLE_BY_OTHERS) !== 0) {
      throw new Error('others may write to it; name a directory that is yours alone');
    }
    mkdirSync(own, { recursive: true, mode: PRIVATE });
    if (statSync(own).uid !== process.geteuid?.()) {
      throw new Error(`${own} belongs to another account; start as that account, or name another directory`);
    }
    chmodSync(own, PRIVATE);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const reason =
      code === 'EACCES' || code === 'EROFS' || code === 'EPERM'
        ? 'it cannot be written; start as root, or name a directory of your own with --state'
        : (error as Error).message;
    throw new Error(`state directory ${state}: ${reason}`, { cause: error });
  }
}

/** Gives the directory, and those of the daemons with all that is in them, to the account that the daemons run as. */
export function giveStateTo(layout: StateLayout, account: Account, daemons: readonly string[]): void {
  const entries = readdirSync(layout.state);
  const ours = new Set(['supervisor', basename(layout.masterKey), ...daemons]);
  const foreign = entries.filter((entry) => !ours.has(entry) && !entry.endsWith('.sock'));
  if (statSync(layout.state).uid !== account.uid && foreign.length > 0) {
    throw new Error(
      `state directory ${layout.state}: it holds other things (${foreign[0]!}) and does not belong to the account ${account.name}, as which the daemons run; name an empty or new directory with --state`,
    );
  }
  const isNew = statSync(layout.state).uid !== account.uid;
  if (isNew && entries.includes(basename(layout.masterKey))) lchownSync(layout.masterKey, account.uid, account.gid);
  // A directory that somebody uses for other things as well keeps its mode: it might be /etc.
  if (foreign.length === 0) {
    chmodSync(layout.state, PRIVATE);
    lchownSync(layout.state, account.uid, account.gid);
  }
  for (const daemon of daemons) {
    const directory = join(layout.state, daemon);
    mkdirSync(directory, { recursive: true, mode: PRIVATE });
    if (statSync(directory).uid !== account.uid) giveTree(directory, account);
  }
}

function giveTree(path: string, account: Account): void {
  lchownSync(path, account.uid, account.gid);
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const inner = join(path, entry.name);
    if (entry.isDirectory()) giveTree(inner, account);
    else lchownSync(inner, account.uid, account.gid);
  }
}
