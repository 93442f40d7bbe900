// Reads what somebody says of health by hand, against the configuration that runs: names must be there, and numbers belong to what
// has them.

import { splitVirtualServerKey } from '../../config/gtm-kinds.ts';
import { COMMON, fullPath } from '../../config/name.ts';
import { formatBareAddress, parseAddress } from '../../core/address.ts';
import type { Availability } from '../../gtm/availability.ts';
import { virtualServerKey, WIDE_IP_TYPES, type WideIpType } from '../../gtm/description.ts';
import {
  type FactChange,
  type FactLayer,
  type MemberFacts,
  memberKey,
  type PathFacts,
  pathKey,
  type ServerFacts,
  type VirtualServerFacts,
} from '../../gtm/facts.ts';
import { Status } from '../../gtm/state-layout.ts';
import { IpcError } from '../../ipc/ipc-error.ts';
import type { HealthChange, HealthSet } from '../../ipc/health-schema.ts';

/** Of a status that is set without a reason. */
const BY_HAND = 'set by hand';
/** How many names a message lists of those that there are. */
const LISTED = 5;

/** `hand`: what was said by hand before. `now`: seconds since 1970. Throws an IpcError that says what is wrong and what to do. */
export function factChangeOf(
  change: HealthChange,
  availability: Availability,
  hand: FactLayer,
  now: number,
): FactChange {
  switch (change.kind) {
    case 'set':
      return setChange(change, availability, hand, now);
    case 'clear': {
      const { kind, name } = find(change.name, availability);
      if (kind === 'server') return { kind, name, facts: undefined };
      return { kind, key: name, facts: undefined };
    }
    case 'set-path':
      return pathChange(change, availability, now);
    case 'clear-path': {
      const { client, datacenter } = pathEnds(change, availability);
      if (!availability.facts.paths.has(pathKey(client, datacenter))) {
        refuse(`nothing is known of a path from ${client} to ${datacenter}: dns health lists those that there are`);
      }
      return { kind: 'forget-path', client, datacenter };
    }
    case 'resume':
      return resumeChange(change, availability);
  }
}

function refuse(reason: string): never {
  throw new IpcError('refused', reason);
}

type Found = { readonly kind: 'server' | 'virtual-server' | 'member'; readonly name: string };

/** `SERVER`, `SERVER:VS`, or a member of a pool: `TYPE POOL SERVER:VS`. */
function find(text: string, availability: Availability): Found {
  const { graph } = availability;
  const words = /^(a|aaaa) (\S+) (.+)$/.exec(text);
  if (words !== null) return { kind: 'member', name: findMember(words[1]!, words[2]!, words[3]!, availability).key };
  const isServer = !text.includes(':');
  const split = splitVirtualServerKey(text);
  const server = fullPath(isServer ? text : split.server, COMMON);
  const number = graph.serverNumbers.get(server);
  if (number === undefined) refuse(`there is no gtm server ${server}: list gtm server says which there are`);
  if (isServer) return { kind: 'server', name: server };
  for (const name of [split.virtualServer, fullPath(split.virtualServer, COMMON)]) {
    const key = virtualServerKey(server, name);
    if (graph.virtualServerNumbers.has(key)) return { kind: 'virtual-server', name: key };
  }
  const names = graph.servers[number]!.virtualServers.map(({ name }) => name);
  const listed = names.slice(0, LISTED).join(', ') + (names.length > LISTED ? ', …' : '');
  refuse(
    `gtm server ${server} has no virtual server ${split.virtualServer}: ${listed ? `it has ${listed}` : 'it has none'}`,
  );
}

function setChange(change: HealthSet, availability: Availability, hand: FactLayer, now: number): FactChange {
  const { kind, name } = find(change.name, availability);
  const { status, connections, packetsPerSecond, kilobytesPerSecond, capacity, score, cpu, memoryAvailable } = change;
  const reason = change.reason ?? (status === undefined ? undefined : BY_HAND);
  const common = { status, reason, connections, packetsPerSecond, kilobytesPerSecond };
  if (Object.entries(change).every(([key, value]) => key === 'kind' || key === 'name' || value === undefined)) {
    refuse(`nothing is said of ${name}: give a status or a number, or use clear`);
  }
  const { servers, virtualServers, members } = hand;
  const saidOf = <T extends MemberFacts>(before: T | undefined, facts: T): T => {
    const isNew = status !== undefined && status !== before?.status;
    return { ...before, ...given(facts), ...(isNew && { since: Math.floor(now * 1000) }) } as T;
  };
  if (kind === 'member') {
    const numbers = [connections, packetsPerSecond, kilobytesPerSecond, capacity, score, cpu, memoryAvailable];
    if (numbers.some((each) => each !== undefined)) {
      refuse(`numbers are those of a virtual server or a server, and ${name} is a member of a pool: set its status`);
    }
    return { kind, key: name, facts: saidOf(members.get(name), { status, reason }) };
  }
  if (kind === 'server') {
    if (capacity !== undefined || score !== undefined) {
      refuse(
        `capacity and score are those of a virtual server, and ${name} is a server: name one of it behind a colon`,
      );
    }
    return { kind, name, facts: saidOf<ServerFacts>(servers.get(name), { ...common, cpu, memoryAvailable }) };
  }
  if (cpu !== undefined || memoryAvailable !== undefined) {
    const { server } = splitVirtualServerKey(name);
    refuse(`cpu and memory are those of a server, and ${name} is a virtual server: set them of ${server}`);
  }
  return {
    kind,
    key: name,
    facts: saidOf<VirtualServerFacts>(virtualServers.get(name), { ...common, capacity, score }),
  };
}

/** Without what is undefined, so that it does not take the place of what is known. */
function given<T extends object>(facts: T): Partial<T> {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as Partial<T>;
}

function pathEnds(path: { client: string; datacenter: string }, { graph }: Availability) {
  const address = parseAddress(path.client);
  if (address?.routeDomain !== 0) refuse(`${path.client} is no IP address of a client`);
  const datacenter = fullPath(path.datacenter, COMMON);
  if (!graph.datacenterNumbers.has(datacenter)) {
    refuse(`there is no gtm datacenter ${datacenter}: list gtm datacenter says which there are`);
  }
  return { client: formatBareAddress(address), datacenter };
}

function pathChange(
  change: Extract<HealthChange, { kind: 'set-path' }>,
  availability: Availability,
  now: number,
): FactChange {
  const ends = pathEnds(change, availability);
  const { roundTripTime, hops, completionRate, ttl = availability.index.description.settings.pathTtl } = change;
  const before: PathFacts | undefined = availability.facts.paths.get(pathKey(ends.client, ends.datacenter));
  const numbers = given({ roundTripTime, hops, completionRate });
  if (before === undefined && Object.keys(numbers).length === 0) {
    refuse(`nothing is said of the path from ${ends.client} to ${ends.datacenter}: give an rtt, hops or a completion`);
  }
  const expires = Math.floor(now) + ttl;
  return { kind: 'path', path: { ...before, ...numbers, ...ends, expires, isMeasured: undefined } };
}

type FoundMember = { readonly key: string; readonly text: string };

/** `text`: as a message names it. */
function findMember(typeText: string, poolText: string, memberText: string, { index }: Availability): FoundMember {
  const type = WIDE_IP_TYPES.find((each) => each === typeText);
  if (type === undefined) refuse(`${typeText} is no type of pools: use ${WIDE_IP_TYPES.join(', ')}`);
  const name = fullPath(poolText, COMMON);
  const pool = index.description.pools.find((each) => each.type === type && each.name === name);
  if (pool === undefined) {
    refuse(`there is no gtm pool ${type} ${name}: list gtm pool ${type} says which there are`);
  }
  const written = memberNames(type, memberText);
  const member = pool.members.find((each) => written.includes(each.name))?.name;
  if (member === undefined) refuse(`gtm pool ${type} ${name} has no member ${memberText}`);
  return { key: memberKey(type, name, member), text: `member ${member} of gtm pool ${type} ${name}` };
}

function resumeChange(change: Extract<HealthChange, { kind: 'resume' }>, availability: Availability): FactChange {
  const { index, facts, graph } = availability;
  const { key, text } = findMember(change.type, change.pool, change.member, availability);
  if (!facts.held.has(key)) refuse(`${text} does not wait to be resumed`);
  const number = graph.memberNumbers().get(key)?.[0];
  const { virtualServer } = index.members[number!]!;
  const isOffline = availability.virtualServers.status(virtualServer) === Status.offline;
  if (isOffline || facts.members.get(key)?.status === 'offline') {
    refuse(`${text} is still offline: resume it when it is not`);
  }
  return { kind: 'resume', member: key };
}

/** As a member may have been written: a server's bare name belongs to /Common, and so may that of its virtual server. */
function memberNames(type: WideIpType, text: string): string[] {
  if ((type !== 'a' && type !== 'aaaa') || !text.includes(':')) return [text];
  const { server, virtualServer } = splitVirtualServerKey(text);
  const path = fullPath(server, COMMON);
  return [virtualServerKey(path, virtualServer), virtualServerKey(path, fullPath(virtualServer, COMMON))];
}
