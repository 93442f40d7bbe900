// How large the super-frames of a device may be, so that each leaves a UDP tunnel in one call.
//
// The kernel takes at most 65,500 octets and 64 segments in one UDP_SEGMENT send, the tunnel's and the inner headers of
// every segment counted. A TCP super-frame of 64 KB would need a second send for its last segment or two, at nearly the
// price of the first.

import type { Addon } from '../native/addon.ts';
import { setGsoLimitsRequest, type GsoLimits } from '../wire/rtnetlink.ts';
import { NetlinkSocket } from './netlink-socket.ts';

/** UDP_MAX_SEGMENTS of Linux before 6.9; an IP packet less its headers, as native-bindings/udp_socket.c has it. */
const MAX_SEGMENTS = 64;
const MAX_SEND_OCTETS = 65_500;
/** Inner Ethernet and VXLAN header (RFC 7348, section 5): what a segment has besides its IP packet. */
const SEGMENT_OVERHEAD = 14 + 8;
/** IP header, and a TCP header with timestamps, as Linux has them. */
const IPV4_TCP_OCTETS = 20 + 32;
const IPV6_TCP_OCTETS = 40 + 32;
/** What a device has unless it is told otherwise, and the largest that older kernels know. */
const MAX_SUPER_FRAME_OCTETS = 65_536;

/** The limits for a device of this MTU. */
export function gsoLimits(mtu: number): GsoLimits {
  const segments = Math.max(1, Math.min(MAX_SEGMENTS, Math.floor(MAX_SEND_OCTETS / (mtu + SEGMENT_OVERHEAD))));
  // The kernel takes its own headers off the size before it counts segments, so one segment more, less an octet, is
  // never reached by payload alone.
  const octets = (headerOctets: number): number =>
    Math.min(MAX_SUPER_FRAME_OCTETS, (segments + 1) * Math.max(1, mtu - headerOctets) - 1);
  return { segments, ipv4Octets: octets(IPV4_TCP_OCTETS), octets: octets(IPV6_TCP_OCTETS) };
}

/** Sets the limits of devices, each when its MTU is another than it was. */
export class GsoFitter {
  readonly #addon: Addon;
  #socket: NetlinkSocket | undefined;
  /** MTU by index of the device. */
  readonly #fitted = new Map<number, number>();

  constructor(addon: Addon) {
    this.#addon = addon;
  }

  /** Rejects when the kernel refuses: then the device works, with two sends for some super-frames. */
  async fit(index: number, mtu: number): Promise<void> {
    if (this.#fitted.get(index) === mtu) return;
    this.#fitted.set(index, mtu);
    this.#socket ??= new NetlinkSocket(this.#addon);
    await this.#socket.request(`limit super-frames of device ${index}`, (sequence) =>
      setGsoLimitsRequest(sequence, index, gsoLimits(mtu)),
    );
  }

  forget(index: number): void {
    this.#fitted.delete(index);
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }
}
