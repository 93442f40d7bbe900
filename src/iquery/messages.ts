// Every message of the mesh: the one table that the codec, the documentation and the types come from (docs/iquery.md).
//
// On a connection the server publishes and the client, who dialled, takes: each side of a pair dials the other. Records are kept by
// channel and key: who subscribes gets all of them between `begin` and `end`, then each one that changes, and `forget` for those that go.

import { choice, flag, type FieldMap, integer, list, optional, text, type ValuesOf } from './message-field.ts';

/** Version of this grammar: a peer of another major version is spoken to as a stranger. */
export const GRAMMAR_VERSION = 1;

/** Of one piece of what is too long for a message. */
export const PIECE_CHARACTERS = 32_768;

/** A key is made of names. */
const KEY = 2048;

const STATUSES = ['available', 'offline', 'unknown'] as const;
const AVAILABILITIES = ['available', 'unavailable', 'offline', 'unknown'] as const;
const STATES = ['enabled', 'disabled', 'disabled-by-parent'] as const;

/** Numbers that wide IPs balance by; kilobytes are 1000 octets. */
const LOAD = {
  connections: optional(integer()),
  packets_per_second: optional(integer()),
  kilobytes_per_second: optional(integer()),
};

/** What is said of who speaks. `time` is in milliseconds since 1970. */
const SPEAKER = {
  grammar: integer(),
  device: text(),
  /** Stays the same over restarts, and is nobody else's. */
  device_id: text(),
  time: integer(),
  compression: list(),
};

/** How a connection is kept; sent by both sides unless stated. */
export const CONTROL_MESSAGES = {
  /** First, by the server, as a BIG-IP says it. */
  version: { value: text() },
  big3d: { value: text() },
  connection_id: { value: text() },
  /** By the server, behind its greeting: it speaks this grammar. */
  offer: SPEAKER,
  /** By the client, once it has seen an offer. */
  subscribe: { ...SPEAKER, sync_group: text(), is_gtm: flag() },
  /** By the server: what follows it on its own is compressed in this way, if the client's subscription offers it. */
  compress: { method: choice(['gzip']) },
  /** All records of a channel follow, until `end`. */
  begin: { channel: text() },
  end: { channel: text() },
  forget: { channel: text(), key: text(KEY) },
  /** `echo` is the time of the last one that was received. */
  heartbeat: { number: integer(), time: integer(), echo: optional(integer()) },
  bye: { reason: text() },
} as const satisfies Record<string, FieldMap>;

/** What a machine publishes: element → its fields, and those of them that make the key. */
export const RECORD_MESSAGES = {
  /** The machine itself. Memory in kilobytes. */
  server: {
    key: [],
    fields: {
      name: text(),
      version: text(),
      cpu: optional(integer()),
      memory_available: optional(integer()),
      ...LOAD,
    },
  },
  /** A virtual server of the machine. `since` in milliseconds since 1970. */
  vs: {
    key: ['name'],
    fields: {
      name: text(),
      address: text(),
      port: integer(),
      availability: choice(AVAILABILITIES),
      state: choice(STATES),
      reason: text(),
      since: integer(),
      score: optional(integer()),
      capacity: optional(integer()),
      ...LOAD,
    },
  },
  pool_member: {
    key: ['pool', 'member'],
    fields: {
      pool: text(),
      member: text(),
      address: text(),
      port: integer(),
      availability: choice(AVAILABILITIES),
      state: choice(STATES),
      reason: text(),
      since: integer(),
      connections: optional(integer()),
    },
  },
  /** What the machine's own monitors found of something that wide IPs choose among. `good_for` in seconds. */
  verdict: {
    key: ['kind', 'name'],
    fields: {
      kind: choice(['server', 'virtual-server', 'member']),
      name: text(KEY),
      status: choice(STATUSES),
      reason: text(),
      since: integer(),
      good_for: integer(),
    },
  },
  /** A resolver that asks here for what is balanced by paths: whoever can is to measure its way to it. */
  resolver: { key: ['address'], fields: { address: text() } },
  /** A way that was measured from a datacenter: microseconds, hops, answers of a thousand packets; `good_for` in seconds. */
  path: {
    key: ['client', 'datacenter'],
    fields: {
      client: text(),
      datacenter: text(),
      round_trip_time: optional(integer()),
      hops: optional(integer()),
      completion_rate: optional(integer()),
      measured: integer(),
      good_for: integer(),
    },
  },
  /**
   * Which configuration of the group runs. `time` in milliseconds since 1970; `history`: `DEVICE COUNT`, how many edits of each device
   * it holds, of who made it first (docs/decisions/sync-group.md).
   */
  config: {
    key: [],
    fields: {
      sync_group: text(),
      version: integer(),
      digest: text(),
      time: integer(),
      changed_by: text(),
      history: list(),
    },
  },
  zone_file: { key: ['name'], fields: { name: text(), digest: text(), serial: integer(), time: integer() } },
} as const satisfies Record<string, { readonly key: readonly string[]; readonly fields: FieldMap }>;

/** What a client asks of a server. */
export const REQUEST_MESSAGES = {
  config_request: { digest: text() },
  zone_file_request: { name: text(), digest: text() },
} as const satisfies Record<string, FieldMap>;

/**
 * What it is answered: in Base64 what gzip makes of the text, in `parts` pieces, numbered from 0. An answer without parts: there is none
 * any more.
 */
export const REPLY_MESSAGES = {
  config_text: { digest: text(), part: integer(), parts: integer(), text: text(PIECE_CHARACTERS) },
  zone_file_text: { name: text(), digest: text(), part: integer(), parts: integer(), text: text(PIECE_CHARACTERS) },
} as const satisfies Record<string, FieldMap>;

type MessagesOf<T extends Record<string, FieldMap>> = {
  [K in keyof T]: { readonly message: K } & ValuesOf<T[K]>;
}[keyof T];

type Channels = typeof RECORD_MESSAGES;
export type Channel = keyof Channels;
export const CHANNELS = Object.keys(RECORD_MESSAGES) as readonly Channel[];

export type ControlMessage = MessagesOf<typeof CONTROL_MESSAGES>;
/** A record of one channel: `RecordOf<'vs'>`. */
export type RecordOf<C extends Channel> = { readonly message: C } & ValuesOf<Channels[C]['fields']>;
export type RecordMessage = { [C in Channel]: RecordOf<C> }[Channel];
export type RequestMessage = MessagesOf<typeof REQUEST_MESSAGES>;
export type ReplyMessage = MessagesOf<typeof REPLY_MESSAGES>;
export type Message = ControlMessage | RecordMessage | RequestMessage | ReplyMessage;

/** The fields of an element; undefined: no message has this name. */
export function fieldsOf(name: string): FieldMap | undefined {
  return Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
}

const FIELDS: Readonly<Record<string, FieldMap>> = {
  ...CONTROL_MESSAGES,
  ...Object.fromEntries(Object.entries(RECORD_MESSAGES).map(([name, { fields }]) => [name, fields])),
  ...REQUEST_MESSAGES,
  ...REPLY_MESSAGES,
};

export function isRecord(message: Message): message is RecordMessage {
  return Object.hasOwn(RECORD_MESSAGES, message.message);
}

export function isRequest(message: Message): message is RequestMessage {
  return Object.hasOwn(REQUEST_MESSAGES, message.message);
}

export function isReply(message: Message): message is ReplyMessage {
  return Object.hasOwn(REPLY_MESSAGES, message.message);
}

export function isChannel(name: string): name is Channel {
  return Object.hasOwn(RECORD_MESSAGES, name);
}

/** What a record is told apart by in its channel: its key's fields with a tab between them. */
export function recordKey(record: RecordMessage): string {
  const values = record as unknown as Readonly<Record<string, unknown>>;
  return RECORD_MESSAGES[record.message].key.map((name) => String(values[name])).join('\t');
}
