// What iqueryd tells the others of the mesh, and what it asks them.

import * as z from 'zod';
import { FACT_STATUSES } from '../gtm/facts.ts';
import { ipText } from './common-schema.ts';

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

const load = {
  connections: count.optional(),
  packetsPerSecond: count.optional(),
  kilobytesPerSecond: count.optional(),
};

/** A virtual server, as the machine that has it says. */
export const localVirtualSchema = z.object({
  name: z.string(),
  /** Canonical, without a route domain. */
  address: z.string(),
  port: z.number().int(),
  availability: z.enum(['available', 'unavailable', 'offline', 'unknown']),
  state: z.enum(['enabled', 'disabled', 'disabled-by-parent']),
  reason: z.string(),
  /** Milliseconds since 1970. */
  since: z.number(),
  score: count.optional(),
});
export type LocalVirtual = z.infer<typeof localVirtualSchema>;

export const localMemberSchema = localVirtualSchema.omit({ name: true, score: true }).extend({
  pool: z.string(),
  member: z.string(),
});
export type LocalMember = z.infer<typeof localMemberSchema>;

const localReportSchema = z.object({
  /** A snapshot begins: what is not in it is not there any more. */
  begin: z.literal(true).optional(),
  virtuals: z.array(localVirtualSchema),
  members: z.array(localMemberSchema),
  /** Names of virtual servers, and `POOL MEMBER`. */
  goneVirtuals: z.array(z.string()),
  goneMembers: z.array(z.string()),
  last: z.boolean(),
});
export type LocalReport = z.infer<typeof localReportSchema>;

/** How it stands with a `gtm server` that is dialled. */
const meshServerSchema = z.object({
  server: z.string(),
  isConnected: z.boolean(),
  /** Why it is not connected, as it was last found; empty: it is. */
  reason: z.string(),
  /** Milliseconds since 1970; 0: never. */
  heard: z.number(),
  /** It is connected and speaks another grammar, as a BIG-IP does: nothing that it says can be read. */
  isStranger: z.literal(true).optional(),
  /** All its virtual servers have been told: what is not among them is not there. */
  hasTold: z.boolean(),
});
export type MeshServer = z.infer<typeof meshServerSchema>;

const meshVirtualSchema = localVirtualSchema.extend({ server: z.string() });
export type MeshVirtual = z.infer<typeof meshVirtualSchema>;

/** What the monitors of another machine found. */
const meshVerdictSchema = z.object({
  server: z.string(),
  kind: z.enum(['server', 'virtual-server', 'member']),
  /** As `Measured` has it. */
  key: z.string(),
  status: z.enum(FACT_STATUSES),
  reason: z.string(),
  since: z.number(),
  /** Seconds. */
  goodFor: z.number(),
});
export type MeshVerdict = z.infer<typeof meshVerdictSchema>;

const meshStateSchema = z.object({
  begin: z.literal(true).optional(),
  servers: z.array(meshServerSchema),
  virtuals: z.array(meshVirtualSchema),
  verdicts: z.array(meshVerdictSchema),
  goneServers: z.array(z.string()),
  goneVirtuals: z.array(meshVirtualSchema.pick({ server: true, name: true })),
  goneVerdicts: z.array(meshVerdictSchema.pick({ server: true, kind: true, key: true })),
  last: z.boolean(),
});
export type MeshState = z.infer<typeof meshStateSchema>;

const loadSchema = z.object({
  kind: z.enum(['server', 'virtual-server']),
  /** The server's name, or the virtual server's key, as `FactChange` names it. */
  key: z.string(),
  ...load,
  /** Of virtual servers. */
  capacity: count.optional(),
  score: count.optional(),
  /** Of servers: per cent, and kilobytes. */
  cpu: z.number().int().min(0).max(100).optional(),
  memoryAvailable: count.optional(),
});
export type MeshLoad = z.infer<typeof loadSchema>;

const meshPathSchema = z.object({
  client: ipText,
  datacenter: z.string(),
  /** Microseconds. */
  roundTripTime: count.optional(),
  hops: z.number().int().min(0).max(255).optional(),
  /** Of a thousand. */
  completionRate: z.number().int().min(0).max(1000).optional(),
  /** Seconds since 1970. */
  expires: z.number(),
});
export type MeshPath = z.infer<typeof meshPathSchema>;

/** Whose numbers there are. */
const meshMachineSchema = z.object({
  /** Full path of the `gtm server`. */
  server: z.string(),
  /** It is connected, and has said all of its numbers. */
  isHeard: z.boolean(),
  /** When it was heard last, in milliseconds since 1970; 0: never. Of one that is heard: about now. */
  heard: z.number(),
});
export type MeshMachine = z.infer<typeof meshMachineSchema>;

const meshMetricsSchema = z.object({
  /** A snapshot begins: of machines that are heard, what is not in it is not known any more; of others nothing follows. */
  begin: z.literal(true).optional(),
  machines: z.array(meshMachineSchema),
  loads: z.array(loadSchema),
  paths: z.array(meshPathSchema),
  goneMachines: z.array(z.string()),
  goneLoads: z.array(loadSchema.pick({ kind: true, key: true })),
  gonePaths: z.array(meshPathSchema.pick({ client: true, datacenter: true })),
  last: z.boolean(),
});
export type MeshMetrics = z.infer<typeof meshMetricsSchema>;

export const MESH_METHODS = {
  /** healthd: what its own virtual servers and pool members are worth: a snapshot, each change at once, and beats. */
  'local-states': { params: z.object({}), item: localReportSchema },
  /** iqueryd: what other machines say of their virtual servers, and what their monitors found; beats every HEALTH_BEAT_MS. */
  'mesh-states': { params: z.object({}), item: meshStateSchema },
  /** iqueryd: how loaded others are, and ways to resolvers; beats likewise. */
  'mesh-metrics': { params: z.object({}), item: meshMetricsSchema },
  /** dnsd: resolvers that ask for what is balanced by paths, each once in a while; beats likewise. */
  'path-resolvers': { params: z.object({}), item: z.object({ resolvers: z.array(ipText) }) },
} as const;
