// The state as it would be without one member: what its virtual server takes with it, by the rules of `availability.ts`.

import { Availability } from './availability.ts';
import type { Facts } from './facts.ts';
import { newStateMemory, type StateMemory, StateWriter } from './state-journal.ts';
import { MEMBER_STATUS_SHIFT, MemberBit, POOL_WORDS, PoolWord, Status } from './state-layout.ts';
import type { GtmIndex, WideIpTables } from './tables.ts';

/** Who reads it copies it: nothing has to be remembered of changes. */
const JOURNAL_ENTRIES = 2;

export class StateWithout {
  readonly memory: StateMemory;
  readonly #index: GtmIndex;
  readonly #writer: StateWriter;
  readonly #availability: Availability;

  /** `facts` stay as they are. */
  constructor(index: GtmIndex, { layout }: WideIpTables, { virtualServers, servers, members, paths, held }: Facts) {
    this.#index = index;
    this.memory = newStateMemory(layout, JOURNAL_ENTRIES);
    this.#writer = new StateWriter(this.memory);
    const copy = {
      virtualServers: new Map(virtualServers),
      servers: new Map(servers),
      members: new Map(members),
      paths: new Map(paths),
      held: new Set(held),
    };
    this.#availability = new Availability(index, this.#writer, copy);
    this.#availability.start();
    this.#writer.commit();
  }

  /** Calls back while the member, and whatever hangs on it, is down. */
  during(member: number, call: () => void): void {
    const { virtualServer } = this.#index.members[member]!;
    if (virtualServer < 0) this.#withoutName(member, call);
    else this.#withoutVirtualServer(virtualServer, call);
  }

  #withoutVirtualServer(number: number, call: () => void): void {
    const { facts } = this.#availability;
    const { key } = this.#index.virtualServers[number]!;
    const before = facts.virtualServers.get(key);
    const held = new Set(facts.held);
    this.#availability.apply({ kind: 'virtual-server', key, facts: { ...before, status: 'offline' } });
    this.#writer.commit();
    call();
    this.#availability.apply({ kind: 'virtual-server', key, facts: before });
    for (const waiting of [...facts.held]) {
      if (!held.has(waiting)) this.#availability.apply({ kind: 'resume', member: waiting });
    }
    this.#writer.commit();
  }

  /** A name goes down by itself only: what is behind it is not ours. */
  #withoutName(member: number, call: () => void): void {
    const { layout } = this.memory;
    const { pool } = this.#index.members[member]!;
    const memberAt = layout.membersAt + member;
    const usableAt = layout.poolsAt + pool * POOL_WORDS + PoolWord.usable;
    const word = this.#writer.get(memberAt);
    const usable = this.#writer.get(usableAt);
    const left = usable - ((word & MemberBit.usable) !== 0 ? 1 : 0);
    this.#writer.set(memberAt, (Status.offline << MEMBER_STATUS_SHIFT) | (word & MemberBit.fallback));
    this.#writer.set(usableAt, left < this.#availability.graph.leastMembers[pool]! ? 0 : Math.max(0, left));
    this.#writer.commit();
    call();
    this.#writer.set(memberAt, word);
    this.#writer.set(usableAt, usable);
    this.#writer.commit();
  }
}
