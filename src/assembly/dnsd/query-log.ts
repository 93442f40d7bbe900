// Queries as an engine has answered them, for who wants to see them: records in shared memory, written by the thread of the engine
// and read by another. While nobody listens an engine looks at one word a batch. Who reads too slowly misses some, and is told how
// many; the engine never waits.

import type { Query } from '../../dns/query.ts';
import type { Outcome } from '../../dns/outcome.ts';
import type { ResponseTap } from '../../dns/responder.ts';
import type { Sender } from '../../dns/sender.ts';

/** Words in front of the records. Each but `listening` has one writer; their order makes a record visible after its octets. */
const Word = { listening: 0, written: 1, read: 2, lost: 3 } as const;
const CONTROL_OCTETS = 16;
/** time (8, ms since 1970), address (16), numbers of 16 bits (Field), name (255) */
const RECORD_OCTETS = 304;
const ADDRESS_AT = 8;
const FIELDS_AT = 24;
const NAME_AT = 48;
/** Places in the numbers of 16 bits. */
const Field = {
  ...{ addressOctets: 0, flags: 1, type: 2, class: 3, rcode: 4, outcome: 5 },
  ...{ marks: 6, udpOctets: 7, octets: 8, hasName: 9 },
} as const;
export const QueryMark = { stream: 1, edns: 2, dnssec: 4, cookie: 8, subnet: 16, signed: 32 } as const;

/** Memory for so many records, a power of two of them. */
export function createQueryLog(records = 4096): SharedArrayBuffer {
  return new SharedArrayBuffer(CONTROL_OCTETS + records * RECORD_OCTETS);
}

type Views = {
  readonly control: Int32Array;
  readonly octets: Uint8Array;
  readonly fields: Uint16Array;
  readonly times: Float64Array;
  readonly records: number;
};

function viewsOf(memory: SharedArrayBuffer): Views {
  const records = (memory.byteLength - CONTROL_OCTETS) / RECORD_OCTETS;
  return {
    control: new Int32Array(memory, 0, CONTROL_OCTETS / 4),
    octets: new Uint8Array(memory, CONTROL_OCTETS),
    fields: new Uint16Array(memory, CONTROL_OCTETS),
    times: new Float64Array(memory, CONTROL_OCTETS),
    records,
  };
}

/** The end of the engine: its Responder's `tap` for as long as `isWanted`. */
export class QueryLog implements ResponseTap {
  readonly #views: Views;

  constructor(memory: SharedArrayBuffer) {
    this.#views = viewsOf(memory);
  }

  get isWanted(): boolean {
    return Atomics.load(this.#views.control, Word.listening) !== 0;
  }

  note(query: Query, rcode: number, outcome: Outcome, octets: number, sender: Sender): void {
    const { control, octets: bytes, fields, times, records } = this.#views;
    const written = control[Word.written]!;
    if (((written - Atomics.load(control, Word.read)) | 0) >= records) {
      Atomics.add(control, Word.lost, 1);
      return;
    }
    const base = (written & (records - 1)) * RECORD_OCTETS;
    times[base >>> 3] = Date.now();
    const { addresses, addressAt, addressOctets } = sender;
    for (let index = 0; index < addressOctets; index++) {
      bytes[base + ADDRESS_AT + index] = addresses[addressAt + index]!;
    }
    const at = (base + FIELDS_AT) >>> 1;
    // What is no message has nothing to be read from it.
    const hasName = query.questionEnd > query.nameStart;
    fields[at + Field.addressOctets] = addressOctets;
    fields[at + Field.flags] = query.flags;
    fields[at + Field.type] = query.type;
    fields[at + Field.class] = query.class;
    fields[at + Field.rcode] = rcode;
    fields[at + Field.outcome] = outcome;
    fields[at + Field.marks] =
      (sender.isStream ? QueryMark.stream : 0) |
      (query.hasEdns ? QueryMark.edns : 0) |
      (query.wantsDnssec ? QueryMark.dnssec : 0) |
      (query.cookieOctets > 0 ? QueryMark.cookie : 0) |
      (query.subnetOctets > 0 ? QueryMark.subnet : 0) |
      (query.tsigStart > 0 ? QueryMark.signed : 0);
    fields[at + Field.udpOctets] = query.udpOctets;
    fields[at + Field.octets] = octets;
    fields[at + Field.hasName] = hasName ? 1 : 0;
    if (hasName) {
      for (let index = 0; index < query.nameOctets; index++) {
        bytes[base + NAME_AT + index] = query.octets[query.nameStart + index]!;
      }
    }
    Atomics.store(control, Word.written, (written + 1) | 0);
  }
}

export type QueryRecord = {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** The engine that was asked. */
  readonly engine: string;
  /** 4 or 16 octets of the client's address. */
  readonly client: Uint8Array;
  /** On the wire, without compression; none of a message whose question could not be read. */
  readonly name: Uint8Array | undefined;
  readonly type: number;
  readonly class: number;
  /** As the header has them. */
  readonly flags: number;
  /** QueryMark. */
  readonly marks: number;
  /** What the client takes over UDP. */
  readonly udpOctets: number;
  readonly outcome: Outcome;
  /** Of our reply; no meaning without one. */
  readonly rcode: number;
  /** Octets of our reply; 0: none was sent. */
  readonly octets: number;
};

/** The end of who listens: one for each engine. */
export class QueryLogReader {
  readonly #views: Views;
  readonly #engine: string;

  constructor(memory: SharedArrayBuffer, engine: string) {
    this.#views = viewsOf(memory);
    this.#engine = engine;
  }

  /** From the next batch of the engine on, what it answers is written down, or not any more. What is there stays to be read. */
  set isListening(wanted: boolean) {
    Atomics.store(this.#views.control, Word.listening, wanted ? 1 : 0);
  }

  /** Queries that had no room since the beginning. */
  get lost(): number {
    return Atomics.load(this.#views.control, Word.lost) >>> 0;
  }

  /** Reads what is there, the oldest first. */
  drain(): QueryRecord[] {
    const { control } = this.#views;
    const found: QueryRecord[] = [];
    const written = Atomics.load(control, Word.written);
    for (let read = control[Word.read]!; read !== written; read = (read + 1) | 0) found.push(this.#read(read));
    Atomics.store(control, Word.read, written);
    return found;
  }

  #read(number: number): QueryRecord {
    const { octets, fields, times, records } = this.#views;
    const base = (number & (records - 1)) * RECORD_OCTETS;
    const field = (which: keyof typeof Field): number => fields[((base + FIELDS_AT) >>> 1) + Field[which]]!;
    const name = base + NAME_AT;
    let end = name;
    while (octets[end] !== 0 && end < name + 255) end += octets[end]! + 1;
    return {
      time: times[base >>> 3]!,
      engine: this.#engine,
      client: octets.slice(base + ADDRESS_AT, base + ADDRESS_AT + field('addressOctets')),
      name: field('hasName') === 1 ? octets.slice(name, end + 1) : undefined,
      ...{ type: field('type'), class: field('class'), flags: field('flags'), marks: field('marks') },
      ...{ udpOctets: field('udpOctets'), outcome: field('outcome') as Outcome },
      ...{ rcode: field('rcode'), octets: field('octets') },
    };
  }
}
