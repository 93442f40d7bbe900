// What dataplaned says of IPsec: its security associations, and the traffic of each kind of them.

import * as z from 'zod';

/** Which associations are meant: all that fit every part that is there. */
export const associationFilterSchema = z.object({
  spi: z.number().int().optional(),
  /** Address, `%domain` behind it where it is not 0: that of the association, or one that its traffic selector names exactly. */
  source: z.string().optional(),
  destination: z.string().optional(),
  /** Full path of a `net ipsec traffic-selector`. */
  selector: z.string().optional(),
  /** Full path of a `net ipsec ipsec-policy`. */
  policy: z.string().optional(),
});
export type AssociationFilter = z.infer<typeof associationFilterSchema>;

const lifetimeSchema = z.object({
  /** Seconds that are left; absent: unlimited. */
  seconds: z.number().optional(),
  /** Octets in all; absent: unlimited. */
  octets: z.number().optional(),
});

/**
 * What an association does: larval, being negotiated; mature, in use; dying, in use, but about to be replaced or to end; dead, not in use,
 * for the reason beside it.
 */
export const ASSOCIATION_STATES = ['larval', 'mature', 'dying', 'dead'] as const;

export const associationSchema = z.object({
  spi: z.number().int(),
  /** Ends, as in a filter. */
  source: z.string(),
  destination: z.string(),
  direction: z.enum(['in', 'out']),
  protocol: z.enum(['esp', 'ah']),
  mode: z.enum(['transport', 'tunnel', 'interface']),
  state: z.enum(ASSOCIATION_STATES),
  /** Why it is dead, and what to do: a sentence. */
  reason: z.string().optional(),
  /** The thread that it is in; a BIG-IP says which TMM. */
  worker: z.number().int(),
  /** A number for its policy, the same for all associations of it. */
  policyId: z.number().int(),
  /** Full paths. */
  policy: z.string(),
  selector: z.string().optional(),
  /** Networks of the selector, as the configuration has them. */
  selectorSource: z.string().optional(),
  selectorDestination: z.string().optional(),
  /** The `net ipsec manual-security-association` that it comes from; absent: a key exchange. */
  manual: z.string().optional(),
  /** In the words of the configuration: `aes-gcm128`, `sha256`. */
  authAlgorithm: z.string(),
  encryptAlgorithm: z.string(),
  packets: z.number(),
  /** Octets that were protected: those of the packets before, or behind it on the way in. */
  octets: z.number(),
  /** Drop reason (kebab-case, core/drop-reason.ts) → packets of it that were dropped; only what was. */
  drops: z.record(z.string(), z.number()).optional(),
  hardLifetime: lifetimeSchema,
  softLifetime: lifetimeSchema,
  /** Packets; 0: replays are not looked for. */
  replayWindow: z.number().int(),
  extendedSequence: z.boolean(),
  /** UDP ports behind address translation, source and destination. */
  udpPorts: z.tuple([z.number().int(), z.number().int()]).optional(),
  /** In ms since the epoch; absent: never. */
  lastUseMs: z.number().optional(),
  createdMs: z.number(),
});
export type AssociationRow = z.infer<typeof associationSchema>;

/** Traffic of the associations of a policy. */
export const ipsecTotalsSchema = z.object({
  policyId: z.number().int(),
  mode: z.enum(['transport', 'tunnel', 'interface']),
  packetsIn: z.number(),
  octetsIn: z.number(),
  packetsOut: z.number(),
  octetsOut: z.number(),
});
export type IpsecTotals = z.infer<typeof ipsecTotalsSchema>;

export const associationPageSchema = z.object({
  associations: z.array(associationSchema),
  /** Where the next page starts; absent on the last one. */
  next: z.string().optional(),
});
export type AssociationPage = z.infer<typeof associationPageSchema>;
