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
import { AssociationCell, type AssociationStates } from './association-states.ts';
import type { AssociationModel, Failure } from './model.ts';
import type { KeyOf } from './planner.ts';

/** Numbers in the first block of a key: what is sent in half a second at a million packets a second. */
const FIRST_BLOCK = 1 << 19;
const LARGEST_BLOCK = 1 << 22;
const LOOK_MS = 100;

const TYPE = 'net ipsec manual-security-association';
/** Why an association does not send, and what to do. */
export const LOST_SEQUENCE =
  'its sequence numbers are not on record although it ran before, so it sends nothing: give it new keys on both sides, or ' +
  'delete it and create it again if nothing was ever sent with its keys';

type Entry = {
  readonly model: AssociationModel;
  readonly key: number;
  readonly fingerprint: string;
  /** The last block handed in; undefined: none, because what was sent before is not known. */
  block: { first: number; end: number } | undefined;
  /** The number under which the worker knows it. */
  id: number | undefined;
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
  /** Fingerprints of the keys that ran when this process was started (fingerprintsOf). */
  ranBefore: ReadonlySet<string>;
  log: Log;
};

export class AssociationKeeper {
  readonly #options: AssociationKeeperOptions;
  #entries = new Map<string, Entry>();
  #failures: Failure[] = [];
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
    await this.#reserveFirst(fresh);
    for (const [name, { block }] of entries) {
      if (block === undefined) this.#failures.push({ object: `${TYPE} ${name}`, reason: LOST_SEQUENCE });
    }
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
      if (entry.block !== undefined) states.reserve(entry.id, entry.block.first, entry.block.end);
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
    return this.#failures;
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
    return {
      model,
      key,
      fingerprint,
      block: undefined,
      id: undefined,
      size: FIRST_BLOCK,
      busy: false,
      madeAtMs: Date.now(),
      stale: false,
    };
  }

  async #reserveFirst(entries: readonly Entry[]): Promise<void> {
    const { store, ranBefore } = this.#options;
    const known = entries.filter(({ fingerprint }) => store.knows(fingerprint) || !ranBefore.has(fingerprint));
    if (known.length > 0) await this.#reserve(known);
  }

  /** Looks whose numbers run low. */
  async #look(): Promise<void> {
    const { states } = this.#options;
    const low = [...this.#entries.values()].filter(({ id, block, size, busy, model }) => {
      if (id === undefined || block === undefined || busy) return false;
      const last = model.sa.extended ? Number.MAX_SAFE_INTEGER : 0xffff_ffff;
      return block.end <= last && block.end - states.read(id, AssociationCell.next) < size;
    });
    if (low.length === 0) return;
    for (const entry of low) entry.size = Math.min(LARGEST_BLOCK, entry.size * 2);
    await this.#reserve(low);
    for (const { id, block } of low) if (id !== undefined) states.reserve(id, block!.first, block!.end);
  }

  async #reserve(entries: readonly Entry[]): Promise<void> {
    const { store, log } = this.#options;
    for (const entry of entries) entry.busy = true;
    try {
      const blocks = await store.reserve(entries.map(({ fingerprint, size }) => ({ fingerprint, count: size })));
      entries.forEach((entry, index) => (entry.block = blocks[index]!));
    } catch (error) {
      logEvent(log, 'sequence-store-failed', `sequence numbers cannot be reserved: ${errorText(error)}`);
    } finally {
      for (const entry of entries) entry.busy = false;
    }
  }
}

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
