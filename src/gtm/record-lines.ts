// The records that a wide IP answered with, as text: owners are pointers into the message, and names in data are in full.

import { read16, read32 } from '../core/octets.ts';
import { formatName } from '../dns/name.ts';
import type { Query } from '../dns/query.ts';
import { printRdata, typeName } from '../dns/record-types.ts';
import type { Reply } from '../dns/reply.ts';
import { RECORD_HEAD_OCTETS } from './render-records.ts';

/** A line for each record of the answer section: `www.example.com. 30 A 192.0.2.1`. */
export function recordLines(query: Query, reply: Reply): string[] {
  const { tail, tailAt, answers } = reply;
  const head = query.questionEnd - query.start;
  const ownerOf = (pointer: number): string => {
    const at = pointer & 0x3fff;
    return at < head ? formatName(query.octets, query.start + at) : formatName(tail, tailAt + at - head);
  };
  const lines: string[] = [];
  for (let at = tailAt; lines.length < answers;) {
    const type = read16(tail, at + 2);
    const data = at + RECORD_HEAD_OCTETS;
    const end = data + read16(tail, at + 10);
    const ttl = read32(tail, at + 6) >>> 0;
    lines.push(`${ownerOf(read16(tail, at))} ${ttl} ${typeName(type)} ${printRdata(type, tail, data, end)}`);
    at = end;
  }
  return lines;
}
