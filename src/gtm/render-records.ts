// Records as they stand behind a question for their owner: a pointer to it, type, class, TTL, length, data. Names in the data are in
// full, so that one copy is good behind every question.

import { write16, write32 } from '../core/octets.ts';
import { MAX_NAME_OCTETS, parseName, ROOT_NAME } from '../dns/name.ts';
import { HEADER_OCTETS, RecordClass } from '../dns/query.ts';
import { TYPE } from '../dns/record-types.ts';
import type { DomainName } from '../dns/record.ts';
import type { FailureReply, GtmPool, PoolMember } from './description.ts';
import { NAPTR } from './wide-ip-names.ts';

/** C0 0C: the name that was asked for. */
export const QUESTION_POINTER = 0xc000 | HEADER_OCTETS;
/** Octets of a record in front of its data. */
export const RECORD_HEAD_OCTETS = 12;

const HOSTMASTER = Uint8Array.of(10, ...new TextEncoder().encode('hostmaster'));
/** Of an SOA that we make: nobody transfers such a zone, so that only the last number of it says anything. */
const SOA_SERIAL = 1;
const SOA_TIMES = { refresh: 10_800, retry: 3600, expire: 604_800 } as const;

const encoder = new TextEncoder();

/** The record of an address of 4 or 16 octets. */
export function renderAddress(address: Uint8Array, ttl: number): Uint8Array {
  return record(address.length === 4 ? TYPE.A : TYPE.AAAA, ttl, address);
}

/** The record of a member that is a name; undefined when it cannot be one. */
export function renderName(pool: GtmPool, member: PoolMember): Uint8Array | undefined {
  const name = parseName(member.name, ROOT_NAME);
  if (typeof name === 'number') return undefined;
  switch (pool.type) {
    case 'cname':
      return record(TYPE.CNAME, pool.ttl, name);
    case 'mx':
      return record(TYPE.MX, pool.ttl, numbers(member.priority), name);
    case 'srv':
      return record(TYPE.SRV, pool.ttl, numbers(member.priority, member.weight, member.port), name);
    case 'naptr':
      return renderNaptr(pool.ttl, member, name);
    default:
      return undefined;
  }
}

/** RFC 3403, section 4.1: the expression is empty, as there is a replacement. */
function renderNaptr(ttl: number, { naptr }: PoolMember, replacement: DomainName): Uint8Array | undefined {
  const flags = characterString(naptr.flags);
  const service = characterString(naptr.service);
  if (flags === undefined || service === undefined) return undefined;
  const empty = Uint8Array.of(0);
  return record(NAPTR, ttl, numbers(naptr.order, naptr.preference), flags, service, empty, replacement);
}

/**
 * The SOA that says for how long a failure may be kept (RFC 2308). Its owner is one label above the question's name: who answers puts the
 * pointer to that in.
 */
export function renderFailure({ ttl }: FailureReply, nameserver: string): Uint8Array {
  const parsed = parseName(nameserver, ROOT_NAME);
  const primary = typeof parsed === 'number' ? ROOT_NAME : parsed;
  const fits = HOSTMASTER.length + primary.length <= MAX_NAME_OCTETS;
  const times = new Uint8Array(20);
  const { refresh, retry, expire } = SOA_TIMES;
  for (const [index, value] of [SOA_SERIAL, refresh, retry, expire, ttl].entries()) write32(times, 4 * index, value);
  return record(TYPE.SOA, ttl, primary, fits ? HOSTMASTER : new Uint8Array(0), primary, times);
}

function numbers(...values: readonly number[]): Uint8Array {
  const octets = new Uint8Array(2 * values.length);
  for (const [index, value] of values.entries()) write16(octets, 2 * index, value);
  return octets;
}

/** RFC 1035, section 3.3; undefined when it is too long for one. */
function characterString(text: string): Uint8Array | undefined {
  const octets = encoder.encode(text);
  return octets.length > 255 ? undefined : Uint8Array.of(octets.length, ...octets);
}

function record(type: number, ttl: number, ...data: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of data) length += part.length;
  const octets = new Uint8Array(RECORD_HEAD_OCTETS + length);
  write16(octets, 0, QUESTION_POINTER);
  write16(octets, 2, type);
  write16(octets, 4, RecordClass.in);
  write32(octets, 6, ttl);
  write16(octets, 10, length);
  let at = RECORD_HEAD_OCTETS;
  for (const part of data) {
    octets.set(part, at);
    at += part.length;
  }
  return octets;
}
