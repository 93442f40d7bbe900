// What a feature of the mesh is, and what it is made with: a class in a file of its own, and one line in features.ts.

import type { AnyConfigObject } from '../../config/object-type.ts';
import type { Log } from '../../core/log.ts';
import type { Clock } from '../../health/clock.ts';
import type { Handlers } from '../../ipc/ipc-server.ts';
import type { MeshFeature, MeshPort, PeerServer } from '../../iquery/mesh-feature.ts';

export type FeatureContext = {
  /** The mesh; nobody is connected before the first configuration. */
  readonly mesh: MeshPort;
  /** The state directory, with the sockets of the other daemons (daemonSocket). */
  readonly state: string;
  /** The daemon's own directory, which exists. */
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
};

/** What the configuration says, as all features want it. */
export type IqueryWant = {
  readonly objects: readonly AnyConfigObject[];
  /** The objects of a type. */
  readonly objectsOf: (path: string) => readonly AnyConfigObject[];
  /** Who is dialled, this machine too. */
  readonly peers: readonly PeerServer[];
  /** Full paths of each `gtm server` that is this machine. */
  readonly ownServers: ReadonlySet<string>;
  readonly syncGroup: string;
  /** Whether any `gtm server` is configured. */
  readonly isGtm: boolean;
};

export interface IqueryFeature extends MeshFeature {
  /** Methods of iqueryd's socket that it answers. */
  readonly handlers?: Handlers;
  /** Goes over to a configuration, or to other addresses of this host; before the mesh does. */
  want?(want: IqueryWant): void;
  /** Called once, behind the first `want`. */
  start?(): void;
  stop?(): Promise<void> | void;
}
