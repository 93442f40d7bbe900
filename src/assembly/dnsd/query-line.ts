// A line of the query log. Up to the flags it is what BIND writes (category "queries"), then what became of the query:
//
//   2026-11-30T04:00:00.123Z /Common/dns client 192.0.2.99 (www.example.com): query: www.example.com IN A +E(0)DK: zone NOERROR 63
//
// Flags: + or - for RD, S signed by TSIG, E(0) EDNS, T over TCP, D DO, C CD, K with a cookie; [ECS] with a client subnet.

import { formatAddressOctets } from '../../core/address.ts';
import { Flag } from '../../dns/message-head.ts';
import { formatName } from '../../dns/name.ts';
import { rcodeName } from '../../dns/rcode-names.ts';
import { className } from '../../dns/record-class.ts';
import { typeName } from '../../dns/record-types.ts';
import { Outcome } from '../../dns/outcome.ts';
import { QueryMark, type QueryRecord } from './query-log.ts';

const OUTCOME_NAMES = Object.keys(Outcome);

export function formatQueryRecord(record: QueryRecord): string {
  const { time, engine, client, name, outcome, octets, rcode } = record;
  // BIND writes names without the dot behind them.
  const question = name === undefined ? undefined : formatName(name).replace(/(.)\.$/, '$1');
  const asked =
    question === undefined
      ? 'message'
      : `(${question}): query: ${question} ${className(record.class)} ${typeName(record.type)} ${flagsOf(record)}`;
  const became = OUTCOME_NAMES[outcome]!;
  const sent =
    octets > 0 ? `${rcodeName(rcode)} ${octets}` : outcome === Outcome.forwarded ? 'no reply yet' : 'no reply';
  return `${new Date(time).toISOString()} ${engine} client ${formatAddressOctets(client)} ${asked}: ${became} ${sent}`;
}

function flagsOf({ flags, marks }: QueryRecord): string {
  const has = (mark: number, text: string): string => ((marks & mark) !== 0 ? text : '');
  return [
    (flags & Flag.rd) !== 0 ? '+' : '-',
    has(QueryMark.signed, 'S'),
    has(QueryMark.edns, 'E(0)'),
    has(QueryMark.stream, 'T'),
    has(QueryMark.dnssec, 'D'),
    (flags & Flag.cd) !== 0 ? 'C' : '',
    has(QueryMark.cookie, 'K'),
    has(QueryMark.subnet, ' [ECS]'),
  ].join('');
}
