// Random sound zones that are full of corners, as records and as master files, and questions about them.

import type { Random } from '../fuzz/mutator.ts';
import type { TestRecord } from './dns.ts';

export type TestZone = { origin: string; records: TestRecord[] };

const LABELS = ['a', 'b', 'c', 'www', 'mail', 'x1', 'deep', '_sip', '_tcp'];
const TTLS = [0, 1, 60, 300, 3600, 86_400];
export const QUESTION_TYPES = [
  'A',
  'AAAA',
  'CNAME',
  'MX',
  'NS',
  'SOA',
  'SRV',
  'TXT',
  'DNAME',
  'DS',
  'PTR',
  'ANY',
] as const;

/** Names at or below `under`, with up to three labels more. */
function someName(random: Random, under: string): string {
  const labels = Array.from({ length: random.below(3) + 1 }, () => random.pick(LABELS));
  return [...labels, under].join('.');
}

class ZoneMaker {
  readonly #random: Random;
  readonly #origin: string;
  readonly #types = new Map<string, Set<string>>();
  readonly #ttls = new Map<string, number>();
  readonly records: TestRecord[] = [];

  constructor(random: Random, origin: string) {
    this.#random = random;
    this.#origin = origin;
  }

  /** Adds a record unless it would make the zone unsound. */
  add(type: TestRecord['type'], name: string, data: unknown): void {
    const types = this.#types.get(name) ?? new Set();
    if (types.has('CNAME') || (type === 'CNAME' && types.size > 0)) return;
    if (this.#isHidden(name) || (type === 'DNAME' && (types.has('DNAME') || types.has('NS') || this.#hasBelow(name))))
      return;
    if (type === 'NS' && (types.has('DNAME') || name.startsWith('*'))) return;
    if (type === 'DNAME' && (name === this.#origin || name.startsWith('*'))) return;
    const key = `${name} ${type}`;
    const ttl = this.#ttls.get(key) ?? this.#random.pick(TTLS);
    this.#ttls.set(key, ttl);
    types.add(type);
    this.#types.set(name, types);
    const record = { type, name, ttl, data } as TestRecord;
    if (!this.records.some((other) => JSON.stringify(other) === JSON.stringify(record))) this.records.push(record);
  }

  has(name: string, type: string): boolean {
    return this.#types.get(name)?.has(type) === true;
  }

  /** Below a DNAME. */
  #isHidden(name: string): boolean {
    const labels = name.split('.');
    return labels.some((_, index) => index > 0 && this.has(labels.slice(index).join('.'), 'DNAME'));
  }

  #hasBelow(name: string): boolean {
    return [...this.#types.keys()].some((other) => other.endsWith(`.${name}`));
  }

  /** Below a delegation, or at one. */
  isDelegated(name: string): boolean {
    const labels = name.split('.');
    return labels.some((_, index) => {
      const above = labels.slice(index).join('.');
      return above !== this.#origin && this.has(above, 'NS');
    });
  }
}

export function randomZone(random: Random, origin: string): TestZone {
  const maker = new ZoneMaker(random, origin);
  const inside = (): string => someName(random, origin);
  const address = (): string => `192.0.2.${random.below(256)}`;
  const soa = { mname: `ns1.${origin}`, rname: `host.${origin}`, serial: 1, refresh: 7200, retry: 600, expire: 86_400 };
  maker.add('SOA', origin, { ...soa, minimum: random.pick([30, 300, 7200]) });
  maker.add('NS', origin, `ns1.${origin}`);
  maker.add('A', `ns1.${origin}`, '192.0.2.53');
  if (random.below(2) === 0) maker.add('NS', origin, 'ns.elsewhere.test');
  for (let count = 10 + random.below(50); count > 0; count--) {
    const name = random.below(4) === 0 ? `*.${inside()}` : random.below(10) === 0 ? origin : inside();
    switch (random.below(10)) {
      case 0:
      case 1:
        maker.add('A', name, address());
        break;
      case 2:
        maker.add('AAAA', name, `2001:db8::${(random.below(65_535) + 1).toString(16)}`);
        break;
      case 3:
        maker.add('TXT', name, [Buffer.from(random.pick(['one', 'two words', 'x'.repeat(200)]))]);
        break;
      case 4:
        maker.add('MX', name, {
          preference: random.below(50),
          exchange: random.pick([`mail.${origin}`, 'mx.elsewhere.test']),
        });
        break;
      case 5:
        maker.add('SRV', name, {
          priority: 1,
          weight: 2,
          port: 5060,
          target: random.pick([`srv.${origin}`, 'srv.elsewhere.test']),
        });
        break;
      case 6:
      case 7:
        if (name !== origin)
          maker.add('CNAME', name, random.pick([inside(), inside(), `gone.${origin}`, 'www.elsewhere.test']));
        break;
      case 8:
        if (name !== origin) maker.add('DNAME', name, random.pick([inside(), 'moved.elsewhere.test']));
        break;
      default:
        delegate(maker, random, name, origin);
    }
  }
  maker.add('A', `mail.${origin}`, address());
  maker.add('A', `srv.${origin}`, address());
  return { origin, records: maker.records };
}

/** A delegation with glue, now and then to a server elsewhere or beside the cut. */
function delegate(maker: ZoneMaker, random: Random, name: string, origin: string): void {
  if (name === origin || name.startsWith('*') || maker.isDelegated(name)) return;
  const glue = `ns.${name}`;
  maker.add('NS', name, random.pick([glue, glue, 'ns.elsewhere.test', `ns1.${origin}`]));
  if (!maker.has(name, 'NS')) return;
  maker.add('A', glue, '192.0.2.54');
  if (random.below(2) === 0) maker.add('AAAA', glue, '2001:db8::54');
}

const quoted = (text: Buffer | string): string => `"${text.toString()}"`;

function dataText(record: TestRecord): string {
  const { data } = record as { data: unknown };
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return String(data);
    case 'TXT':
      return (data as Buffer[]).map(quoted).join(' ');
    case 'CNAME':
    case 'NS':
    case 'DNAME':
    case 'PTR':
      return `${String(data)}.`;
    default: {
      const fields = Object.entries(data as Record<string, string | number>);
      const isName = (field: string): boolean => ['mname', 'rname', 'exchange', 'target'].includes(field);
      return fields.map(([field, value]) => (isName(field) ? `${value}.` : value)).join(' ');
    }
  }
}

/** The zone as a master file (RFC 1035, section 5), every name in full. */
export function masterFile({ records }: TestZone): string {
  return records
    .map((record) => `${record.name}. ${(record as { ttl?: number }).ttl} IN ${record.type} ${dataText(record)}\n`)
    .join('');
}

/** A question that has something to do with the zone: names of it, beside, above and below them. */
export function randomQuestion(random: Random, { origin, records }: TestZone): { name: string; type: string } {
  const type = random.pick(QUESTION_TYPES);
  const { name } = random.pick(records);
  const labels = name.split('.');
  const mixed = (text: string): string => (random.below(4) === 0 ? text.toUpperCase() : text);
  switch (random.below(6)) {
    case 0:
      return { name: mixed(`${random.pick(LABELS)}.${name}`.replace('*', 'star')), type };
    case 1:
      return { name: mixed(`${random.pick(LABELS)}.${random.pick(LABELS)}.${name}`.replace('*.', '')), type };
    case 2: {
      const above = labels.slice(1).join('.');
      return { name: above.endsWith(origin) ? above : origin, type };
    }
    case 3:
      return { name: someName(random, origin), type };
    default:
      return { name: mixed(name), type };
  }
}
