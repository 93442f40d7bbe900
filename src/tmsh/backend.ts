// What tmsh needs of the process that owns the configuration.

import type { Configuration } from '../config/configuration.ts';
import type { Committed, ConfigErrors } from '../config/transaction.ts';
import type { AssociationFilter, AssociationPage, IpsecTotals } from '../ipc/ipsec-schema.ts';
import type { DaemonName } from '../ipc/daemon-name.ts';
import type { ResultOf, ShowReply } from '../ipc/schema.ts';
import type { EditWatch } from './edit-conflict.ts';
import type { BatchCommand } from './batch.ts';

export type ServiceAction = 'restart' | 'start' | 'stop';

/** Processes of a daemon, before and after; undefined: none. `isLater`: it is about to happen. */
export type ServiceOutcome = {
  readonly before?: number | undefined;
  readonly after?: number | undefined;
  readonly isLater?: true | undefined;
};

/** What `show sys` can be asked about. */
export type SystemTopic = 'clock' | 'hardware' | 'memory' | 'service' | 'version';

export interface TmshBackend {
  /** The running configuration. */
  readonly configuration: Configuration;
  /** Version in the header of what is saved. */
  readonly version: string;
  /** Who has changed what is open in editors. */
  readonly edits: EditWatch;
  /** Makes a configuration the running one and publishes it. */
  commit(committed: Committed): void;
  /** Notes what became of the commands of a transaction: all of them were made, or none and why. */
  noteSubmitted(commands: readonly BatchCommand[], refusal?: ConfigErrors): void;
  /** Writes the running configuration, to its own file without a name; resolves to the path. Throws a StoreError. */
  save(file?: string): Promise<string>;
  /** The text of a file, of its own one without a name. Throws a StoreError. */
  read(file?: string): Promise<{ path: string; text: string }>;
  /** Notes that what runs now is what the own file holds, whose text this is. */
  noteLoaded(text: string): void;
  /** The versions of the own file that saves have replaced. */
  history(): ShowReply;
  /** A version of the history; undefined when there is none of that number. Throws a StoreError. */
  readVersion(number: number): Promise<{ path: string; text: string } | undefined>;
  /** Statistics, from whichever daemon has them. Throws an IpcError. */
  show(type: string, names: readonly string[] | undefined, cursor?: string): Promise<ShowReply>;
  /** Throws an IpcError. */
  resetStats(type: string, names: readonly string[] | undefined): Promise<number>;
  /** Has the master files of zones read again; without names those of all. Throws an IpcError. */
  reloadZones(names: readonly string[] | undefined): Promise<ResultOf<'reload-zones'>>;
  /** Security associations of IPsec that fit, page by page. Throws an IpcError. */
  associations(filter: AssociationFilter, cursor?: string): Promise<AssociationPage>;
  /** Resolves to how many there were. Throws an IpcError. */
  deleteAssociations(filter: AssociationFilter): Promise<number>;
  /** Has wide IPs forget where clients were sent before; how many clients there were. */
  forgetClients(): Promise<number>;
  /** How this machine stands to its group, and who is in it. */
  groupState(): Promise<ResultOf<'group-state'>>;
  /** Says which configuration is that of the group. Throws an IpcError. */
  configSync(direction: 'to-group' | 'from-group', group: string): Promise<ResultOf<'config-sync'>>;
  /** Throws an IpcError. */
  ipsecTotals(): Promise<readonly IpsecTotals[]>;
  /** What each daemon runs, and what it could not apply; with a time, not before all run the same or it has passed. */
  status(patienceMs?: number): Promise<ShowReply>;
  /** The program, its processes and the machine. Throws an IpcError. */
  system(topic: SystemTopic): Promise<ShowReply>;
  /** Has the supervisor start, stop or restart a daemon. Throws an IpcError, also where the daemon does not answer. */
  controlService(name: DaemonName, action: ServiceAction): Promise<ServiceOutcome>;
}
