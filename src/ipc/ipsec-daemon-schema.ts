// What a daemon of key exchange and dataplaned say to each other: messages of IKE behind UDP 4500, and security associations that are
// made, replaced and deleted at run time. Keys go one way and come back in no answer, no error and no line of a log.

import * as z from 'zod';
import { AUTH_ALGORITHMS, ENCRYPT_ALGORITHMS } from '../config/ipsec-algorithms.ts';

const port = z.number().int().min(1).max(65_535);

export const keyExchangeItemSchema = z.object({
  messages: z.array(
    z.object({
      /** Addresses, `%domain` behind them where the route domain is not 0; `local` is ours. */
      local: z.string(),
      localPort: z.number().int(),
      remote: z.string(),
      remotePort: z.number().int(),
      routeDomain: z.number().int(),
      /** Where it came in: full path of the VLAN or tunnel, as far as it is known. */
      from: z.string().optional(),
      /** The message behind the marker, in base64. */
      octets: z.string(),
    }),
  ),
  /** Messages that were lost since the registration, because they were not taken fast enough. */
  lost: z.number().int(),
});

export const keyExchangeMessageSchema = z.object({
  /** A self IP, `%domain` behind it where its route domain is not 0. */
  local: z.string(),
  /** In the same route domain. */
  remote: z.string(),
  remotePort: port,
  /** The message, without a marker, in base64. */
  octets: z.base64().max(90_000),
});

const lifetimeSchema = z.object({
  seconds: z.number().int().positive().optional(),
  /** Of the packets inside. */
  octets: z.number().int().positive().optional(),
  packets: z.number().int().positive().optional(),
});

const keySchema = z.string().regex(/^([0-9a-f]{2})+$/);

/** An association that is to be; where a property of `net ipsec manual-security-association` has the name, it means the same. */
export const newAssociationSchema = z.object({
  spi: z.number().int().min(256).max(0xffff_ffff),
  source: z.string(),
  destination: z.string(),
  /** Whether packets come in or leave by it. */
  direction: z.enum(['in', 'out']),
  /** Full path of the `net ipsec ipsec-policy` that it serves: its mode counts. */
  policy: z.string(),
  protocol: z.enum(['esp', 'ah']).default('esp'),
  authAlgorithm: z.enum(AUTH_ALGORITHMS),
  encryptAlgorithm: z.enum(ENCRYPT_ALGORITHMS),
  /** In hexadecimal digits, the salt of a combined cipher behind the key. */
  authKey: keySchema.optional(),
  encryptKey: keySchema.optional(),
  extendedSequence: z.boolean().default(false),
  replayWindow: z.number().int().min(0).max(4096).default(0),
  /** UDP ports that packets are sent from and to, behind address translation. */
  udpPorts: z.tuple([port, port]).optional(),
  softLifetime: lifetimeSchema.optional(),
  hardLifetime: lifetimeSchema.optional(),
});
export type NewAssociation = z.infer<typeof newAssociationSchema>;
