// What all sessions of a mesh share.

import type { Log } from '../core/log.ts';
import type { FeatureCalls } from './feature-calls.ts';
import type { MeshClock, MeshTransport } from './mesh-transport.ts';
import { GRAMMAR_VERSION } from './messages.ts';
import type { SaidOnce } from './said-once.ts';

/** Who speaks here: names as this machine has them, and the two lines of a greeting. */
export type MeshSelf = {
  readonly device: string;
  /** Stays the same over restarts, and is nobody else's. */
  readonly deviceId: string;
  readonly version: string;
  readonly big3d: string;
};

export type MeshSettings = {
  /** Time between heartbeats; at least a second. */
  readonly heartbeatMs: number;
  readonly syncGroup: string;
  /** Whether wide IPs are answered here: such a machine takes part in a group. */
  readonly isGtm: boolean;
};

export type SessionContext = {
  readonly clock: MeshClock;
  readonly log: Log;
  readonly self: MeshSelf;
  readonly transport: MeshTransport;
  readonly features: FeatureCalls;
  readonly saidOnce: SaidOnce;
  settings: MeshSettings;
};

/** Counts of one side of a connection, or of all connections with a peer. */
export type SessionCounts = {
  octetsIn: number;
  octetsOut: number;
  messagesIn: number;
  messagesOut: number;
  /** How often its buffers were full. */
  backloggedSends: number;
  /** Messages that were not sent because it took nothing. */
  dropped: number;
  /** Messages that make no sense where they came, and elements that are none. */
  unexpected: number;
  unknown: number;
};

export function noCounts(): SessionCounts {
  return {
    ...{ octetsIn: 0, octetsOut: 0, messagesIn: 0, messagesOut: 0 },
    ...{ backloggedSends: 0, dropped: 0, unexpected: 0, unknown: 0 },
  };
}

export function sumOfCounts(one: SessionCounts, other: SessionCounts | undefined): SessionCounts {
  const sum = { ...one };
  if (other !== undefined) for (const name of Object.keys(sum) as (keyof SessionCounts)[]) sum[name] += other[name];
  return sum;
}

/** Of whoever speaks: for an offer and a subscription. */
export function speakerOf({ clock, self, transport }: SessionContext) {
  return {
    grammar: GRAMMAR_VERSION,
    device: self.device,
    device_id: self.deviceId,
    time: clock.wall(),
    compression: transport.compression,
  };
}
