// Decapsulation: from what a tunnel's outer IP (and UDP) header carries to the inner frame, behind the bridge member of its
// tunnel, or to the inner packet of a layer 3 tunnel.
//
//   1. the tunnel header must be valid; reserved bits are ignored
//   2. listener and key name the tunnels; the one with this remote address is taken, else the one with remote any
//   3. VXLAN over IPv6 needs a UDP checksum, unless the tunnel is configured to do without (RFC 6935); the GRE checksum and
//      sequence number are looked at where the tunnel is configured to
//   4. outer congestion marks reach the inner packet (RFC 6040)
//   5. the inner frame goes to the bridge, the inner packet to the router

import type { Member } from '../../../bridge/domain.ts';
import type { AddressWords } from '../../../core/address.ts';
import { Column, ROW_STRIDE } from '../../../core/counters.ts';
import { Drop, FORWARD, type Verdict } from '../../../core/drop-reason.ts';
import {
  completeChecksum,
  completeUnannouncedChecksum,
  finishUnannouncedOffloads,
} from '../../../packet/complete-checksum.ts';
import { decapsulatePacketEcn, ECN_MASK } from '../../../packet/ecn.ts';
import type { Frame, FrameBatch } from '../../../packet/frame.ts';
import type { Disposal } from '../../../pipeline/disposal.ts';
import type { Outlet, PipelineNode } from '../../../pipeline/node.ts';
import { Direction } from '../../../pipeline/tap.ts';
import { decapsulateEcn } from '../../../tunnel/ecn.ts';
import { clampTunnelled, MssClamp } from '../../../tunnel/mss.ts';
import { protocolService, serviceIsUdp } from '../../../tunnel/service.ts';
import { type Subnet, subnetMember } from '../../../tunnel/subnets.ts';
import { KeySpace, kindIsLayer3, type Tunnel, TunnelKind, UdpChecksum } from '../../../tunnel/tunnel.ts';
import { ETHERNET_HEADER_OCTETS, EtherType, isVlanTagged } from '../../../wire/ethernet.ts';
import { checkEtherIp, ETHERIP_HEADER_OCTETS } from '../../../wire/etherip.ts';
import {
  checkGre,
  checkGreChecksum,
  GRE_KEEPALIVE,
  GRE_TEB,
  GreFlag,
  greFlags,
  greHeaderOctets,
  greKey,
  greProtocol,
  greSequence,
} from '../../../wire/gre.ts';
import { IPV4_HEADER_OCTETS, IpProtocol } from '../../../wire/ipv4.ts';
import { IPV6_HEADER_OCTETS } from '../../../wire/ipv6.ts';
import { flagsAreNvgre, nvgreVsid } from '../../../wire/nvgre.ts';
import { UDP_HEADER_OCTETS, udpHasChecksum } from '../../../wire/udp.ts';
import { checkVxlan, VXLAN_HEADER_OCTETS, vxlanVni } from '../../../wire/vxlan.ts';
import type { PortSlot } from '../port-slot.ts';
import type { TunnelTable } from '../tunnel-table.ts';

const GRE_SERVICE = protocolService(IpProtocol.gre);

export class DecapsulateNode implements PipelineNode {
  readonly name = 'decapsulate';
  readonly input: FrameBatch;
  readonly #members: readonly (Member | undefined)[];
  readonly #tunnels: TunnelTable;
  readonly #slots: readonly (PortSlot | undefined)[];
  readonly #disposal: Disposal;
  readonly #bytes: Uint8Array;
  readonly #toBridge: FrameBatch;
  readonly #toRoute: Outlet;

  /** `toRoute` takes the packets of layer 3 tunnels: frames that start at their IP header. */
  constructor(
    input: FrameBatch,
    members: readonly (Member | undefined)[],
    tunnels: TunnelTable,
    slots: readonly (PortSlot | undefined)[],
    disposal: Disposal,
    toBridge: FrameBatch,
    toRoute: Outlet,
  ) {
    this.input = input;
    this.#members = members;
    this.#tunnels = tunnels;
    this.#slots = slots;
    this.#disposal = disposal;
    this.#bytes = disposal.pool.arena.bytes;
    this.#toBridge = toBridge;
    this.#toRoute = toRoute;
  }

  process(): void {
    const { frames, length } = this.input;
    const { services } = this.#tunnels;
    for (let index = 0; index < length; index++) {
      const frame = frames[index]!;
      const service = services[frame.listener]!;
      if (serviceIsUdp(service)) this.#vxlan(frame);
      else if (service === GRE_SERVICE) this.#gre(frame);
      else this.#etherIp(frame);
    }
    this.input.clear();
  }

  #vxlan(frame: Frame): void {
    const bytes = this.#bytes;
    const at = frame.start;
    if (checkVxlan(bytes, at, frame.end) !== FORWARD) {
      this.#refuse(frame, Drop.vxlanHeaderInvalid);
      return;
    }
    const first = this.#tunnels.lookup(frame.listener, KeySpace.only, vxlanVni(bytes, at));
    if (first === undefined) {
      this.#refuse(frame, Drop.unknownVni);
      return;
    }
    const tunnel = this.#select(first, frame);
    if (tunnel === undefined) return;
    // A kernel socket hands over no more than the payload, and has seen to it itself.
    if (
      tunnel.isIpv6 &&
      frame.member !== -1 &&
      tunnel.spec.udpChecksum !== UdpChecksum.never &&
      !udpHasChecksum(bytes, at - UDP_HEADER_OCTETS)
    ) {
      this.#disposal.drop(frame, Drop.udpChecksumMissing, tunnel.row);
      return;
    }
    this.#pass(frame, tunnel, at + VXLAN_HEADER_OCTETS);
  }

  #etherIp(frame: Frame): void {
    const at = frame.start;
    const verdict = checkEtherIp(this.#bytes, at, frame.end);
    if (verdict !== FORWARD) {
      this.#refuse(frame, verdict);
      return;
    }
    const first = this.#tunnels.lookup(frame.listener, KeySpace.only, 0);
    const tunnel = first === undefined ? undefined : this.#select(first, frame);
    if (tunnel !== undefined) this.#pass(frame, tunnel, at + ETHERIP_HEADER_OCTETS);
    // Its tunnel is gone, but not yet the socket.
    else if (first === undefined) this.#refuse(frame, Drop.unknownTunnelPort);
  }

  #gre(frame: Frame): void {
    const bytes = this.#bytes;
    const at = frame.start;
    const verdict = checkGre(bytes, at, frame.end);
    if (verdict !== FORWARD) {
      this.#refuse(frame, verdict);
      return;
    }
    const flags = greFlags(bytes, at);
    const first = this.#findGre(frame, flags);
    if (first === undefined) {
      this.#refuse(frame, this.#whyNoGre(frame, flags));
      return;
    }
    const tunnel = this.#select(first, frame);
    if (tunnel === undefined) return;
    const { gre } = tunnel.spec;
    if (gre?.verifiesChecksum === true && (flags & GreFlag.checksum) !== 0 && !this.#isGreRight(frame)) {
      this.#disposal.drop(frame, Drop.greChecksumInvalid, tunnel.row);
      return;
    }
    if (gre?.checksSequence === true && (flags & GreFlag.sequence) !== 0 && !this.#isNewer(frame, tunnel, flags)) {
      this.#disposal.drop(frame, Drop.greSequenceOld, tunnel.row);
      return;
    }
    this.#pass(frame, tunnel, at + greHeaderOctets(flags));
  }

  /** A GRE tunnel of the frame's listener that carries what is in it, with its key or without. */
  #findGre(frame: Frame, flags: number): Tunnel | undefined {
    const bytes = this.#bytes;
    const at = frame.start;
    const tunnels = this.#tunnels;
    const protocol = greProtocol(bytes, at);
    const hasKey = (flags & GreFlag.key) !== 0;
    const key = hasKey ? greKey(bytes, at, flags) : 0;
    if (protocol !== GRE_TEB) {
      if (protocol !== EtherType.ipv4 && protocol !== EtherType.ipv6) return undefined;
      return tunnels.lookup(frame.listener, hasKey ? KeySpace.packetKeyed : KeySpace.packet, key);
    }
    const tunnel = tunnels.lookup(frame.listener, hasKey ? KeySpace.frameKeyed : KeySpace.frame, key);
    if (tunnel !== undefined || !flagsAreNvgre(flags)) return tunnel;
    return tunnels.lookup(frame.listener, KeySpace.virtualSubnet, nvgreVsid(key));
  }

  #whyNoGre(frame: Frame, flags: number): Verdict {
    const protocol = greProtocol(this.#bytes, frame.start);
    if (protocol === GRE_KEEPALIVE) return Drop.greKeepalive;
    if (protocol !== GRE_TEB && protocol !== EtherType.ipv4 && protocol !== EtherType.ipv6) {
      return Drop.greProtocolUnknown;
    }
    const isFrame = protocol === GRE_TEB;
    if ((flags & GreFlag.key) === 0) {
      const other = this.#tunnels.lookup(frame.listener, isFrame ? KeySpace.packet : KeySpace.frame, 0);
      return other === undefined ? Drop.greKeyMissing : Drop.greProtocolUnknown;
    }
    const key = greKey(this.#bytes, frame.start, flags);
    const other = this.#tunnels.lookup(frame.listener, isFrame ? KeySpace.packetKeyed : KeySpace.frameKeyed, key);
    return other === undefined ? Drop.unknownGreKey : Drop.greProtocolUnknown;
  }

  /** Whether the checksum is right, once what a local kernel has left to its card is done: its sum is as if it were. */
  #isGreRight(frame: Frame): boolean {
    const { arena } = this.#disposal.pool;
    const { bytes, words } = arena;
    const { start, end } = frame;
    if (frame.checksumStart > start && completeChecksum(arena, frame) !== FORWARD) return false;
    if (checkGreChecksum(bytes, words, start, end) === FORWARD) return true;
    const flags = greFlags(bytes, start);
    if (frame.offloadsUnknown === 0 || greProtocol(bytes, start) !== GRE_TEB) return false;
    frame.start = start + greHeaderOctets(flags);
    completeUnannouncedChecksum(arena, frame);
    frame.start = start;
    return checkGreChecksum(bytes, words, start, end) === FORWARD;
  }

  /** Whether the packet's sequence number is above the last one of its sender (RFC 2890, section 2.2); notes it. */
  #isNewer(frame: Frame, tunnel: Tunnel, flags: number): boolean {
    const { endpoints } = this.#tunnels.endpoints;
    const endpoint = endpoints[this.#tunnels.endpointOf(tunnel, frame)];
    if (endpoint === undefined) return true;
    const sequence = greSequence(this.#bytes, frame.start, flags);
    if (endpoint.hasSequence && ((sequence - endpoint.lastSequence) | 0) <= 0) return false;
    endpoint.hasSequence = true;
    endpoint.lastSequence = sequence;
    return true;
  }

  /** The tunnel among those of `first`'s key that takes what came from this source; undefined: it was dropped. */
  #select(first: Tunnel, frame: Frame): Tunnel | undefined {
    const disposal = this.#disposal;
    const { local, secondary } = first.spec;
    // Tunnels of one listener share the local address; no remote is asked for, or it would only be unknown.
    if (isFrom(local, frame) || (secondary !== undefined && isFrom(secondary, frame))) {
      disposal.drop(frame, Drop.ownPacketReturned, first.row);
      return undefined;
    }
    const tunnel = this.#tunnels.select(first, frame);
    if (tunnel === undefined) {
      disposal.drop(frame, Drop.unknownRemote, first.row);
      return undefined;
    }
    if (tunnel.spec.receives) return tunnel;
    disposal.drop(frame, Drop.tunnelDisabled, tunnel.row);
    return undefined;
  }

  /** Hands on what starts at `inner`. */
  #pass(frame: Frame, tunnel: Tunnel, inner: number): void {
    const disposal = this.#disposal;
    const { spec } = tunnel;
    frame.start = inner;
    // An unfinished checksum of the outer headers went with them.
    if (frame.checksumStart !== 0 && frame.checksumStart < inner) frame.checksumStart = 0;
    const verdict = this.#checkInner(frame, tunnel);
    if (verdict !== FORWARD) {
      disposal.drop(frame, verdict, tunnel.row);
      return;
    }
    // A local kernel leaves offloads unfinished, and a socket has no way to say so.
    if (frame.member === -1 || frame.offloadsUnknown !== 0) this.#finishOffloads(frame, tunnel);
    if (spec.mssClamp !== MssClamp.disabled) {
      const mtu = this.#tunnels.endpoints.endpoints[tunnel.remoteEndpoint]?.mtu ?? spec.mtu;
      clampTunnelled(disposal.pool.arena, frame, kindIsLayer3(tunnel.kind), spec.mssClamp, mtu);
    }
    frame.outerStart = 0;
    frame.member = spec.member;
    frame.endpoint = spec.learnsEndpoints ? this.#tunnels.endpointOf(tunnel, frame) : -1;
    frame.vlanTci = 0;
    if (kindIsLayer3(tunnel.kind)) {
      this.#enterRouter(frame, tunnel);
      return;
    }
    const { subnets } = spec;
    if (subnets !== undefined && subnets.length > 0) this.#enterSubnet(frame, subnets);
    this.#toBridge.push(frame);
  }

  /** The inner packet of a layer 3 tunnel; what the bridge would have counted is counted here. */
  #enterRouter(frame: Frame, tunnel: Tunnel): void {
    const { counters, tap } = this.#disposal;
    const base = tunnel.row * ROW_STRIDE;
    counters.cells[base + Column.inFrames]! += 1;
    counters.cells[base + Column.inOctets]! += frame.end - frame.start;
    if (tap.passing) tap.recordPass(frame, tunnel.row, Direction.inbound);
    this.#toRoute.push(frame);
  }

  /** Makes the frame one that has come by the tunnel of its subnet, if there is such a tunnel. */
  #enterSubnet(frame: Frame, subnets: readonly Subnet[]): void {
    const member = subnetMember(this.#bytes, frame.start, frame.end, subnets);
    const tunnel = this.#tunnels.byMember[member];
    if (tunnel === undefined) return;
    frame.member = member;
    frame.endpoint = tunnel.spec.learnsEndpoints ? this.#tunnels.endpointOf(tunnel, frame) : -1;
  }

  /** Whether there is room for what the tunnel carries; congestion marks are carried over. */
  #checkInner(frame: Frame, tunnel: Tunnel): Verdict {
    const bytes = this.#bytes;
    const { start, end, outerTos } = frame;
    const isMarked = (outerTos & ECN_MASK) !== 0;
    if (kindIsLayer3(tunnel.kind)) {
      const least = bytes[start]! >>> 4 === 6 ? IPV6_HEADER_OCTETS : IPV4_HEADER_OCTETS;
      if (end - start < least) return Drop.ipHeaderInvalid;
      return isMarked ? decapsulatePacketEcn(bytes, start, outerTos) : FORWARD;
    }
    if (end - start < ETHERNET_HEADER_OCTETS) return Drop.innerFrameTooShort;
    if (tunnel.kind === TunnelKind.nvgre && isVlanTagged(bytes, start)) return Drop.nvgreInnerTagged;
    return isMarked ? decapsulateEcn(bytes, start, end, outerTos) : FORWARD;
  }

  #finishOffloads(frame: Frame, tunnel: Tunnel): void {
    const { arena } = this.#disposal.pool;
    const { mtu } = this.#members[tunnel.spec.member]!.domain;
    if (kindIsLayer3(tunnel.kind)) finishUnannouncedOffloads(arena, frame, mtu, mtu, true);
    else finishUnannouncedOffloads(arena, frame, mtu, mtu + ETHERNET_HEADER_OCTETS);
  }

  /** What cannot be charged to a tunnel is charged to the port that it came in by. */
  #refuse(frame: Frame, why: Verdict): void {
    this.#disposal.drop(frame, why, this.#slots[frame.port]?.row ?? 0);
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
