// Decapsulation of VXLAN: from a datagram's payload to the inner frame, behind the bridge member of its tunnel.
//
//   1. the header must be valid (RFC 7348, section 5); reserved bits are ignored
//   2. (listener, VNI) names the tunnels; the one with this remote address is taken, else the one with remote any
//   3. over IPv6 there must be a UDP checksum, unless the tunnel is configured to do without (RFC 6935)
//   4. outer congestion marks reach the inner packet (RFC 6040)
//   5. the inner frame goes to the bridge

import type { Member } from '../../../bridge/domain.ts';
import type { AddressWords } from '../../../core/address.ts';
import { Drop, FORWARD } from '../../../core/drop-reason.ts';
import { finishUnannouncedOffloads } from '../../../packet/complete-checksum.ts';
import type { Frame, FrameBatch } from '../../../packet/frame.ts';
import type { Disposal } from '../../../pipeline/disposal.ts';
import type { PipelineNode } from '../../../pipeline/node.ts';
import { decapsulateEcn, ECN_MASK } from '../../../tunnel/ecn.ts';
import { UdpChecksum } from '../../../tunnel/tunnel.ts';
import { ETHERNET_HEADER_OCTETS } from '../../../wire/ethernet.ts';
import { UDP_HEADER_OCTETS, udpHasChecksum } from '../../../wire/udp.ts';
import { checkVxlan, VXLAN_HEADER_OCTETS, vxlanVni } from '../../../wire/vxlan.ts';
import type { PortSlot } from '../port-slot.ts';
import type { TunnelTable } from '../tunnel-table.ts';

export class DecapsulateNode implements PipelineNode {
  readonly name = 'decapsulate';
  readonly input: FrameBatch;
  readonly #members: readonly (Member | undefined)[];
  readonly #tunnels: TunnelTable;
  readonly #slots: readonly (PortSlot | undefined)[];
  readonly #disposal: Disposal;
  readonly #toBridge: FrameBatch;

  constructor(
    input: FrameBatch,
    members: readonly (Member | undefined)[],
    tunnels: TunnelTable,
    slots: readonly (PortSlot | undefined)[],
    disposal: Disposal,
    toBridge: FrameBatch,
  ) {
    this.input = input;
    this.#members = members;
    this.#tunnels = tunnels;
    this.#slots = slots;
    this.#disposal = disposal;
    this.#toBridge = toBridge;
  }

  process(): void {
    const { frames, length } = this.input;
    const disposal = this.#disposal;
    const { bytes } = disposal.pool.arena;
    const tunnels = this.#tunnels;
    for (let index = 0; index < length; index++) {
      const frame = frames[index]!;
      const at = frame.start;
      if (checkVxlan(bytes, at, frame.end) !== FORWARD) {
        disposal.drop(frame, Drop.vxlanHeaderInvalid, this.#portRow(frame));
        continue;
      }
      const first = tunnels.lookup(frame.listener, vxlanVni(bytes, at));
      if (first === undefined) {
        disposal.drop(frame, Drop.unknownVni, this.#portRow(frame));
        continue;
      }
      // Tunnels of one listener share the local address; no remote is asked for, or it would only be unknown.
      if (isFrom(first.spec.local, frame)) {
        disposal.drop(frame, Drop.ownPacketReturned, first.row);
        continue;
      }
      const tunnel = tunnels.select(first, frame);
      if (tunnel === undefined) {
        disposal.drop(frame, Drop.unknownRemote, first.row);
        continue;
      }
      const { spec } = tunnel;
      if (!spec.receives) {
        disposal.drop(frame, Drop.tunnelDisabled, tunnel.row);
        continue;
      }
      // A kernel socket hands over no more than the payload, and has seen to it itself.
      if (
        tunnel.isIpv6 &&
        frame.member !== -1 &&
        spec.udpChecksum !== UdpChecksum.never &&
        !udpHasChecksum(bytes, at - UDP_HEADER_OCTETS)
      ) {
        disposal.drop(frame, Drop.udpChecksumMissing, tunnel.row);
        continue;
      }
      const inner = at + VXLAN_HEADER_OCTETS;
      if (frame.end - inner < ETHERNET_HEADER_OCTETS) {
        disposal.drop(frame, Drop.innerFrameTooShort, tunnel.row);
        continue;
      }
      frame.start = inner;
      // An unfinished checksum of the outer headers went with them.
      if (frame.checksumStart !== 0 && frame.checksumStart < inner) frame.checksumStart = 0;
      if ((frame.outerTos & ECN_MASK) !== 0) {
        const verdict = decapsulateEcn(bytes, inner, frame.end, frame.outerTos);
        if (verdict !== FORWARD) {
          disposal.drop(frame, verdict, tunnel.row);
          continue;
        }
      }
      // A local kernel leaves offloads unfinished, and a socket has no way to say so.
      if (frame.member === -1 || frame.offloadsUnknown !== 0) this.#finishOffloads(frame, spec.member);
      frame.outerStart = 0;
      frame.member = spec.member;
      frame.endpoint = spec.learnsEndpoints ? tunnels.endpointOf(tunnel, frame) : -1;
      frame.vlanTci = 0;
      this.#toBridge.push(frame);
    }
    this.input.clear();
  }

  #finishOffloads(frame: Frame, member: number): void {
    const { mtu } = this.#members[member]!.domain;
    finishUnannouncedOffloads(this.#disposal.pool.arena, frame, mtu, mtu + ETHERNET_HEADER_OCTETS);
  }

  /** What cannot be charged to a tunnel is charged to the port that it came in by. */
  #portRow(frame: Frame): number {
    return this.#slots[frame.port]?.row ?? 0;
  }
}

function isFrom(address: AddressWords, frame: Frame): boolean {
  return (
    frame.outer3 === address[3] &&
    frame.outer2 === address[2] &&
    frame.outer1 === address[1] &&
    frame.outer0 === address[0]
  );
}
