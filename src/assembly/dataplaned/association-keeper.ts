// Keeps the keys of security associations open, and sequence numbers for them at hand.
//
//   wanted ─► keys unsealed and opened ─► numbers reserved on disk ─► handed to the worker
//   gone   ─► worker lets go ─► keys closed
//
// An association that ran before, of which no numbers are on record, does not send: what it has sent is not known, and numbers and
// nonces would come twice. It still receives.

import { createHash } from 'node:crypto';
import type { ConfigView } from './config-view.ts';
import { keysOf, type KeyProperties } from '../../config/ipsec-keys.ts';
import { errorText } from '../../core/errors.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import type { CryptoBatch } from '../../ipsec/crypto.ts';
import type { SequenceStore } from '../../store/sequence-store.ts';
import { VolatileSequences } from '../../store/volatile-sequences.ts';
import { AssociationCell, type AssociationStates } from './association-states.ts';
import type { AssociationModel, Failure } from './model.ts';
import { forgetKeys } from './run-time-associations.ts';
import type { KeyOf } from './ipsec-plan.ts';

/** Numbers in the first block of a key: what is sent in half a second at a million packets a second. */
const FIRST_BLOCK = 1 << 19;
const LARGEST_BLOCK = 1 << 22;
const LOOK_MS = 100;
/** How long it waits after a failure: a disk that is full is asked no ten times a second. */
const RETRY_MS = 1000;

const TYPE = 'net ipsec manual-security-association';
/** Why an association does not send, and what to do. */
export const LOST_SEQUENCE =
  'its sequence numbers are not on record although it ran before, so it sends nothing, and only receives: ' +
  'give it new keys on both sides';

type Entry = {
  readonly model: AssociationModel;
  readonly key: number;
  readonly fingerprint: string;
  /** What was sent before is not known. */
  isLost: boolean;
  /** The last block handed in; undefined: none yet. */
  block: { first: number; end: number } | undefined;
  /** The number under which the worker knows it. */
  id: number | undefined;
  /** Numbers in that block, or in the first one. */
  size: number;
  busy: boolean;
  readonly madeAtMs: number;
  /** It is to be made anew. */
  stale: boolean;
};

export type AssociationKeeperOptions = {
  /** Opens and closes keys. */
  crypto: CryptoBatch;
  store: SequenceStore;
  states: AssociationStates;
  /** Fingerprints of the keys that ran before this process was started (fingerprintsOf). */
  ranBefore: ReadonlySet<string>;
  log: Log;
};

export class AssociationKeeper {
  readonly #options: AssociationKeeperOptions;
  /** Of what a daemon has made: its keys are not there after a restart. */
  readonly #volatile = new VolatileSequences();
  #entries = new Map<string, Entry>();
  #failures: Failure[] = [];
  /** Why numbers cannot be reserved; undefined: they can. */
  #problem: string | undefined;
  #retryAtMs = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(options: AssociationKeeperOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#look(), LOOK_MS);
    this.#timer.unref();
  }

  /** Opens what is wanted; resolves to the keys that are to be closed once the worker has let go of them. */
  async want(associations: ReadonlyMap<string, AssociationModel>): Promise<number[]> {
    const before = this.#entries;
    const entries = new Map<string, Entry>();
    const fresh: Entry[] = [];
    this.#failures = [];
    for (const [name, model] of associations) {
      const known = before.get(name);
      const entry = known?.model === model && !known.stale ? known : this.#open(name, model);
      if (entry === undefined) continue;
      entries.set(name, entry);
      if (entry !== known) fresh.push(entry);
    }
    this.#entries = entries;
    const { store, ranBefore } = this.#options;
    for (const entry of fresh) {
      const { fingerprint, model } = entry;
      entry.isLost = model.isRunTime !== true && !store.knows(fingerprint) && ranBefore.has(fingerprint);
    }
    const owed = fresh.filter(({ isLost }) => !isLost);
    if (owed.length > 0) await this.#reserve(owed);
    return [...before.values()].filter((entry) => !isIn(entries, entry)).map(({ key }) => key);
  }

  /** The keys of an association; undefined: they cannot be had. */
  readonly keyOf: KeyOf = (name) => {
    const entry = this.#entries.get(name);
    return entry && { key: entry.key, openedSecond: Math.floor(entry.madeAtMs / 1000) };
  };

  /** Tells the worker of the numbers of associations that it has not been told of yet: before it is told of themselves. */
  place(idOf: (name: string) => number | undefined): void {
    const { states } = this.#options;
    for (const [name, entry] of this.#entries) {
      if (entry.id !== undefined) continue;
      entry.id = idOf(name);
      if (entry.id === undefined) continue;
      states.clear(entry.id);
      if (entry.block !== undefined) states.reserve(entry.id, entry.key, entry.block.first, entry.block.end);
    }
  }

  /** Closes keys that the worker no longer uses. */
  close(keys: readonly number[]): void {
    for (const key of keys) this.#options.crypto.closeKey(key);
  }

  /** With the next `want` these are made anew: keys, numbers and replay window. */
  forget(names: readonly string[]): void {
    for (const name of names) {
      const entry = this.#entries.get(name);
      if (entry !== undefined) entry.stale = true;
    }
  }

  /** When it was made; undefined: there is none. */
  madeAtMs(name: string): number | undefined {
    return this.#entries.get(name)?.madeAtMs;
  }

  /** Whether it has numbers to send with. */
  canSend(name: string): boolean {
    return this.#entries.get(name)?.block !== undefined;
  }

  failures(): readonly Failure[] {
    const failures = [...this.#failures];
    for (const [name, { isLost, block, model }] of this.#entries) {
      if (model.isRunTime === true) continue;
      const object = `${TYPE} ${name}`;
      if (isLost) failures.push({ object, reason: LOST_SEQUENCE });
      else if (this.#problem !== undefined) failures.push({ object, reason: withoutRecord(this.#problem, block) });
    }
    return failures;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #open(name: string, model: AssociationModel): Entry | undefined {
    const keys = keysOf(model.keys);
    if ('problem' in keys) {
      this.#failures.push({ object: `${TYPE} ${name}`, reason: `${keys.property}: ${keys.problem}. ${keys.hint}` });
      return undefined;
    }
    const key = this.#options.crypto.openKey(model.sa.transform, keys.key, keys.macKey);
    const fingerprint = fingerprintOf(keys.key, keys.macKey);
    keys.key.fill(0);
    keys.macKey.fill(0);
    forgetKeys(model);
    return {
      model,
      key,
      fingerprint,
      isLost: false,
      block: undefined,
      id: undefined,
      size: FIRST_BLOCK,
      busy: false,
      madeAtMs: Date.now(),
      stale: false,
    };
  }

  /** Looks whose numbers run low. */
  async #look(): Promise<void> {
    const { states } = this.#options;
    const isWaiting = this.#problem !== undefined && performance.now() < this.#retryAtMs;
    const low = [...this.#entries.values()].filter(({ id, block, size, busy, model, isLost }) => {
      if (id === undefined || isLost || busy || (isWaiting && model.isRunTime !== true)) return false;
      if (block === undefined) return true;
      const last = model.sa.extended ? Number.MAX_SAFE_INTEGER : 0xffff_ffff;
      return block.end <= last && block.end - states.read(id, AssociationCell.next) < size / 2;
    });
    for (const isRunTime of [true, undefined]) {
      const some = low.filter(({ model }) => model.isRunTime === isRunTime);
      if (some.length === 0 || !(await this.#reserve(some))) continue;
      for (const entry of some) {
        // Others may have come in their places meanwhile.
        if (isIn(this.#entries, entry)) states.reserve(entry.id!, entry.key, entry.block!.first, entry.block!.end);
      }
    }
  }

  /** Whether that has worked; blocks behind a first one are larger than the one before. */
  async #reserve(entries: readonly Entry[]): Promise<boolean> {
    const { store, log } = this.#options;
    const durable: Entry[] = [];
    for (const entry of entries) {
      if (entry.model.isRunTime === true) this.#reserveVolatile(entry);
      else durable.push(entry);
    }
    if (durable.length === 0) return true;
    const wanted = durable.map(({ fingerprint, block, size }) => {
      return { fingerprint, count: block === undefined ? size : Math.min(LARGEST_BLOCK, size * 2) };
    });
    for (const entry of durable) entry.busy = true;
    try {
      const blocks = await store.reserve(wanted);
      durable.forEach((entry, index) => {
        entry.block = blocks[index]!;
        entry.size = wanted[index]!.count;
      });
      this.#problem = undefined;
      return true;
    } catch (error) {
      const problem = errorText(error);
      // Once for as long as it lasts.
      if (this.#problem !== problem) {
        logEvent(log, 'sequence-store-failed', `sequence numbers cannot be reserved: ${problem}`);
      }
      this.#problem = problem;
      this.#retryAtMs = performance.now() + RETRY_MS;
      return false;
    } finally {
      for (const entry of durable) entry.busy = false;
    }
  }

  #reserveVolatile(entry: Entry): void {
    const { fingerprint, block, size } = entry;
    entry.size = block === undefined ? size : Math.min(LARGEST_BLOCK, size * 2);
    entry.block = this.#volatile.reserve({ fingerprint, count: entry.size });
  }
}

/** What it means for an association that numbers cannot be reserved. */
const withoutRecord = (problem: string, block: object | undefined): string =>
  `its sequence numbers cannot be reserved: ${problem}; ` +
  (block === undefined ? 'it sends nothing until they can' : 'it stops sending when those that it has are used up');

function isIn(entries: ReadonlyMap<string, Entry>, entry: Entry): boolean {
  return entries.get(entry.model.name) === entry;
}

/** What a key is known by: says nothing of the key itself, and is the same for all associations that use it. */
function fingerprintOf(key: Uint8Array, macKey: Uint8Array): string {
  return createHash('sha256')
    .update('wideplane sequence numbers')
    .update(key)
    .update(macKey)
    .digest('hex')
    .slice(0, 32);
}

/** Fingerprints of the keys of a configuration; those that cannot be opened are left out. */
export function fingerprintsOf({ manualAssociations }: Pick<ConfigView, 'manualAssociations'>): Set<string> {
  const found = new Set<string>();
  for (const { properties } of manualAssociations.values()) {
    const keys = keysOf(properties satisfies KeyProperties);
    if (!('problem' in keys)) found.add(fingerprintOf(keys.key, keys.macKey));
  }
  return found;
}
