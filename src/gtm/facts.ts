// What is known of the world that wide IPs choose among, by names: so it survives a change of the configuration and a restart.
// Who measures it, or sets it by hand, makes changes (`FactChange`); what follows from it is `availability.ts`.

import type { WideIpType } from './description.ts';

export const FACT_STATUSES = ['available', 'offline', 'unknown'] as const;
export type FactStatus = (typeof FACT_STATUSES)[number];

/** What is said of a thing, and by whom or why; an empty text says nothing. */
type Judged = {
  readonly status?: FactStatus | undefined;
  readonly reason?: string | undefined;
  /** Milliseconds since 1970 from which on the status has been so. */
  readonly since?: number | undefined;
  /** Of a status that was measured: seconds for which it is good when whoever measures falls silent. */
  readonly goodFor?: number | undefined;
};

/** Of a member of a pool of type a or aaaa: what its own monitors say, beside those of its virtual server. */
export type MemberFacts = Judged;

/** Of a virtual server; what is undefined is not known. Kilobytes are 1000 octets. */
export type VirtualServerFacts = Judged & {
  readonly connections?: number | undefined;
  readonly packetsPerSecond?: number | undefined;
  readonly kilobytesPerSecond?: number | undefined;
  readonly capacity?: number | undefined;
  readonly score?: number | undefined;
};

/** Of a server. */
export type ServerFacts = Judged & {
  /** Per cent of all its CPUs. */
  readonly cpu?: number | undefined;
  /** Being offline takes none of its virtual servers along: it cannot be reached over iQuery, and that is to mean no more. */
  readonly sparesVirtualServers?: true | undefined;
  /** Kilobytes. */
  readonly memoryAvailable?: number | undefined;
  readonly connections?: number | undefined;
  readonly packetsPerSecond?: number | undefined;
  readonly kilobytesPerSecond?: number | undefined;
};

/** Of the way from a client's resolver to a datacenter. */
export type PathFacts = {
  /** Canonical text of the address, without a route domain. */
  readonly client: string;
  readonly datacenter: string;
  /** Microseconds. */
  readonly roundTripTime?: number | undefined;
  readonly hops?: number | undefined;
  /** Of a thousand packets those that were answered. */
  readonly completionRate?: number | undefined;
  /** Seconds since 1970 until when this is good. */
  readonly expires: number;
  /** By a machine of the mesh; otherwise by hand, which lies above. */
  readonly isMeasured?: true | undefined;
};

/** What is said of things by somebody. */
export type FactLayer = {
  /** By `virtualServerKey`. */
  readonly virtualServers: Map<string, VirtualServerFacts>;
  readonly servers: Map<string, ServerFacts>;
  /** By `memberKey`. */
  readonly members: Map<string, MemberFacts>;
};

/** What counts. */
export type Facts = FactLayer & {
  /** By `pathKey`. */
  readonly paths: Map<string, PathFacts>;
  /** `memberKey` of members that went offline in a pool with manual-resume, and that nobody has resumed. */
  readonly held: Set<string>;
};

export function newFactLayer(): FactLayer {
  return { virtualServers: new Map(), servers: new Map(), members: new Map() };
}

export function newFacts(): Facts {
  return { ...newFactLayer(), paths: new Map(), held: new Set() };
}

export function pathKey(client: string, datacenter: string): string {
  return `${client} ${datacenter}`;
}

export function memberKey(type: WideIpType, pool: string, member: string): string {
  return `${type} ${pool} ${member}`;
}

/** One change of what is said of a thing. `facts` undefined: nothing is known any more. */
export type ThingChange =
  | { readonly kind: 'virtual-server'; readonly key: string; readonly facts: VirtualServerFacts | undefined }
  | { readonly kind: 'server'; readonly name: string; readonly facts: ServerFacts | undefined }
  | { readonly kind: 'member'; readonly key: string; readonly facts: MemberFacts | undefined };

/** One change of what is known. */
export type FactChange =
  | ThingChange
  | { readonly kind: 'path'; readonly path: PathFacts }
  | { readonly kind: 'forget-path'; readonly client: string; readonly datacenter: string }
  | { readonly kind: 'resume'; readonly member: string };

/** Whether a server, or else the virtual server itself, is said to be offline. */
export function isOffline(server: ServerFacts | undefined, virtualServer: VirtualServerFacts | undefined): boolean {
  return takesDown(server) || virtualServer?.status === 'offline';
}

/** Whether the virtual servers of a server are offline because it is. */
export function takesDown(server: ServerFacts | undefined): boolean {
  return server?.status === 'offline' && server.sparesVirtualServers !== true;
}
