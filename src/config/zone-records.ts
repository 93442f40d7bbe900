// The zone that the records of a `gtm zone` make, judged as a master file with them would be.
//
// What is stricter: records out of the zone, two spellings of one owner and type, and comments are errors here. In a file the
// first would be left out, the second put together, and of a text with a semicolon the rest would be lost.

import { MasterFileWords } from '../dns/master-file-words.ts';
import { formatName, isSubdomain, nameErrorText, parseName } from '../dns/name.ts';
import type { DomainName, Zone } from '../dns/record.ts';
import { RecordCollector } from '../dns/record-collector.ts';
import { readRdata, TYPE, typeOf } from '../dns/record-types.ts';
import { RdataBuffer, RecordTextError } from '../dns/words.ts';
import { checkZone } from '../dns/zone-check.ts';
import { splitRecordKey } from './zone-names.ts';

/** What of a `gtm zone` makes its records. */
export type ZoneRecords = {
  readonly 'default-ttl': number;
  readonly records: Readonly<Record<string, { readonly data: readonly string[]; readonly ttl?: number }>>;
};

export type RecordProblem = {
  /** With an error there is no zone. */
  readonly severity: 'error' | 'warning';
  /** A sentence without a dot, the record not named. */
  readonly text: string;
  /** Its key; absent: a record is missing. */
  readonly record?: string;
  /** What was written. */
  readonly data?: string;
  readonly hint?: string;
};

const encoder = new TextEncoder();
const SOA_HINT = 'Add @/soa { data { "ns1 hostmaster 1 7200 600 1209600 300" } }.';
const NS_HINT = 'Add @/ns { data { ns1 } }, and the address of ns1.';

/** `zone` is there if no problem is an error. */
export function zoneOfRecords(
  origin: DomainName,
  properties: ZoneRecords,
): { readonly zone?: Zone; readonly problems: readonly RecordProblem[] } {
  const reader = new RecordReader(origin);
  for (const [key, { data, ttl }] of Object.entries(properties.records)) {
    reader.read(key, data, ttl ?? properties['default-ttl']);
  }
  return reader.finish();
}

class RecordReader {
  readonly #origin: DomainName;
  readonly #collector = new RecordCollector();
  readonly #rdata = new RdataBuffer();
  readonly #problems: RecordProblem[] = [];
  /** By number of the set. */
  readonly #keys: string[] = [];

  constructor(origin: DomainName) {
    this.#origin = origin;
  }

  read(key: string, data: readonly string[], ttl: number): void {
    const set = this.#addSet(key, ttl);
    if (set === undefined) return;
    if (data.length === 0) this.#fail(key, 'has no data', { hint: 'Write data { … } inside its braces.' });
    const type = typeOf(splitRecordKey(key).type)!;
    for (const item of data) {
      const wrong = this.#readData(type, item);
      if (wrong === undefined) this.#collector.add(set, this.#rdata.octets, this.#rdata.end);
      else this.#fail(key, wrong, { data: item });
    }
  }

  #addSet(key: string, ttl: number): number | undefined {
    const { owner: text, type: mnemonic } = splitRecordKey(key);
    const owner = parseName(text, this.#origin);
    if (typeof owner === 'number') {
      this.#fail(key, nameErrorText(owner));
      return undefined;
    }
    if (!isSubdomain(owner, this.#origin)) {
      const hint = `Owners end in ${formatName(this.#origin)}, or have no dot at their end.`;
      this.#fail(key, `${formatName(owner)} is not in the zone ${formatName(this.#origin)}`, { hint });
      return undefined;
    }
    const type = typeOf(mnemonic)!;
    const twin = this.#collector.find(owner, type);
    if (twin >= 0) {
      const hint = 'Put their data into one of them, and delete the other.';
      this.#fail(key, `means the same as ${this.#keys[twin]!}`, { hint });
      return undefined;
    }
    const set = this.#collector.addSet(owner, type, ttl);
    this.#keys[set] = key;
    return set;
  }

  #readData(type: number, text: string): string | undefined {
    if (/[\r\n]/.test(text)) return 'there is a line end in it';
    const words = new MasterFileWords(encoder.encode(text));
    try {
      readRdata(type, words, this.#rdata, this.#origin);
    } catch (thrown) {
      if (!(thrown instanceof RecordTextError)) throw thrown;
      return thrown.message;
    }
    return words.hasComment
      ? 'a semicolon begins a comment: put the text in quotes of its own, as in "\\"a; b\\""'
      : undefined;
  }

  #fail(record: string, text: string, more: Pick<RecordProblem, 'data' | 'hint'> = {}): void {
    this.#problems.push({ severity: 'error', record, text, ...more });
  }

  finish(): { zone?: Zone; problems: readonly RecordProblem[] } {
    const problems = this.#problems;
    const origin = this.#origin;
    for (const [type, hint] of [
      [TYPE.SOA, SOA_HINT],
      [TYPE.NS, NS_HINT],
    ] as const) {
      if (this.#collector.find(origin, type) >= 0) continue;
      problems.push({
        severity: 'error',
        text: `${formatName(origin)} has no ${type === TYPE.SOA ? 'SOA' : 'NS'}`,
        hint,
      });
    }
    if (problems.length > 0) return { problems };
    const zone: Zone = { origin, sets: this.#collector.pack() };
    for (const { severity, text, set } of checkZone(zone)) problems.push({ severity, text, record: this.#keys[set!]! });
    return problems.some(({ severity }) => severity === 'error') ? { problems } : { zone, problems };
  }
}
