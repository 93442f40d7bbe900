// Between the mesh, which knows messages and times, and what carries them: TLS in iqueryd, a network of mocks in tests.

import type { Message } from './messages.ts';
import type { PeerServer } from './mesh-feature.ts';

/** The time, and the only timer that the mesh has. */
export interface MeshClock {
  /** Milliseconds of a clock that nobody sets; fractions are allowed. */
  now(): number;
  /** Milliseconds since 1970. */
  wall(): number;
  /** Fires once, not before `milliseconds` have gone; what it returns takes it back. */
  setTimer(milliseconds: number, fire: () => void): () => void;
}

/** The certificate by which the other side was trusted. */
export type ChannelCertificate = {
  readonly subject: string;
  readonly fingerprint: string;
  readonly notAfter: Date;
};

/**
 * One connection whose other side is trusted. It writes the start of the document before the first message that is sent, and nothing
 * before that: a stranger is sent nothing. After a `compress` that it sends, and one that it receives, that direction is compressed.
 */
export interface MessageChannel {
  /**
   * Takes all of them, in their order, and flushes behind the last; the array is the caller's again when it returns. False: its buffers
   * are full; `drained` is told once they are not.
   */
  send(messages: readonly Message[]): boolean;
  /** Ends it, after what was sent if that goes out within a second. No event comes any more, not even `closed`. */
  close(reason: string): void;
  /** Octets on the wire, from its first to now. */
  readonly octetsIn: number;
  /** Those that the network has taken: what only waits in a buffer is not counted, so that a reader that takes nothing is seen. */
  readonly octetsOut: number;
  readonly certificate?: ChannelCertificate | undefined;
}

/** What becomes of a channel. None of them is called while a method of the channel, or `dial`, runs. */
export interface ChannelEvents {
  /** Connected, and the other side is trusted; not called for what was accepted. */
  opened(): void;
  /** Octets came, whatever they mean; called before the messages that they make. */
  heard(): void;
  message(message: Message): void;
  /** An element that no message has as its name, or that lacks what its message needs: it was skipped. */
  unknown(name: string): void;
  /** `send` may be called again after it has answered false. */
  drained(): void;
  /** Could not be connected, was not trusted, or has ended: it is not used any more. */
  closed(reason: string): void;
}

export interface MeshTransport {
  /** In what ways it can compress, the best first. */
  readonly compression: readonly string[];
  dial(peer: PeerServer, events: ChannelEvents): MessageChannel;
}
