// Every message between processes: one schema, its version first.
//
// A message is a JSON object of at most MAX_MESSAGE_OCTETS behind a 32-bit length (framing.ts). A request is answered by
// one `result`, by `item`s and an `end`, or by an `error`. What may be longer than a message is sent in chunks of text
// that the receiver joins (`Update`) or page by page (`show`).

import * as z from 'zod';
import type { Value } from '../config/value.ts';
import { applyFailureSchema, ipText } from './common-schema.ts';
import { DNS_METHODS } from './dns-schema.ts';
import { HEALTHD_METHODS } from './healthd-schema.ts';
import { MESH_METHODS } from './mesh-schema.ts';
import { SYNC_METHODS } from './sync-schema.ts';
import { keyExchangeItemSchema, keyExchangeMessageSchema, newAssociationSchema } from './ipsec-daemon-schema.ts';
import { associationFilterSchema, associationPageSchema, ipsecTotalsSchema } from './ipsec-schema.ts';
import { DAEMON_NAMES } from './daemon-name.ts';

export const SCHEMA_VERSION = 2;
export const MAX_MESSAGE_OCTETS = 1 << 20;

const id = z.number().int().nonnegative();
const version = z.literal(SCHEMA_VERSION);

export const messageSchema = z.discriminatedUnion('kind', [
  z.object({ v: version, kind: z.literal('request'), id, method: z.string(), params: z.unknown() }),
  /** Ends a stream from the reader's side. */
  z.object({ v: version, kind: z.literal('cancel'), id }),
  z.object({ v: version, kind: z.literal('result'), id, result: z.unknown() }),
  z.object({ v: version, kind: z.literal('item'), id, item: z.unknown() }),
  z.object({ v: version, kind: z.literal('end'), id }),
  z.object({
    v: version,
    kind: z.literal('error'),
    id,
    error: z.object({ code: z.string(), message: z.string(), details: z.unknown().optional() }),
  }),
]);
export type Message = z.infer<typeof messageSchema>;

const valueSchema: z.ZodType<Value> = z.union([
  z.string(),
  z.number(),
  z.boolean(),
  z.array(z.string()),
  z.record(
    z.string(),
    z.record(
      z.string(),
      z.lazy(() => valueSchema),
    ),
  ),
]);

/** An object of the configuration, defaults materialised; its tables follow it in lines of their own (object-lines.ts). */
export const objectSchema = z.object({
  type: z.string(),
  name: z.string(),
  properties: z.record(z.string(), valueSchema),
});

/** Property → how many rows its table has, and what they may say. */
export const tablesSchema = z.record(
  z.string(),
  z.object({ size: z.number().int().nonnegative(), contents: z.array(z.record(z.string(), valueSchema)) }),
);

export const generationSchema = z.object({ epoch: z.number().int(), number: z.number().int() });

/** What stands beside an object in an update of kind diff; a deletion carries no properties. */
export const changeHeadSchema = z.object({ action: z.enum(['create', 'modify', 'delete']) });

/**
 * A piece of an update: the joined texts are the lines of object-lines.ts, with `changeHeadSchema` beside each object of a
 * diff. `from` is the generation that a diff starts at.
 */
const updateSchema = z.object({
  update: z.enum(['snapshot', 'diff']),
  from: generationSchema.optional(),
  generation: generationSchema,
  text: z.string(),
  last: z.boolean(),
});
export type Update = z.infer<typeof updateSchema>;

export type ApplyFailure = z.infer<typeof applyFailureSchema>;

const cell = z.union([z.string(), z.number()]);
const tableSchema = z.object({
  title: z.string().optional(),
  columns: z.array(z.string()),
  rows: z.array(z.array(cell)),
});
const sectionSchema = z.object({ title: z.string(), stats: z.record(z.string(), cell) });

/** One object of a `show`: labels as a person reads them, numbers as counters, in the order in which they shall stand. */
const showRowSchema = z.object({
  name: z.string(),
  stats: z.record(z.string(), cell).optional(),
  sections: z.array(sectionSchema).optional(),
  /** Drop reason (kebab-case, core/drop-reason.ts) → frames. */
  drops: z.record(z.string(), z.number()).optional(),
  table: tableSchema.optional(),
});

const showReplySchema = z.object({
  rows: z.array(showRowSchema),
  /** Where the next page starts; absent on the last one. A page may go on with the table of the row before it. */
  next: z.string().optional(),
});
export type ShowRow = z.infer<typeof showRowSchema>;
export type ShowReply = z.infer<typeof showReplySchema>;

const processesSchema = z.object({
  daemons: z.array(
    z.object({
      name: z.string(),
      state: z.enum(['starting', 'ready', 'waiting', 'stopped', 'refused']),
      pid: z.number().int().optional(),
      /** When the process was started, in ms since the epoch. */
      sinceMs: z.number().optional(),
      /** Resident memory. */
      memoryOctets: z.number().int().optional(),
      /** How often it died and was started again. */
      restarts: z.number().int(),
      /** What it logged last as an error, or how it ended, whichever came later. */
      lastError: z.object({ text: z.string(), atMs: z.number() }).optional(),
    }),
  ),
  supervisor: z.object({ pid: z.number().int(), sinceMs: z.number(), memoryOctets: z.number().int() }),
  /** Devices that were taken from the kernel, with the `net interface` that they are for. */
  devices: z.array(z.object({ interface: z.string(), device: z.string() })),
});
export type Processes = z.infer<typeof processesSchema>;

const captureItemSchema = z.object({
  frames: z.array(
    z.object({
      /** Where it was seen: `/Common/wan on 1.1`. */
      point: z.string(),
      /** 0 unknown, 1 inbound, 2 outbound. */
      direction: z.number().int(),
      /** Drop reason (kebab-case); empty: it passed. */
      drop: z.string(),
      /** Nanoseconds since the epoch, in decimal: a number would not hold them. */
      timeNs: z.string(),
      originalOctets: z.number().int(),
      /** Base64. */
      octets: z.string(),
    }),
  ),
  /** Frames lost since the capture began, because it did not keep up. */
  lost: z.number().int(),
});

/** An address or network as ip(8) takes it, and nothing else: a daemon must not be able to say more to root. */
const ipNetwork = z.string().regex(/^[0-9a-f:.]+\/\d+$/);
const hostRouteSchema = z.object({ network: ipNetwork, source: ipText });

const hostPathSchema = z.object({
  /** Name of the VLAN, VLAN group or tunnel. */
  object: z.string(),
  device: z.string().regex(/^wp-[A-Za-z0-9_.-]{1,12}$/),
  mac: z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/),
  mtu: z.number().int().min(68).max(65_535),
  routeDomain: z.number().int().min(0).max(65_534),
  /** Self IPs with the lengths of their networks. */
  addresses: z.array(ipNetwork),
  /** Networks that are reached by the device: those of the addresses, and those of routes. */
  networks: z.array(hostRouteSchema),
  routes: z.array(hostRouteSchema),
});

const hostSocketSchema = z.object({
  routeDomain: z.number().int(),
  local: z.string(),
  localPort: z.number().int(),
  remote: z.string(),
  remotePort: z.number().int(),
});

const offerGroupSchema = z.object({
  title: z.string(),
  offers: z.array(z.object({ text: z.string(), help: z.string(), mark: z.enum(['required', 'given']).optional() })),
  more: z.number().int(),
});

/** What may come next at the cursor of a command (tmsh/completion.ts says what each part means). */
const completionSchema = z.object({
  replaces: z.number().int(),
  groups: z.array(offerGroupSchema),
  common: z.string(),
  count: z.number().int(),
  values: z.array(z.object({ expects: z.string(), help: z.string() })),
  isFile: z.literal(true).optional(),
  problem: z.string().optional(),
});

const typeAndNames = z.object({
  /** `net tunnels tunnel`. */
  type: z.string(),
  /** Full paths; absent for all. */
  names: z.array(z.string()).optional(),
});

/** What can be asked: parameters, and what comes back, once (`result`) or as a stream (`item`). */
export const METHODS = {
  /** configd: runs one tmsh command; the items are its output. */
  tmsh: {
    params: z.object({
      command: z.string(),
      /** Directory that relative file names belong to. */
      directory: z.string().optional(),
      /** Who asks, for the audit log. */
      user: z.string().optional(),
      /** By what way, for the audit log. */
      source: z.enum(['tmsh -c', 'tmsh shell', 'stdin', 'rest', 'iqueryd']).optional(),
      /** The folder that bare names belong to; default that of the connection, /Common at first. */
      folder: z.string().optional(),
      /** Text that the command reads: what an editor has made of objects. */
      input: z.string().optional(),
      /** SHA-256, in hexadecimal, of the listing that the text was made from. */
      base: z.string().optional(),
    }),
    /** `folder` is the one that later commands of the session are to name; `isBatch`: whether they wait in a transaction. */
    item: z.object({ text: z.string(), folder: z.string().optional(), isBatch: z.boolean().optional() }),
  },
  /** configd: what may follow the text, a command up to the cursor. */
  complete: {
    params: z.object({
      text: z.string(),
      /** The folder that bare names belong to; default /Common. */
      folder: z.string().optional(),
      /** The module that was entered at a prompt; absent: modules cannot be entered. */
      module: z.string().optional(),
    }),
    result: completionSchema,
  },
  /** configd: how the device stands to its group, as a prompt shows it. */
  'device-state': { params: z.object({}), result: z.object({ sync: z.string(), failover: z.string() }) },
  /** configd: the configuration, then every change to it. */
  subscribe: {
    params: z.object({
      daemon: z.string(),
      /** Types of the objects that it gets; absent: all. */
      types: z.array(z.string()).optional(),
    }),
    item: updateSchema,
  },
  /** configd: the daemon runs the generation, but for the failures. */
  acknowledge: {
    params: z.object({ daemon: z.string(), generation: generationSchema, failures: z.array(applyFailureSchema) }),
    result: z.null(),
  },
  /** Any daemon: statistics of the objects of a type, page by page. */
  show: { params: typeAndNames.extend({ cursor: z.string().optional() }), result: showReplySchema },
  /** dataplaned: copies of the frames that pass the named objects, or that are dropped there; no name: everywhere. */
  capture: {
    params: z.object({
      points: z.array(z.string()),
      dropped: z.boolean(),
      /** Octets of each frame at most. */
      snaplen: z.number().int().min(14).max(262_144),
    }),
    item: captureItemSchema,
  },
  /** Any daemon: sets the counters of the objects to 0; how many there were. */
  'reset-stats': { params: typeAndNames, result: z.object({ objects: z.number().int() }) },
  /** dataplaned: the security associations that fit, page by page. */
  associations: {
    params: z.object({ filter: associationFilterSchema, cursor: z.string().optional() }),
    result: associationPageSchema,
  },
  /** dataplaned: ends those that fit; how many there were. */
  'delete-associations': {
    params: z.object({ filter: associationFilterSchema }),
    result: z.object({ associations: z.number().int() }),
  },
  /**
   * dataplaned: makes one; answered once packets go by it. One that sends is used from then on in place of the one before of its policy,
   * which stays until it is deleted.
   */
  'add-association': { params: newAssociationSchema, result: z.null() },
  /**
   * dataplaned: registers the caller for messages of key exchange that come behind UDP 4500, and hands them over; the first item is
   * empty, and says that it has.
   */
  'key-exchange': { params: z.object({}), item: keyExchangeItemSchema },
  /** dataplaned: sends one from UDP 4500 of an address of ours, behind a marker. */
  'send-key-exchange': { params: keyExchangeMessageSchema, result: z.null() },
  /** dataplaned: what was protected, by policy. */
  'ipsec-totals': { params: z.object({}), result: z.object({ totals: z.array(ipsecTotalsSchema) }) },
  ...DNS_METHODS,
  ...HEALTHD_METHODS,
  ...MESH_METHODS,
  ...SYNC_METHODS,
  /** Supervisor: makes a device fit to be opened, or says why it must not be. */
  'prepare-device': {
    params: z.object({
      /** Name of the `net interface`. */
      interface: z.string(),
      device: z.string(),
      addressOwner: z.enum(['host', 'wideplane']),
      /** Present when it is a TAP or TUN device: it is made, with this MTU, where there is none. */
      tapMtu: z.number().int().positive().optional(),
      /** What is made; default a TAP device. */
      tapKind: z.enum(['tap', 'tun']).optional(),
      /** Whether what leaves a device that is taken over is finished by the kernel; absent: its offloads stay as they are. */
      transmitOffloads: z.enum(['keep', 'off']).optional(),
      /** Whether packets come into it as they were sent, joined by nobody, or datagrams too may come joined; absent: its offloads stay as they are. */
      receiveOffloads: z.enum(['keep', 'off', 'join-datagrams']).optional(),
    }),
    result: z.discriminatedUnion('ok', [
      z.object({ ok: z.literal(true) }),
      z.object({ ok: z.literal(false), reason: z.string() }),
    ]),
  },
  /** Supervisor: these devices are still in use; any other that was prepared is given back. */
  'retain-devices': { params: z.object({ devices: z.array(z.string()) }), result: z.null() },
  /** Supervisor: the devices by which the host reaches its self IPs, all of them: they are made, changed and taken away. */
  'set-host-paths': {
    params: z.object({ paths: z.array(hostPathSchema) }),
    result: z.object({
      paths: z.array(
        z.object({ device: z.string(), namespace: z.string().optional(), failure: z.string().optional() }),
      ),
    }),
  },
  /** Supervisor: the connected TCP sockets of the host's self IPs. */
  'host-sockets': { params: z.object({}), result: z.object({ sockets: z.array(hostSocketSchema) }) },
  /** Supervisor: the daemons and the devices that it cares for. */
  'show-processes': { params: z.object({}), result: processesSchema },
  /** Supervisor: starts, stops or restarts a daemon; answered when it is done, but to configd about itself before. */
  'control-daemon': {
    params: z.object({ daemon: z.enum(DAEMON_NAMES), action: z.enum(['start', 'stop', 'restart']) }),
    /** Its process before and after; absent: none. */
    result: z.object({
      before: z.number().int().optional(),
      after: z.number().int().optional(),
      isLater: z.literal(true).optional(),
    }),
  },
} as const satisfies Record<string, MethodSchema>;

type MethodSchema = { params: z.ZodType; result?: z.ZodType; item?: z.ZodType };

export type Method = keyof typeof METHODS;
export type ParamsOf<M extends Method> = z.infer<(typeof METHODS)[M]['params']>;
/** How a device shall be, besides fit to be opened. */
export type DeviceWishes = Pick<
  ParamsOf<'prepare-device'>,
  'tapMtu' | 'tapKind' | 'transmitOffloads' | 'receiveOffloads'
>;
export type ResultOf<M extends Method> = (typeof METHODS)[M] extends { result: infer R extends z.ZodType }
  ? z.infer<R>
  : never;
export type ItemOf<M extends Method> = (typeof METHODS)[M] extends { item: infer I extends z.ZodType }
  ? z.infer<I>
  : never;

/** Why a message or its parameters were refused: `params.type: expected string`. */
export function describeIssues(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join('.') || 'message'}: ${issue.message}`).join('; ');
}
