// The zone of the DNS benchmarks, the same for all servers, and the questions about it.

import { nameOf } from '../../src/dns/name.ts';
import type { RecordSet, Zone } from '../../src/dns/record.ts';

export const ORIGIN = 'bench.test';
const TTL = 300;
const A = 1;
const NS = 2;
const SOA = 6;
const QUESTIONS = 20_000;

const addressOf = (index: number): [number, number, number, number] => [
  10,
  (index >>> 16) & 255,
  (index >>> 8) & 255,
  index & 255,
];

/** As a master file. */
export function benchMasterFile(records: number): string {
  const lines = [
    `$ORIGIN ${ORIGIN}.\n$TTL ${TTL}\n@ IN SOA ns host 1 7200 600 86400 300\n@ IN NS ns\nns IN A 127.0.0.1\n`,
    ...Array.from({ length: records }, (_, index) => `h${index} IN A ${addressOf(index).join('.')}\n`),
  ];
  return lines.join('');
}

/** The same as record sets. */
export function benchZone(records: number): Zone {
  const origin = nameOf(`${ORIGIN}.`);
  const server = nameOf(`ns.${ORIGIN}.`);
  const times = Buffer.alloc(20);
  for (const [index, value] of [1, 7200, 600, 86_400, 300].entries()) times.writeUInt32BE(value, index * 4);
  const soa = Uint8Array.from([...server, ...nameOf(`host.${ORIGIN}.`), ...times]);
  const sets: RecordSet[] = [
    { owner: origin, type: SOA, ttl: TTL, data: [soa] },
    { owner: origin, type: NS, ttl: TTL, data: [server] },
    { owner: server, type: A, ttl: TTL, data: [Uint8Array.of(127, 0, 0, 1)] },
  ];
  for (let index = 0; index < records; index++) {
    const owner = nameOf(`h${index}.${ORIGIN}.`);
    sets.push({ owner, type: A, ttl: TTL, data: [Uint8Array.from(addressOf(index))] });
  }
  return { origin, sets };
}

export type QuestionMix = { readonly absentPercent: number; readonly wideIpPercent: number; readonly wideIps: number };

/** Questions as `dns-load` reads them: addresses of names that are there, of some that are not, and of wide IPs. */
export function benchQuestions(
  records: number,
  { absentPercent, wideIpPercent, wideIps }: QuestionMix = { absentPercent: 30, wideIpPercent: 0, wideIps: 1 },
): string {
  let state = 1;
  const below = (limit: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
  const name = (): string => {
    const kind = below(100);
    if (kind < absentPercent) return `n${below(1_000_000)}`;
    return kind < absentPercent + wideIpPercent ? `w${below(wideIps)}` : `h${below(records)}`;
  };
  return Array.from({ length: QUESTIONS }, () => `${name()}.${ORIGIN} ${A}\n`).join('');
}
