// Zones and messages for tests, encoded and decoded by dns-packet, which is not ours.

import * as packet from 'dns-packet';
import { OPT_OCTETS, writeHeader, writeOpt } from '../../src/dns/message-head.ts';
import { HEADER_OCTETS, type Query } from '../../src/dns/query.ts';
import type { RecordSet, Zone } from '../../src/dns/record.ts';
import type { Reply } from '../../src/dns/reply.ts';

/** A record as dns-packet has it. */
export type TestRecord = packet.Answer;

const NUMBERS: Record<string, number> = {
  ...{ A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, HINFO: 13, MX: 15, TXT: 16, AAAA: 28, SRV: 33, NAPTR: 35, DNAME: 39 },
  ...{ DS: 43, ANY: 255 },
};

/** A name as on the wire. */
export function nameOf(text: string): Uint8Array {
  const labels = text.split('.').filter((label) => label !== '');
  const parts = labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, 'latin1')]);
  return Uint8Array.from(Buffer.concat([...parts, Buffer.from([0])]));
}

/** The data of a record, without compression and without its length. */
function dataOf(record: TestRecord): Uint8Array {
  const octets = packet.encode({ type: 'response', answers: [record] });
  // Header, owner, and ten octets in front of the data.
  return Uint8Array.from(octets.subarray(12 + nameOf(record.name).length + 10));
}

/** A zone of these records, in sets as they come. */
export function zoneOf(origin: string, records: readonly TestRecord[]): Zone {
  const sets = new Map<string, RecordSet & { data: Uint8Array[] }>();
  for (const record of records) {
    const type = NUMBERS[record.type]!;
    const key = `${record.name.toLowerCase()} ${type}`;
    const ttl = (record as { ttl?: number }).ttl ?? 300;
    const set = sets.get(key) ?? { owner: nameOf(record.name), type, ttl, data: [] };
    set.data.push(dataOf(record));
    sets.set(key, set);
  }
  return { origin: nameOf(origin), sets: [...sets.values()] };
}

export type TestQuestion = {
  name: string;
  type: string;
  class?: string;
  edns?: { udpPayloadSize?: number; flags?: number };
};

/** A query, as dns-packet writes it. */
export function queryOf({ name, type, class: kind = 'IN', edns }: TestQuestion): Uint8Array {
  const additionals = edns === undefined ? [] : [{ type: 'OPT', name: '.', udpPayloadSize: 4096, ...edns }];
  return packet.encode({
    type: 'query',
    id: 0x1234,
    flags: packet.RECURSION_DESIRED,
    questions: [{ type: type as packet.RecordType, class: kind as packet.RecordClass, name }],
    additionals: additionals as packet.Answer[],
  });
}

/** A message as one line a record: section, name, type, data. */
export function linesOf(octets: Uint8Array): string[] {
  const message = packet.decode(Buffer.from(octets));
  const line = (section: string) => (record: packet.Answer) => {
    const { name, type, ttl, data } = record as { name: string; type: string; ttl?: number; data?: unknown };
    if (type === 'OPT') return `${section} OPT`;
    return `${section} ${name} ${ttl} ${type} ${textOf(data)}`;
  };
  const {
    flag_aa: aa,
    flag_tc: tc,
    rcode,
  } = message as unknown as { flag_aa: boolean; flag_tc: boolean; rcode: string };
  return [
    [rcode, ...(aa ? ['aa'] : []), ...(tc ? ['tc'] : [])].join(' '),
    ...(message.answers ?? []).map(line('an')),
    ...(message.authorities ?? []).map(line('ns')),
    ...(message.additionals ?? []).map(line('ar')),
  ];
}

function textOf(data: unknown): string {
  if (Buffer.isBuffer(data)) return data.toString('latin1');
  if (Array.isArray(data)) return data.map(textOf).join(' ');
  if (typeof data === 'object' && data !== null) return Object.values(data).map(textOf).join(' ');
  return String(data);
}

/**
 * The whole message of a reply into `into`, without the options that a responder adds: header, question, records, OPT when the query had it.
 * Returns its octets; `into` has room for what the reply was limited to.
 */
export function writeMessage(query: Query, reply: Reply, udpOctets: number, into: Uint8Array): number {
  const head = query.questionEnd - query.start;
  into.set(query.octets.subarray(query.start, query.questionEnd));
  writeHeader(into, 0, query, reply, head > HEADER_OCTETS ? 1 : 0, query.hasEdns);
  into.set(reply.tail.subarray(reply.tailAt, reply.tailAt + reply.tailOctets), head);
  const end = head + reply.tailOctets;
  if (!query.hasEdns) return end;
  writeOpt(into, end, query, reply.rcode, udpOctets);
  return end + OPT_OCTETS;
}
