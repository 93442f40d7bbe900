// A tunnel endpoint: one remote end of one tunnel, with the outer headers prepared for it.
//
// Everything that does not change from frame to frame is rendered once, as little-endian words in the order in which they
// lie in memory, and rendered anew when the next hop resolves or the configuration changes.

import type { AddressWords } from '../core/address.ts';
import { type Outlet } from '../pipeline/node.ts';
import type { Tunnel } from './tunnel.ts';

/** The longest headers are those of IPv6, 70 octets; those of IPv4 are within the first cache line. */
export const HEADER_WORDS = 18;

/** A second before any in which something is sent. */
const NEVER = -0x3fff_ffff;

/** What an MTU is where nothing is known of the link. */
export const NO_LIMIT = 0x3fff_ffff;

export class TunnelEndpoint {
  // What every frame looks at stands together: with thousands of endpoints each cache line counts.
  readonly tunnel: Tunnel;
  /** Whether the headers are complete and `outlet` is the way to the next hop. */
  isReady = false;
  /** Where encapsulated frames go: the bridge member of the underlay, or a UDP socket port. */
  outlet: Outlet | undefined;
  /** Underlay member that the frames leave by; -1 for a UDP socket port. */
  egress = -1;
  /** Largest IP packet that may go into the tunnel to this end, in octets. */
  mtu = 0;
  /** Largest outer IP packet, in octets: that of the link, or of the path where the tunnel heeds it. */
  outerMtu = NO_LIMIT;
  /** That of the link alone. */
  linkMtu = NO_LIMIT;
  /** Second of the clock in which something was sent last. */
  sentSecond = NEVER;
  /** Octets of the outer headers, which the frame needs as headroom. */
  outerOctets = 0;
  /** Octets in front of the headers in their memory: 2 where they are to start at 2 modulo 4. */
  headerPad = 0;
  /** Octets of the GRE header, the last of `outerOctets`; 0: there is none. */
  greOctets = 0;
  /** Flags of the GRE header, as in GreFlag. */
  greFlags = 0;
  /** Whether the port behind `outlet` cuts super-frames behind the outer headers. */
  cutsTunnelled = false;
  /** Outer headers, Ethernet to tunnel header, in memory order: HEADER_WORDS words from `headerAt` of memory for many endpoints. */
  readonly headers: Int32Array;
  readonly headerAt: number;
  /** Sum of the outer IPv4 header with TOS, total length and checksum 0. */
  ipChecksumBase = 0;
  /** Over IPv6: sum of what does not change of the pseudo-header, the UDP header and the tunnel header. */
  udpChecksumBase = 0;
  /** The same headers by octets. */
  readonly headerBytes: Uint8Array;
  /** Position in the table of endpoints; frames and FDB entries refer to it. */
  readonly index: number;
  /** The next sequence number to be sent, and the last that came, with GRE; signed 32 bits. */
  nextSequence = 0;
  lastSequence = 0;
  /** Whether one has come. */
  hasSequence = false;
  /** The same remote end as reached from the tunnel's secondary address, where it has one. */
  twin: TunnelEndpoint | undefined;
  /** Whether this is the twin of another. */
  readonly isSecondary: boolean;
  /** The remote address as four words in host order (IPv4 in word 3). */
  readonly remote: readonly [number, number, number, number];

  constructor(
    index: number,
    tunnel: Tunnel,
    remote: readonly [number, number, number, number],
    headers: Int32Array = new Int32Array(HEADER_WORDS),
    headerAt = 0,
    isSecondary = false,
  ) {
    this.isSecondary = isSecondary;
    this.headers = headers;
    this.headerAt = headerAt;
    this.headerBytes = new Uint8Array(headers.buffer, headers.byteOffset + headerAt * 4, HEADER_WORDS * 4);
    this.index = index;
    this.tunnel = tunnel;
    this.remote = remote;
  }
  /** The address that its packets come from. */
  get local(): AddressWords {
    const { local, secondary } = this.tunnel.spec;
    return this.isSecondary && secondary !== undefined ? secondary : local;
  }
}
