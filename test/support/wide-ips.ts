// Wide IPs for tests: descriptions from the few things that a test is about, and a rig that answers questions from them, whose health a
// test sets by hand.

import assert from 'node:assert/strict';
import { MessageWriter } from '../../src/dns/message-writer.ts';
import { Query, QueryVerdict, readQuery } from '../../src/dns/query.ts';
import { Reply } from '../../src/dns/reply.ts';
import type { Sender } from '../../src/dns/sender.ts';
import { WideIpVerdict } from '../../src/dns/wide-ip-source.ts';
import { Availability } from '../../src/gtm/availability.ts';
import { type CompiledWideIps, compileWideIps } from '../../src/gtm/compile-wide-ips.ts';
import { newGtmCounts, WIDE_IP_COUNTERS, WideIpCounter } from '../../src/gtm/counts.ts';
import {
  type GtmDescription,
  type GtmPool,
  type GtmServer,
  type GtmSettings,
  type PoolMember,
  virtualServerKey,
  type WideIp,
  type WideIpType,
} from '../../src/gtm/description.ts';
import type { Facts } from '../../src/gtm/facts.ts';
import { newPersistMemory, PersistTable } from '../../src/gtm/persist-table.ts';
import { Xoshiro } from '../../src/gtm/random.ts';
import { newStateMemory, type StateMemory, StateWriter } from '../../src/gtm/state-journal.ts';
import {
  MemberBit,
  POOL_WORDS,
  PoolWord,
  UNKNOWN,
  VIRTUAL_SERVER_WORDS,
  VirtualServerWord,
  WideIpBit,
} from '../../src/gtm/state-layout.ts';
import type { GtmIndex } from '../../src/gtm/tables.ts';
import { WideIpAnswerer } from '../../src/gtm/wide-ip-answerer.ts';
import { linesOf, queryOf, type TestQuestion, writeMessage } from './dns.ts';
import { member, pool, server, SETTINGS, virtualServer, wideIp } from './gtm-description.ts';

/** 4 or 16 octets of an address without `::`. */
export function octetsOf(address: string): Uint8Array {
  if (!address.includes(':')) return Uint8Array.from(address.split('.').map(Number));
  return Uint8Array.from(address.split(':').flatMap((word) => [parseInt(word, 16) >>> 8, parseInt(word, 16) & 255]));
}

/** A server in datacenter /Common/dc whose virtual servers are called as their addresses are. */
export function serverOf(name: string, addresses: readonly string[], datacenter = '/Common/dc'): GtmServer {
  return server(name, datacenter, {
    hasMonitor: false,
    virtualServers: addresses.map((address) =>
      virtualServer(address, { address: octetsOf(address), hasMonitor: false }),
    ),
  });
}

export function memberOf(name: string, order: number, changes: Partial<PoolMember> = {}): PoolMember {
  const naptr = { order: 1, preference: 2, flags: 'S', service: 'SIP+D2U' };
  return member(name, { order, weight: 20, port: 443, naptr, ...changes });
}

/** A pool of /Common whose members are addresses of server /Common/s, or names. */
export function poolOf(
  type: WideIpType,
  name: string,
  members: readonly (string | PoolMember)[],
  changes: Partial<GtmPool> = {},
): GtmPool {
  const isOfAddresses = type === 'a' || type === 'aaaa';
  return pool(type, name, {
    preferred: 'global-availability',
    members: members.map((each, order) => {
      if (typeof each !== 'string') return each;
      return memberOf(isOfAddresses ? virtualServerKey('/Common/s', each) : each, order);
    }),
    ...changes,
  });
}

/** `pools`, in their order: those of its own type by their names, those of type cname as `cname NAME`. */
export function wideIpOf(
  type: WideIpType,
  domain: string,
  pools: readonly string[],
  changes: Partial<WideIp> = {},
): WideIp {
  const references = pools.map((name, order) => ({ pool: name, order, ratio: 1 }));
  const isAlias = (name: string): boolean => name.startsWith('cname ');
  return wideIp(type, domain, {
    poolMode: 'global-availability',
    pools: references.filter(({ pool: name }) => !isAlias(name)),
    cnamePools: references
      .filter(({ pool: name }) => isAlias(name))
      .map((reference) => ({ ...reference, pool: reference.pool.slice('cname '.length) })),
    ...changes,
  });
}

/** Members of pools that are addresses become virtual servers of /Common/s. */
export function describeGtm(
  wideIps: readonly WideIp[],
  pools: readonly GtmPool[],
  changes: Partial<Omit<GtmDescription, 'settings'>> & { settings?: Partial<GtmSettings> } = {},
): GtmDescription {
  const { settings, ...others } = changes;
  const addresses = new Set<string>();
  for (const { type, members } of pools) {
    if (type !== 'a' && type !== 'aaaa') continue;
    for (const { name } of members) if (name.startsWith('/Common/s:')) addresses.add(name.slice('/Common/s:'.length));
  }
  return {
    settings: { ...SETTINGS, ...settings },
    datacenters: [{ name: '/Common/dc', enabled: true }],
    servers: [serverOf('/Common/s', [...addresses])],
    pools,
    wideIps,
    regions: [],
    topology: [],
    applications: [],
    ...others,
  };
}

/** What a test says of a member, as it stands in the state. */
export const Health = {
  up: MemberBit.usable | MemberBit.fallback,
  down: MemberBit.fallback,
  disabled: MemberBit.drains,
} as const;

/** The chance of a rig, from its start. */
export function newRandom(): Xoshiro {
  return new Xoshiro([1, 2, 3, 4]);
}

export class WideIpRig {
  readonly compiled: CompiledWideIps;
  readonly memory: StateMemory;
  readonly writer: StateWriter;
  readonly answerer: WideIpAnswerer;
  readonly counts;
  readonly persistence: PersistTable;
  readonly sender: Sender;
  /** What was replied last. */
  readonly reply = new Reply();

  /** With facts by what follows from them; without, everything is enabled and available. */
  constructor(description: GtmDescription, previous?: WideIpRig, facts?: Facts) {
    this.compiled = compileWideIps(description, previous?.compiled);
    const { tables } = this.compiled;
    this.memory = newStateMemory(tables.layout);
    this.writer = new StateWriter(this.memory);
    this.counts = newGtmCounts(tables.layout);
    this.persistence = previous?.persistence ?? new PersistTable(newPersistMemory(1024));
    this.sender = { addresses: octetsOf('198.51.100.7'), addressAt: 0, addressOctets: 4, isStream: false, now: 1000 };
    if (facts === undefined) this.#setAllUp();
    else new Availability(this.index, this.writer, facts).start();
    this.writer.commit();
    const random = newRandom();
    this.answerer = new WideIpAnswerer(tables, this.memory, {
      random,
      persistence: this.persistence,
      counts: this.counts,
    });
    if (previous !== undefined) this.answerer.carry(previous.answerer);
  }

  #setAllUp(): void {
    const { index, tables } = this.compiled;
    // Nobody has measured anything.
    for (let at = 0; at < tables.layout.membersAt; at++) {
      if (at % VIRTUAL_SERVER_WORDS !== VirtualServerWord.status) this.writer.set(at, UNKNOWN);
    }
    index.members.forEach((_, member) => this.writer.set(tables.layout.membersAt + member, Health.up));
    index.pools.forEach(({ members }, pool) => this.#setPool(pool, members, 1));
    index.wideIps.forEach((_, wideIp) => {
      this.writer.set(tables.layout.wideIpsAt + wideIp, WideIpBit.enabled | WideIpBit.available);
    });
  }

  get index(): GtmIndex {
    return this.compiled.index;
  }

  #setPool(pool: number, usable: number, enabled: number): void {
    const at = this.memory.layout.poolsAt + pool * POOL_WORDS;
    this.writer.set(at + PoolWord.usable, usable);
    this.writer.set(at + PoolWord.enabled, enabled);
  }

  /** Sets all members whose names end so; or, in the pool of a name, the one that is called so. */
  set(member: string, health: number, pool?: string): this {
    const { layout } = this.memory;
    this.index.pools.forEach(({ pool: { name }, firstMember, members }, poolNumber) => {
      let usable = 0;
      for (let number = firstMember; number < firstMember + members; number++) {
        const own = this.index.members[number]!.member.name;
        const isIt = pool === undefined ? own.endsWith(member) : pool === name && own === member;
        if (isIt) this.writer.set(layout.membersAt + number, health);
        if ((this.writer.get(layout.membersAt + number) & MemberBit.usable) !== 0) usable++;
      }
      const at = layout.poolsAt + poolNumber * POOL_WORDS;
      this.#setPool(poolNumber, usable, this.writer.get(at + PoolWord.enabled));
    });
    this.writer.commit();
    return this;
  }

  /** Switches a pool off. */
  disablePool(pool: string): this {
    this.index.pools.forEach(({ pool: { name } }, number) => {
      if (name === pool) this.#setPool(number, 0, 0);
    });
    this.writer.commit();
    return this;
  }

  /** Switches a wide IP off, or all of a domain. */
  disableWideIp(which: string | WideIp): this {
    this.index.wideIps.forEach(({ wideIp }, number) => {
      if (wideIp.domain === which || wideIp === which) this.writer.set(this.memory.layout.wideIpsAt + number, 0);
    });
    this.writer.commit();
    return this;
  }

  /** The reply as lines, behind them what the limit and the sender allow; or the verdict that there is none. */
  ask(name: string, type = 'A', limit = 1232, edns?: TestQuestion['edns']): string[] {
    return this.askOctets(queryOf({ name, type, ...(edns === undefined ? {} : { edns }) }), limit);
  }

  askOctets(octets: Uint8Array, limit = 1232): string[] {
    const query = new Query();
    assert.equal(readQuery(octets, 0, octets.length, query), QueryVerdict.question);
    const { reply } = this;
    const means = { writer: new MessageWriter(), limit, isStream: false };
    const verdict = this.answerer.answer(query, reply, means, this.sender);
    if (verdict !== WideIpVerdict.answered) return [VERDICTS[verdict]];
    const message = new Uint8Array(65_535 + 11);
    return linesOf(message.subarray(0, writeMessage(query, reply, 1232, message)));
  }

  /** What was counted of a wide IP, without what is 0. */
  counted(domain: string): Record<string, number> {
    const number = this.index.wideIps.findIndex(({ wideIp }) => wideIp.domain === domain);
    const counts = Object.entries(WideIpCounter).map(([name, counter]) => [
      name,
      this.counts.wideIps[number * WIDE_IP_COUNTERS + counter]!,
    ]);
    return Object.fromEntries(counts.filter(([, count]) => count !== 0)) as Record<string, number>;
  }
}

const VERDICTS = ['none', 'answered', 'dropped', 'passed'] as const;

/** What most tests ask for: it has pools p1, of 192.0.2.1 and 192.0.2.2, and p2, of 192.0.2.3. */
export const NAME = 'www.example.com';
export const POOLS = [poolOf('a', '/Common/p1', ['192.0.2.1', '192.0.2.2']), poolOf('a', '/Common/p2', ['192.0.2.3'])];

/** A rig of NAME with these pools, but for those that are called last. */
export function rigOf(changes: Partial<WideIp> = {}, pools: readonly GtmPool[] = POOLS): WideIpRig {
  const own = pools.filter(({ name }) => !name.endsWith('last')).map(({ name }) => name);
  return new WideIpRig(describeGtm([wideIpOf('a', NAME, own, changes)], pools));
}

/** That NAME has this address. */
export function answer(address: string, ttl = 30): string[] {
  return ['NOERROR aa', `an ${NAME} ${ttl} A ${address}`];
}
