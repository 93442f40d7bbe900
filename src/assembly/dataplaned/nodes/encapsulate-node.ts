// Encapsulation: from an inner frame, or an inner packet of a layer 3 tunnel, that shall leave by a tunnel to an outer packet on
// the way to its endpoint.
//
// A super-frame is cut into segments first, unless the adapter of the underlay has it cut behind the outer headers; while
// somebody captures it is always cut here, so that a capture shows the packets that leave. A frame whose next hop is being
// resolved is copied and waits (RFC 1122, section 2.3.2.2), in order, in bounded number.
//
// What is too large for the way to the endpoint is cut, reported or dropped in front of the tunnel (oversize.ts). Packets of
// a tunnel that does not heed the path MTU may be fragmented behind it, and are fragmented here where the link is too small.

import { Column, ROW_STRIDE } from '../../../core/counters.ts';
import { type Member, MemberKind } from '../../../bridge/domain.ts';
import { Drop, FORWARD } from '../../../core/drop-reason.ts';
import { completeChecksum } from '../../../packet/complete-checksum.ts';
import { type Frame, FrameBatch, Gso } from '../../../packet/frame.ts';
import { checkSuperFrame, segment, transportHeaderOctets } from '../../../packet/segment.ts';
import { transport } from '../../../packet/transport.ts';
import { Book } from '../../../pipeline/books.ts';
import { Direction } from '../../../pipeline/tap.ts';
import type { Disposal } from '../../../pipeline/disposal.ts';
import type { PipelineNode } from '../../../pipeline/node.ts';
import { MAX_WAITING, type NeighbourTable } from '../../../route/neighbour-table.ts';
import type { TunnelEndpoint } from '../../../tunnel/endpoint.ts';
import { kindIsLayer3, type Tunnel, TunnelKind } from '../../../tunnel/tunnel.ts';
import { encapsulate } from '../../../tunnel/encapsulate.ts';
import { clampTunnelled, MssClamp } from '../../../tunnel/mss.ts';
import { ETHERNET_HEADER_OCTETS, isVlanTagged, stripVlanTag, VLAN_TAG_OCTETS } from '../../../wire/ethernet.ts';
import { GreFlag } from '../../../wire/gre.ts';
import { setIpv4Identification } from '../../../wire/ipv4.ts';
import type { EndpointTable } from '../endpoint-table.ts';
import type { Fragmenter } from '../fragmenter.ts';
import type { Oversize } from '../oversize.ts';
import type { TunnelTable } from '../tunnel-table.ts';

export class EncapsulateNode implements PipelineNode {
  readonly name = 'encapsulate';
  readonly input: FrameBatch;
  /** Milliseconds of the data plane's clock; set by the owner before a breath. */
  nowMs = 0;
  /** The same in whole seconds. */
  second = 0;
  readonly #members: readonly (Member | undefined)[];
  readonly #tunnels: TunnelTable;
  readonly #endpoints: EndpointTable;
  readonly #neighbours: NeighbourTable;
  readonly #oversize: Oversize;
  /** Cuts outer packets; that of `oversize` may be at work at the same time. */
  readonly #fragmenter: Fragmenter;
  readonly #disposal: Disposal;
  readonly #segments = new FrameBatch();

  constructor(
    input: FrameBatch,
    members: readonly (Member | undefined)[],
    tunnels: TunnelTable,
    neighbours: NeighbourTable,
    oversize: Oversize,
    fragmenter: Fragmenter,
    disposal: Disposal,
  ) {
    this.input = input;
    this.#members = members;
    this.#tunnels = tunnels;
    this.#endpoints = tunnels.endpoints;
    this.#neighbours = neighbours;
    this.#oversize = oversize;
    this.#fragmenter = fragmenter;
    this.#disposal = disposal;
  }

  process(): void {
    const { frames, length } = this.input;
    const disposal = this.#disposal;
    const { byMember } = this.#tunnels;
    const { endpoints } = this.#endpoints;
    for (let index = 0; index < length; index++) {
      const frame = frames[index]!;
      const tunnel = byMember[frame.egress];
      if (tunnel === undefined) {
        // An endpoint may lead to a tunnel below it for a moment longer than that one exists.
        disposal.drop(frame, Drop.memberDown, 0);
        continue;
      }
      if (!tunnel.isUp || !tunnel.spec.sends) {
        disposal.drop(frame, Drop.tunnelDisabled, tunnel.row);
        continue;
      }
      let endpoint = endpoints[frame.endpoint === -1 ? tunnel.remoteEndpoint : frame.endpoint];
      if (endpoint?.twin !== undefined && this.#isOwn(frame)) endpoint = endpoint.twin;
      if (tunnel.kind === TunnelKind.nvgre) this.#removeTags(frame);
      if (endpoint === undefined) {
        disposal.drop(frame, Drop.noEndpoints, tunnel.row);
      } else if (frame.gsoType !== Gso.none) {
        if (endpoint.isReady && !disposal.tap.passing && leavesWhole(frame, endpoint))
          this.#sendWhole(frame, tunnel, endpoint);
        else this.#sendSegments(frame, tunnel, endpoint);
      } else {
        this.#send(frame, tunnel, endpoint);
      }
    }
    // A tunnel that carries another has pushed its packets behind those: they wait for the next round.
    this.input.removeFirst(length);
  }

  /** Whether we have made the frame ourselves, so that it leaves from the tunnel's secondary address. */
  #isOwn(frame: Frame): boolean {
    const member = this.#members[frame.member];
    return member === undefined || member.kind === MemberKind.local;
  }

  /** NVGRE carries no tags: those that are there are taken out (RFC 7637, section 3.2). */
  #removeTags(frame: Frame): void {
    const { bytes } = this.#disposal.pool.arena;
    while (frame.end - frame.start >= ETHERNET_HEADER_OCTETS + VLAN_TAG_OCTETS && isVlanTagged(bytes, frame.start)) {
      frame.start = stripVlanTag(bytes, frame.start);
    }
  }

  /** A super-frame as it is; it counts as the frames that it will be. */
  #sendWhole(frame: Frame, tunnel: Tunnel, endpoint: TunnelEndpoint): void {
    const disposal = this.#disposal;
    const { bytes } = disposal.pool.arena;
    const { start } = frame;
    const verdict = checkSuperFrame(bytes, frame);
    if (verdict !== FORWARD || frame.checksumStart !== transport.start) {
      disposal.drop(frame, verdict === FORWARD ? Drop.checksumOffsetInvalid : verdict, tunnel.row);
      return;
    }
    const headerOctets = transport.start - start + transportHeaderOctets(bytes);
    const payloadOctets = transport.end - start - headerOctets;
    const limit = endpoint.mtu + ETHERNET_HEADER_OCTETS + (isVlanTagged(bytes, start) ? VLAN_TAG_OCTETS : 0);
    if (headerOctets + Math.min(payloadOctets, frame.gsoSize) > limit) {
      this.#sendSegments(frame, tunnel, endpoint);
      return;
    }
    if (payloadOctets <= 0) {
      disposal.drop(frame, Drop.gsoUnsupported, tunnel.row);
      return;
    }
    frame.end = transport.end;
    const segments = Math.ceil(payloadOctets / frame.gsoSize);
    const { cells } = disposal.counters;
    const base = tunnel.row * ROW_STRIDE;
    cells[base + Column.outFrames]! += segments;
    cells[base + Column.outOctets]! += payloadOctets + segments * headerOctets;
    frame.vlanTci = 0;
    frame.innerStart = start;
    this.#encapsulate(frame, endpoint);
    endpoint.sentSecond = this.second;
    endpoint.outlet!.push(frame);
  }

  #encapsulate(frame: Frame, endpoint: TunnelEndpoint): void {
    encapsulate(this.#disposal.pool.arena, frame, endpoint);
    if (endpoint.egress !== -1) frame.egress = endpoint.egress;
  }

  #sendSegments(frame: Frame, tunnel: Tunnel, endpoint: TunnelEndpoint): void {
    const disposal = this.#disposal;
    const segments = this.#segments;
    const { egress } = frame;
    const verdict = segment(disposal.pool, frame, segments, kindIsLayer3(tunnel.kind));
    if (verdict !== FORWARD) {
      disposal.drop(frame, verdict, tunnel.row);
      return;
    }
    disposal.books[Book.originated]! += segments.length;
    disposal.consume(frame);
    for (let index = 0; index < segments.length; index++) {
      const part = segments.frames[index]!;
      part.egress = egress;
      this.#send(part, tunnel, endpoint);
    }
    segments.clear();
  }

  #send(frame: Frame, tunnel: Tunnel, endpoint: TunnelEndpoint): void {
    const disposal = this.#disposal;
    const { arena } = disposal.pool;
    const octets = frame.end - frame.start;
    const { mtu } = endpoint;
    const { spec } = tunnel;
    const isPacket = kindIsLayer3(tunnel.kind);
    const fits = isPacket ? mtu : mtu + ETHERNET_HEADER_OCTETS;
    let mayCut = !spec.usesPathMtu;
    if (octets > fits) {
      // A tag of the customer's own does not count towards the MTU.
      const isTagged = !isPacket && isVlanTagged(arena.bytes, frame.start);
      if (octets > fits + VLAN_TAG_OCTETS || !isTagged) {
        if (endpoint.egress === -1 || !this.#oversize.mustGo(frame, isPacket)) {
          this.#sendInstead(frame, tunnel, endpoint);
          return;
        }
        mayCut = true;
      }
    }
    if (spec.mssClamp !== MssClamp.disabled) clampTunnelled(arena, frame, isPacket, spec.mssClamp, mtu);
    if (frame.checksumStart !== 0) {
      const verdict = completeChecksum(arena, frame);
      if (verdict !== FORWARD) {
        disposal.drop(frame, verdict, tunnel.row);
        return;
      }
    }
    if (!endpoint.isReady) {
      this.#wait(frame, tunnel, endpoint);
      return;
    }
    let outgoing = frame;
    if (frame.start - endpoint.outerOctets < frame.headroomStart) {
      // A datagram behind another in one receive buffer has no headroom of its own.
      const moved = disposal.pool.copy(frame);
      if (moved === undefined) {
        disposal.drop(frame, Drop.noBuffer, tunnel.row);
        return;
      }
      disposal.books[Book.copies]! += 1;
      disposal.consume(frame);
      outgoing = moved;
    }
    const { cells } = disposal.counters;
    const base = tunnel.row * ROW_STRIDE;
    cells[base + Column.outFrames]! += 1;
    cells[base + Column.outOctets]! += octets;
    if (disposal.tap.passing) disposal.tap.recordPass(outgoing, tunnel.row, Direction.outbound);
    outgoing.vlanTci = 0;
    this.#encapsulate(outgoing, endpoint);
    endpoint.sentSecond = this.second;
    if (mayCut && endpoint.egress !== -1) {
      this.#sendCut(outgoing, tunnel, endpoint);
      return;
    }
    endpoint.outlet!.push(outgoing);
  }

  /** What is sent in place of a frame that is too large; nothing if it was dropped. */
  #sendInstead(frame: Frame, tunnel: Tunnel, endpoint: TunnelEndpoint): void {
    const pieces = this.#oversize.take(frame, tunnel, endpoint.mtu);
    for (let index = 0; index < pieces.length; index++) this.#send(pieces.frames[index]!, tunnel, endpoint);
  }

  /** Sends an outer packet that may be fragmented, in fragments if the link is too small for it (RFC 2473, section 7). */
  #sendCut(frame: Frame, tunnel: Tunnel, endpoint: TunnelEndpoint): void {
    const ip = frame.start + ETHERNET_HEADER_OCTETS;
    if (frame.end - ip > endpoint.outerMtu) {
      const pieces = this.#fragmenter.cut(frame, ip, endpoint.outerMtu, true, tunnel.row);
      for (let index = 0; index < pieces.length; index++) endpoint.outlet!.push(pieces.frames[index]!);
      return;
    }
    if (!tunnel.isIpv6 && !tunnel.spec.usesPathMtu) {
      setIpv4Identification(this.#disposal.pool.arena.bytes, ip, this.#fragmenter.nextIdentification() & 0xffff);
    }
    endpoint.outlet!.push(frame);
  }

  #wait(frame: Frame, tunnel: Tunnel, endpoint: TunnelEndpoint): void {
    const disposal = this.#disposal;
    const neighbour = this.#endpoints.neighbourOf(endpoint);
    if (neighbour === undefined) {
      disposal.drop(frame, Drop.noRoute, tunnel.row);
      return;
    }
    if (neighbour.waiting.length >= MAX_WAITING) {
      disposal.drop(frame, Drop.neighbourQueueFull, tunnel.row);
      return;
    }
    const kept = disposal.pool.copy(frame);
    if (kept === undefined) {
      disposal.drop(frame, Drop.noBuffer, tunnel.row);
      return;
    }
    // The copy takes the frame's place in the books.
    kept.endpoint = endpoint.index;
    disposal.books[Book.copies]! += 1;
    disposal.books[Book.held]! += 1;
    disposal.consume(frame);
    neighbour.waiting.push(kept);
    this.#neighbours.need(neighbour, this.nowMs);
  }
}

/** The largest packet of IP: what the length fields of the outer headers can say. */
const MAX_IP_OCTETS = 65_535;

/** Whether packets of GRE with these flags have the same header, and those of EtherIP, which has none. */
const repeatsHeaders = (greFlags: number): boolean => (greFlags & (GreFlag.sequence | GreFlag.checksum)) === 0;

/** Whether a super-frame can be left to whoever cuts it behind the outer headers of its endpoint. */
function leavesWhole(frame: Frame, endpoint: TunnelEndpoint): boolean {
  const { tunnel, cutsTunnelled, outlet, outerOctets, egress, greFlags } = endpoint;
  if (frame.start - outerOctets < frame.headroomStart) return false;
  if (egress === -1) return cutsTunnelled && tunnel.kind === TunnelKind.vxlan;
  // What differs from packet to packet in another tunnel's headers, nobody renders but we.
  if (tunnel.kind !== TunnelKind.vxlan && (!repeatsHeaders(greFlags) || !tunnel.spec.usesPathMtu)) return false;
  if (kindIsLayer3(tunnel.kind)) return false;
  return outlet?.cutsTunnelled === true && frame.end - frame.start + outerOctets <= MAX_IP_OCTETS;
}
