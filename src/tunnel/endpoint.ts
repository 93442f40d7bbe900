// A tunnel endpoint: one remote end of one tunnel, with the outer headers prepared for it.
//
// Everything that does not change from frame to frame is rendered once, as little-endian words in the order in which they
// lie in memory, and rendered anew when the next hop resolves or the configuration changes.

import { type Outlet } from '../pipeline/node.ts';
import type { Tunnel } from './tunnel.ts';

/** A cache line. */
export const HEADER_WORDS = 16;

export class TunnelEndpoint {
  // What every frame looks at stands together: with thousands of endpoints each cache line counts.
  readonly tunnel: Tunnel;
  /** Whether the headers are complete and `outlet` is the way to the next hop. */
  isReady = false;
  /** Where encapsulated frames go: the bridge member of the underlay, or a UDP socket port. */
  outlet: Outlet | undefined;
  /** Underlay member that the frames leave by; -1 for a UDP socket port. */
  egress = -1;
  /** Outer headers, Ethernet to tunnel header, in memory order: HEADER_WORDS words from `headerAt` of memory for many endpoints. */
  readonly headers: Int32Array;
  readonly headerAt: number;
  /** Sum of the outer IPv4 header with TOS, total length and checksum 0. */
  ipChecksumBase = 0;
  /** The same headers by octets. */
  readonly headerBytes: Uint8Array;
  /** Position in the table of endpoints; frames and FDB entries refer to it. */
  readonly index: number;
  /** The remote address as four words in host order (IPv4 in word 3). */
  readonly remote: readonly [number, number, number, number];

  constructor(
    index: number,
    tunnel: Tunnel,
    remote: readonly [number, number, number, number],
    headers: Int32Array = new Int32Array(HEADER_WORDS),
    headerAt = 0,
  ) {
    this.headers = headers;
    this.headerAt = headerAt;
    this.headerBytes = new Uint8Array(headers.buffer, headers.byteOffset + headerAt * 4, HEADER_WORDS * 4);
    this.index = index;
    this.tunnel = tunnel;
    this.remote = remote;
  }
}
