// What healthd tells: what it found out of what wide IPs choose among, and why.

import * as z from 'zod';
import { FACT_STATUSES } from '../gtm/facts.ts';
import { ipText } from './common-schema.ts';

const measuredSchema = z.object({
  kind: z.enum(['server', 'virtual-server', 'member']),
  /** As `FactChange` names it. */
  key: z.string(),
  status: z.enum(FACT_STATUSES),
  reason: z.string().max(400),
  /** Milliseconds since 1970. */
  since: z.number(),
  /** Seconds for which it is good when healthd falls silent: the timeout of its monitors. */
  goodFor: z.number(),
  /** Monitors of this machine found it by probing: others may take it from here. */
  isOwn: z.literal(true).optional(),
  /** Of a server: being offline takes none of its virtual servers along (virtuals-depend-on-server-state no). */
  sparesVirtualServers: z.literal(true).optional(),
});
/** What is known of a thing by its monitors. */
export type Measured = z.infer<typeof measuredSchema>;

const reportSchema = z.object({
  /** A snapshot begins: what is not in it is not watched any more. */
  begin: z.literal(true).optional(),
  measured: z.array(measuredSchema),
  /** Not watched any more. */
  forgotten: z.array(measuredSchema.pick({ kind: true, key: true })),
  /** The snapshot, or the change, is whole. */
  last: z.boolean(),
});
export type HealthReport = z.infer<typeof reportSchema>;

const stationSchema = z.object({
  /** As it was asked for. */
  address: z.string(),
  /** The VLAN or tunnel by which it was heard last; undefined: it has not been heard yet, and is asked for. */
  member: z.string().optional(),
  /** Whether that is a tunnel. */
  isTunnel: z.boolean().optional(),
  /** The VLAN, VLAN group or tunnel whose network has the address; undefined: no self IP has such a network. */
  network: z.string().optional(),
  mac: z.string().optional(),
});
export type Station = z.infer<typeof stationSchema>;

/** Addresses in one question. */
export const MOST_STATIONS = 1000;

/** Types of what can be explained, as in tmsh: those of virtual servers and members are their owners'. */
export const EXPLAINED_KINDS = [
  'gtm server',
  'gtm pool a',
  'gtm pool aaaa',
  'ltm node',
  'ltm pool',
  'ltm virtual',
] as const;

/** How often there is a report, with nothing in it if need be. */
export const HEALTH_BEAT_MS = 1000;

/** Next hops of transparent monitors: the kernel asks a rule for each of them for every packet that it sends. */
export const MOST_NEXT_HOPS = 256;

export const HEALTHD_METHODS = {
  /**
   * Supervisor: has packets with a mark go by a next hop, one mark for each of these and none for any other, until the daemon says
   * otherwise or ends.
   */
  'set-next-hops': {
    params: z.object({ daemon: z.string(), hops: z.array(ipText).max(MOST_NEXT_HOPS) }),
    /** In their order; without a mark where there is no way to the next hop at present. */
    result: z.object({
      hops: z.array(z.object({ hop: z.string(), mark: z.number().int().optional(), failure: z.string().optional() })),
    }),
  },
  /** dataplaned: by which VLAN or tunnel each address was heard last, in the order of the question; all of them are asked for anew. */
  'locate-stations': {
    params: z.object({ addresses: z.array(z.string()).max(MOST_STATIONS) }),
    result: z.object({ stations: z.array(stationSchema) }),
  },
  /** healthd: a snapshot, then each change at once, and beats. */
  'health-reports': { params: z.object({}), item: reportSchema },
  /** healthd: what it knows of a thing, as lines for a person. `kind`: only of that type, as in tmsh: `gtm pool a`, `ltm node`. */
  'explain-health': {
    params: z.object({ name: z.string(), kind: z.string().optional() }),
    result: z.object({ lines: z.array(z.string()) }),
  },
  /** healthd: all that monitors watch, a line each, page by page; `isDown`: only what is offline. */
  'list-watches': {
    params: z.object({
      isDown: z.boolean(),
      cursor: z.number().int().optional(),
    }),
    /** `next`: where the next page starts. */
    result: z.object({
      lines: z.array(z.string()),
      next: z.number().int().optional(),
    }),
  },
  /** healthd: what went down in a monitor with manual-resume, and is to be probed again. */
  'resume-health': {
    params: z.object({ name: z.string(), kind: z.string().optional() }),
    result: z.object({ resumed: z.number().int() }),
  },
} as const;
