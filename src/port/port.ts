// The contract of a packet I/O adapter, and the only one that the pipeline knows.
//
// Ownership: a received frame's octets are the port's and stay valid until the next `receive` on the same port; whoever
// wants to keep them longer copies them into the pool. `transmit` reads octets and keeps nothing: it is done when it
// returns. A port never blocks, never throws on what arrives, and never loses a frame without a counter or a refusal.

import type { Verdict } from '../core/drop-reason.ts';
import type { Frame, FrameBatch } from '../packet/frame.ts';

/**
 * What a frame of the port starts with: `ethernet`, a MAC header without FCS; `ip`, an IP header; `udp`, the payload of a
 * datagram, and `raw-ip`, that of an IP packet, whose other end and TOS travel in the frame's outer fields, in both
 * directions.
 */
export type PortMedium = 'ethernet' | 'ip' | 'udp' | 'raw-ip';

/** Counters that only the adapter can know; all grow monotonically. */
export type PortCounters = {
  /** Lost in front of us: the ring or the socket buffer was full. */
  receiveOverruns: number;
};

export interface Port {
  readonly name: string;
  readonly medium: PortMedium;
  /** Position in the worker's table of ports; written into each received frame. */
  readonly index: number;
  /** Largest frame that can be sent, from the first octet of the medium, tags not counted. */
  readonly maxFrameOctets: number;
  /** Descriptors to poll for input; empty where the port is polled by other means. */
  readonly descriptors: readonly number[];
  /** False while the device is down or gone; transmit then refuses with portDown. */
  readonly isUp: boolean;
  readonly counters: Readonly<PortCounters>;
  /**
   * Whether `transmit` takes a super-frame behind the header of a tunnel (`innerStart`) and has it cut: for medium `udp` the
   * tunnel header alone, for `ethernet` all outer headers: of UDP, whose checksum field holds 0 for none, or the sum of the
   * pseudo-header, or of another IP protocol, and then each packet gets the same. Absent: it does not.
   */
  readonly cutsTunnelled?: boolean;
  /** True where only whole frames can leave: `transmit` then gets no unfinished checksum and no super-frame. */
  readonly needsFinished?: boolean | undefined;

  /**
   * Of a port without descriptors that knows by itself when it has frames: milliseconds until it shall be asked, Infinity
   * when nothing will come.
   */
  dueMs?(): number;

  /**
   * Appends up to BURST frames to `into` and returns how many; ends the life of those of the call before. After BURST of
   * them some of what has arrived may wait inside the port: receive again before waiting for the descriptors.
   */
  receive(into: FrameBatch): number;

  /**
   * Sends all frames, those of a flow in order; each one that could not be sent is handed to `refuse` with the reason.
   * A VLAN tag that shall be sent stands in the octets. A packet ring, a TAP and a TUN device leave an unfinished checksum
   * (`checksumStart`) and the segmentation of a super-frame (`gsoType`) to the kernel.
   */
  transmit(batch: FrameBatch, refuse: (frame: Frame, why: Verdict) => void): void;

  /** Releases what the port holds; no other call may follow. */
  close(): void;
}
