// A reply as a person reads it: header, records, what is in OPT. Decoded by dns-packet, which shares no code with what made it
// (docs/decisions/dns-packet.md).

import { type Answer, type DecodedPacket, decode } from 'dns-packet';

/** What the types of the package leave out. */
type Decoded = DecodedPacket & { readonly rcode: string };

/** Lines of a whole message: first the code, the flags and how many octets it has, then a line a record. */
export function replyLines(message: Uint8Array): string[] {
  const decoded = decode(Buffer.from(message)) as Decoded;
  const flags = (['aa', 'tc', 'rd', 'ra', 'ad', 'cd'] as const).filter((flag) => decoded[`flag_${flag}`]);
  const lines = [`${[decoded.rcode, ...flags].join(' ')}, ${message.length} octets`];
  for (const [section, records] of [
    ['answer', decoded.answers],
    ['authority', decoded.authorities],
    ['additional', decoded.additionals],
  ] as const) {
    for (const record of records ?? []) lines.push(`${section}: ${recordText(record)}`);
  }
  return lines;
}

function recordText(record: Answer): string {
  if (record.type === 'OPT') return `OPT, ${record.udpPayloadSize} octets${record.flag_do ? ', DO' : ''}`;
  const { name, type } = record;
  const { ttl, data } = record as { ttl?: number; data?: unknown };
  const owner = name.endsWith('.') ? name : `${name}.`;
  return `${owner} ${ttl ?? 0} ${type} ${dataText(data)}`;
}

function dataText(data: unknown): string {
  if (Buffer.isBuffer(data)) return JSON.stringify(data.toString('latin1'));
  if (Array.isArray(data)) return data.map(dataText).join(' ');
  if (typeof data === 'object' && data !== null) return Object.values(data).map(dataText).join(' ');
  return String(data);
}
