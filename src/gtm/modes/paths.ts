// What is measured of the way between a client and the datacenters of members. Who has no such number, or one that is too old, is
// no candidate.

import type { Client } from '../client.ts';
import type { ResolverNotes } from '../resolver-notes.ts';
import type { StateReader } from '../state-journal.ts';
import { findPath, PathWord, UNKNOWN } from '../state-layout.ts';
import { MEMBER_NUMBERS, MemberField } from '../tables.ts';
import type { Candidates } from './candidates.ts';

/** The paths of one client at a time; each datacenter is looked up once for it. */
export class Paths {
  readonly #members: Int32Array;
  readonly #state: StateReader;
  readonly #ignoresAge: boolean;
  readonly #notes: Pick<ResolverNotes, 'note'> | undefined;
  /** By datacenter: where its path stands, and for which choice that was found. */
  readonly #at: Int32Array;
  readonly #foundFor: Float64Array;
  #choice = 0;

  /** `notes`: where clients are noted whose paths somebody wants to know. */
  constructor(
    members: Int32Array,
    state: StateReader,
    ignoresAge: boolean,
    notes: Pick<ResolverNotes, 'note'> | undefined,
  ) {
    this.#notes = notes;
    this.#members = members;
    this.#state = state;
    this.#ignoresAge = ignoresAge;
    let most = -1;
    for (let at = 0; at < members.length; at += MEMBER_NUMBERS) {
      most = Math.max(most, members[at + MemberField.datacenter]!);
    }
    this.#at = new Int32Array(most + 1);
    this.#foundFor = new Float64Array(most + 1);
  }

  /** To be called before the first look for a client at a state. */
  begin({ words, family, now }: Client): void {
    this.#choice++;
    this.#notes?.note(words, family, now);
  }

  /** Where the numbers of the path between the client and a member's datacenter stand; -1 when it has none that are good. */
  find(client: Client, member: number): number {
    const datacenter = this.#members[member * MEMBER_NUMBERS + MemberField.datacenter]!;
    if (datacenter < 0) return -1;
    if (this.#foundFor[datacenter] !== this.#choice) {
      this.#foundFor[datacenter] = this.#choice;
      this.#at[datacenter] = this.#look(client, datacenter);
    }
    return this.#at[datacenter]!;
  }

  /** Gives each member its number times `sign`, and drops those without one. */
  rate(candidates: Candidates, client: Client, word: number, sign: number): void {
    const { rows, values, count } = candidates;
    const { words } = this.#state;
    this.begin(client);
    let kept = 0;
    for (let index = 0; index < count; index++) {
      const at = this.find(client, rows[index]!);
      const metric = at < 0 ? UNKNOWN : words[at + word]!;
      if (metric < 0) continue;
      rows[kept] = rows[index]!;
      values[kept++] = sign * metric;
    }
    candidates.count = kept;
  }

  #look(client: Client, datacenter: number): number {
    const { layout, words } = this.#state;
    const at = findPath(layout, words, client.family, client.words, datacenter);
    if (at < 0 || this.#ignoresAge) return at;
    return words[at + PathWord.expires]! >>> 0 < client.now ? -1 : at;
  }
}
