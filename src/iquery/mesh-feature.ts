// Between the mesh, which keeps connections, and what uses it: states, metrics, paths, the configuration of a group.

import type { Channel, RecordMessage, RecordOf, ReplyMessage, RequestMessage } from './messages.ts';

/**
 * Who is dialled. Several addresses of one server are several connections; the features see the server: what comes by the first of its
 * addresses that is connected.
 */
export type PeerServer = {
  /** Full path of the `gtm server`. */
  readonly server: string;
  readonly datacenter: string;
  readonly device: string;
  /** Canonical text, without a route domain. */
  readonly address: string;
  readonly isThisMachine: boolean;
};

/** `stranger`: connected and authenticated, and speaks another grammar, as a BIG-IP does: nothing of it can be read. */
export type PeerCondition =
  | { readonly state: 'connected' | 'stranger'; readonly since: number }
  | { readonly state: 'not-connected' | 'connecting' | 'backlogged'; readonly since: number; readonly reason: string };

/** Who has subscribed here. */
export type Subscriber = {
  readonly id: number;
  readonly device: string;
  readonly deviceId: string;
  readonly syncGroup: string;
  readonly isGtm: boolean;
  readonly address: string;
};

/** What a feature wants to hear of; all are called in the order in which it happened. `server`: the peer's `gtm server`. */
export interface MeshFeature {
  readonly channels: readonly Channel[];
  /** The peer's connection has become, or ceased to be, good: what was heard before stays the feature's to keep or forget. */
  onCondition?(server: string, condition: PeerCondition): void;
  /** All that the peer has in a channel: what is not in it is gone. */
  onWhole?(server: string, channel: Channel, records: readonly RecordMessage[]): void;
  onRecord?(server: string, record: RecordMessage): void;
  onForgotten?(server: string, channel: Channel, key: string): void;
  /** A heartbeat, or anything else, was heard: milliseconds since 1970. */
  onHeard?(server: string, at: number): void;
  /** A subscriber asks for something. */
  onRequest?(subscriber: Subscriber, request: RequestMessage): void;
  onReply?(server: string, reply: ReplyMessage): void;
}

/** What a feature can do. */
export interface MeshPort {
  /** Makes it known to everybody who subscribes; a record that says the same as before is not sent again. */
  publish(record: RecordMessage): void;
  forget(channel: Channel, key: string): void;
  /** All that is published of a channel: what is not in it is forgotten. */
  publishAll<C extends Channel>(channel: C, records: readonly RecordOf<C>[]): void;
  /** Asks a peer; false: it is not connected. */
  request(server: string, message: RequestMessage): boolean;
  /** Answers a subscriber; false: it has gone, or takes nothing. */
  reply(subscriber: number, message: ReplyMessage): boolean;
  /** Milliseconds by which the clock of a peer is ahead; undefined while nobody knows. */
  clockSkewOf?(server: string): number | undefined;
  readonly peers: readonly { readonly peer: PeerServer; readonly condition: PeerCondition }[];
  readonly subscribers: readonly Subscriber[];
}
