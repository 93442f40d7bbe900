// What a server says of itself in class CHAOS: its version and its name (RFC 4892; `version.bind` is BIND's, `id.server` of all).

import { write16, write32 } from '../core/octets.ts';
import { formatName } from './name.ts';
import { HEADER_OCTETS, type Query, RecordClass } from './query.ts';
import type { Reply } from './reply.ts';
import type { AnswerMeans } from './zone-answer.ts';

/** Texts of at most 255 octets; one that is missing is not told. */
export type ChaosNames = { readonly version?: string; readonly hostname?: string };

const TXT = 16;
const NAMES: readonly (readonly [name: string, what: keyof ChaosNames])[] = [
  ['version.bind.', 'version'],
  ['version.server.', 'version'],
  ['hostname.bind.', 'hostname'],
  ['id.server.', 'hostname'],
];

/** Answers a question in class CHAOS; false for what is not told. */
export function answerChaos(names: ChaosNames, query: Query, reply: Reply, { writer, limit }: AnswerMeans): boolean {
  if (query.class !== RecordClass.chaos || query.type !== TXT) return false;
  const name = formatName(query.octets, query.nameStart).toLowerCase();
  const what = NAMES.find(([known]) => known === name)?.[1];
  const text = what === undefined ? undefined : names[what];
  if (text === undefined) return false;
  const data = new TextEncoder().encode(text).subarray(0, 255);
  writer.start(query, limit);
  const { octets, at } = writer;
  write16(octets, at, 0xc000 | HEADER_OCTETS);
  write16(octets, at + 2, TXT);
  write16(octets, at + 4, RecordClass.chaos);
  write32(octets, at + 6, 0);
  write16(octets, at + 10, data.length + 1);
  octets[at + 12] = data.length;
  octets.set(data, at + 13);
  reply.isAuthoritative = true;
  reply.answers = 1;
  reply.tail = octets;
  reply.tailAt = at;
  reply.tailOctets = 13 + data.length;
  return true;
}
