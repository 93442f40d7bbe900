// What is said by hand of the health and load of what wide IPs choose among.

import * as z from 'zod';
import { FACT_STATUSES } from '../gtm/facts.ts';

const count = z.number().int().min(0).max(0x7fff_ffff);

const setSchema = z.object({
  kind: z.literal('set'),
  /** `SERVER`, `SERVER:VS`, or `TYPE POOL SERVER:VS` of a member; bare names belong to /Common. */
  name: z.string(),
  status: z.enum(FACT_STATUSES).optional(),
  reason: z.string().max(200).optional(),
  connections: count.optional(),
  packetsPerSecond: count.optional(),
  kilobytesPerSecond: count.optional(),
  /** Of virtual servers. */
  capacity: count.optional(),
  score: count.optional(),
  /** Of servers: per cent, and kilobytes. */
  cpu: z.number().int().min(0).max(100).optional(),
  memoryAvailable: count.optional(),
});

/** One change; numbers that are absent stay as they are. */
const healthChangeSchema = z.discriminatedUnion('kind', [
  setSchema,
  z.object({ kind: z.literal('clear'), name: z.string() }),
  z.object({
    kind: z.literal('set-path'),
    client: z.string(),
    datacenter: z.string(),
    /** Microseconds. */
    roundTripTime: count.optional(),
    hops: z.number().int().min(0).max(255).optional(),
    /** Of a thousand. */
    completionRate: z.number().int().min(0).max(1000).optional(),
    /** Seconds; absent: as the settings say. */
    ttl: count.optional(),
  }),
  z.object({ kind: z.literal('clear-path'), client: z.string(), datacenter: z.string() }),
  z.object({ kind: z.literal('resume'), type: z.string(), pool: z.string(), member: z.string() }),
]);
export type HealthChange = z.infer<typeof healthChangeSchema>;
export type HealthSet = z.infer<typeof setSchema>;

/** Changes of one message: all of them are answered from at once. */
export const MOST_HEALTH_CHANGES = 2000;

export const HEALTH_METHODS = {
  /** dnsd: makes the changes, but for those that are refused; numbers count the changes of the request from 0. */
  'health-change': {
    params: z.object({ changes: z.array(healthChangeSchema).max(MOST_HEALTH_CHANGES) }),
    result: z.object({ refused: z.array(z.object({ number: z.number().int(), reason: z.string() })) }),
  },
  /** dnsd: what is known, as lines for a person, page by page. */
  'health-list': {
    params: z.object({ cursor: z.number().int().nonnegative().optional() }),
    result: z.object({ lines: z.array(z.string()), next: z.number().int().optional() }),
  },
} as const;
