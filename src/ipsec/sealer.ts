// Packets on their way out into security associations: ESP (RFC 4303), AH (RFC 4302), IPComp before either (RFC 3173), UDP around
// ESP (RFC 3948).
//
//   1. `add` makes a pool frame with everything but the ciphertext and the ICV
//   2. `flush` has the batch of ciphers do all of them at once, and finishes checksums
//
//   tunnel      outer IP | [UDP] | ESP or AH | [IPComp] | IP packet        | ESP: padding, trailer, ICV
//   transport   IP header, headers for routers | [UDP] | ESP or AH | [IPComp] | rest of the packet | …
//
// A frame's own octets are only read: they may lie in the ring of a port, where nothing may be written behind their end.
//
// Not supported: traffic flow confidentiality by padding or dummy packets.

import { checksumFold } from '../core/checksum.ts';
import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';
import { write16 } from '../core/octets.ts';
import { packetTos } from '../packet/ecn.ts';
import { copyMetadata, type Frame, Gso } from '../packet/frame.ts';
import type { FramePool } from '../packet/pool.ts';
import { beginCut, cut, cutOctets, writeCut } from '../packet/segment.ts';
import { AH_FIXED_OCTETS, writeAh } from '../wire/ah.ts';
import { ESP_HEADER_OCTETS, ESP_TRAILER_OCTETS, espPadOctets, NextHeader, writeEsp } from '../wire/esp.ts';
import { IPCOMP, IPCOMP_HEADER_OCTETS, writeIpComp } from '../wire/ipcomp.ts';
import { IpProtocol, ipv4DontFragment, ipv4PseudoHeaderSum, writeIpv4, writeIpv4Checksum } from '../wire/ipv4.ts';
import {
  IPV6_DESTINATION,
  IPV6_HEADER_OCTETS,
  IPV6_SOURCE,
  ipv6PseudoHeaderSum,
  writeIpv6,
  writeIpv6Address,
} from '../wire/ipv6.ts';
import { TCP_CHECKSUM } from '../wire/tcp.ts';
import { UDP_CHECKSUM, UDP_HEADER_OCTETS, udpOctets, writeUdp, writeUdpChecksum } from '../wire/udp.ts';
import type { Compressor } from './compressor.ts';
import { type CryptoBatch, Job, MAX_JOBS } from './crypto.ts';
import { findInsertion, insertion, isIpv4, packetEnd, rewriteHeader } from './insertion.ts';
import { JobQueue } from './job-queue.ts';
import { clearMutableFields, MAX_SAVED_OCTETS, SavedHeaders } from './mutable-fields.ts';
import type { OutboundSa } from './outbound-sa.ts';
import { ahOctets, ipHeaderOctets } from './overhead.ts';
import { IpsecProtocol } from './security-association.ts';

/** Of outer headers (RFC 4301, section 5.1.2.1, leaves it open). */
const OUTER_TTL = 64;
const MAX_LENGTH = 0xffff;
const FLOW_LABEL = 0xfffff;
/** What every kernel takes in one super-frame (native-bindings/join.c). */
export const MAX_JOINED = 64;
const MAX_JOINED_OCTETS = 65_000;

export class Sealer {
  /** Packets added since the last `clear`; once flushed, the outcomes below have so many entries. */
  count = 0;
  /** What was added, still the caller's. */
  readonly sources: Frame[] = [];
  readonly associations: OutboundSa[] = [];
  /** After `flush`: FORWARD, or why there is no sealed packet. */
  readonly verdicts: Verdict[] = [];
  /**
   * After `flush`, with FORWARD: a frame of the pool, the caller's, that starts at its outer IP header and ends behind its last
   * octet, with the metadata of its source and all checksums right. With another verdict it is back in the pool.
   */
  readonly sealed: Frame[] = [];
  /** How many entries behind this one are of the same sealed super-frame, whose verdict and frame stand here. */
  readonly more = new Uint8Array(MAX_JOBS);
  readonly #pool: FramePool;
  readonly #crypto: CryptoBatch;
  readonly #compressor: Compressor | undefined;
  readonly #queue: JobQueue;
  readonly #saved = new SavedHeaders();
  /** Arena offset of the ESP or AH header of each entry. */
  readonly #headers = new Int32Array(MAX_JOBS);
  #identification = 0;
  /** What `#chooseInside` found of the packet at hand: what is protected, and the octets in front of it that stay. */
  #insideStart = 0;
  #insideProtocol = 0;
  #frontOctets = 0;
  #protocolAt = 0;
  #outerFamily: 4 | 6 = 4;

  /** `compressor`: undefined where no SA compresses. */
  constructor(pool: FramePool, crypto: CryptoBatch, compressor?: Compressor) {
    this.#pool = pool;
    this.#crypto = crypto;
    this.#compressor = compressor;
    this.#queue = new JobQueue(crypto);
  }

  /** No more can be added before `flush` and `clear`. */
  get isFull(): boolean {
    return this.count === MAX_JOBS;
  }

  /**
   * Queues a packet. `frame.start` is at its IP header, which has been checked; the packet is whole for transport mode, no
   * super-frame, and its checksums are finished. Octets behind its total length are left out. With another verdict than FORWARD
   * nothing was queued: ipsecExpired, ipsecSequenceUnreserved, ipsecSequenceExhausted, ipsecUnsupported (a fragment in
   * transport mode, headers that AH cannot authenticate, larger than an IP packet once sealed), noBuffer.
   */
  add(frame: Frame, sa: OutboundSa): Verdict {
    if (sa.hardDue) return Drop.ipsecExpired;
    const { bytes } = this.#pool.arena;
    const { spi, extended, udpSourcePort, compressionIndex } = sa.spec;
    const ip = frame.start;
    const end = packetEnd(bytes, ip);
    if (end > frame.end || !this.#chooseInside(bytes, ip, end, sa)) return Drop.ipsecUnsupported;
    const insideOctets = end - this.#insideStart;
    const compressed = this.#compress(bytes, this.#insideStart, end, sa);
    const payloadOctets = compressed < 0 ? insideOctets : IPCOMP_HEADER_OCTETS + compressed;
    const udpOctetsHere = sa.isUdp ? UDP_HEADER_OCTETS : 0;
    const padOctets = espPadOctets(payloadOctets, sa.blockOctets);
    const headOctets = sa.isAh ? ahOctets(sa.spec, this.#outerFamily) : ESP_HEADER_OCTETS + sa.ivOctets;
    const tailOctets = sa.isAh ? 0 : padOctets + ESP_TRAILER_OCTETS + sa.icvOctets;
    const header = this.#frontOctets + udpOctetsHere;
    const octets = header + headOctets + payloadOctets + tailOctets;
    if (octets - (this.#outerFamily === 4 ? 0 : IPV6_HEADER_OCTETS) > MAX_LENGTH) return Drop.ipsecUnsupported;

    const sealed = this.#pool.acquireForPacket(octets);
    if (sealed === undefined) return Drop.noBuffer;
    copyMetadata(frame, sealed);
    sealed.checksumVerified = 0;
    sealed.offloadsUnknown = 0;
    // Without a checksum over IPv4, which one may be added to where packets leave joined: nobody may depend on there being none
    // (RFC 3948, section 2.1).
    sealed.ownUdp = sa.isUdp ? 1 : 0;
    sealed.end = sealed.start + octets;
    const at = sealed.start + header;
    this.#writeFront(frame, sealed, sa);
    const entry = this.count;
    const verdict = sa.isAh && !this.#clearFront(entry, sealed.start, at) ? Drop.ipsecUnsupported : sa.takeSequence();
    if (verdict !== FORWARD) {
      this.#pool.release(sealed);
      return verdict;
    }
    sa.count(end - ip);
    if (sa.isUdp)
      writeUdp(bytes, at - UDP_HEADER_OCTETS, udpSourcePort, sa.peerPort, sealed.end - at + UDP_HEADER_OCTETS);
    const nextHeader = compressed < 0 ? this.#insideProtocol : IPCOMP;
    const payload = at + headOctets;
    if (compressed >= 0) {
      writeIpComp(bytes, payload, this.#insideProtocol, compressionIndex);
      bytes.set(this.#compressor!.output.subarray(0, compressed), payload + IPCOMP_HEADER_OCTETS);
    }
    const row = this.#queue.begin(entry, sa.isAh, sa.key, extended, sa.sequenceHigh, sa.sequenceLow, sa.ivOffset);
    const { rows } = this.#queue;
    if (sa.isAh) {
      if (compressed < 0) bytes.copyWithin(payload, this.#insideStart, end);
      writeAh(bytes, at, nextHeader, headOctets, spi, sa.sequenceLow);
      rows[row + Job.source] = sealed.start;
      rows[row + Job.octets] = octets;
      rows[row + Job.target] = at + AH_FIXED_OCTETS + sa.ivOctets;
    } else {
      writeEsp(bytes, at, spi, sa.sequenceLow);
      rows[row + Job.source] = compressed < 0 ? this.#insideStart : payload;
      rows[row + Job.octets] = payloadOctets;
      rows[row + Job.target] = at;
      rows[row + Job.padOctets] = padOctets;
      rows[row + Job.nextHeader] = nextHeader;
    }
    this.#headers[entry] = at;
    this.sources[entry] = frame;
    this.associations[entry] = sa;
    this.sealed[entry] = sealed;
    this.more[entry] = 0;
    this.count = entry + 1;
    return FORWARD;
  }

  /**
   * Queues the segments of a super-frame, which starts at its IP header, to be sealed into one super-frame of UDP; how many those
   * are. 0: this one cannot be, and is to be cut; nothing was queued. There has to be room for MAX_JOINED more.
   */
  addSuperFrame(frame: Frame, sa: OutboundSa): number {
    if (!canJoin(sa) || sa.hardDue) return 0;
    const { arena } = this.#pool;
    const { bytes } = arena;
    if (beginCut(bytes, frame, true) !== FORWARD) return 0;
    const { segments } = cut;
    if (segments < 2 || segments > MAX_JOINED || sa.reservedLeft < segments) return 0;
    this.#chooseInside(bytes, frame.start, frame.end, sa);
    const header = this.#frontOctets + UDP_HEADER_OCTETS;
    const stride = espOctets(cutOctets(0), sa);
    const octets = header + (segments - 1) * stride + espOctets(cutOctets(segments - 1), sa);
    if (octets > MAX_JOINED_OCTETS) return 0;
    const sealed = this.#pool.acquireForPacket(octets + 2);
    if (sealed === undefined) return 0;
    copyMetadata(frame, sealed);
    sealed.checksumVerified = 0;
    sealed.offloadsUnknown = 0;
    sealed.ownUdp = 1;
    // So that what is inside lies on a word boundary.
    sealed.start += 2;
    const { start } = sealed;
    sealed.end = start + octets;
    this.#writeFront(frame, sealed, sa);
    // Whoever cuts it counts up from here.
    this.#identification = (this.#identification + segments - 1) & 0xffff;
    const udp = start + this.#frontOctets;
    writeUdp(bytes, udp, sa.spec.udpSourcePort, sa.peerPort, sealed.end - udp);
    const pseudo =
      this.#outerFamily === 4
        ? ipv4PseudoHeaderSum(bytes, start, IpProtocol.udp, sealed.end - udp)
        : ipv6PseudoHeaderSum(bytes, start, IpProtocol.udp, sealed.end - udp);
    write16(bytes, udp + UDP_CHECKSUM, checksumFold(pseudo));
    sealed.checksumStart = udp;
    sealed.checksumOffset = UDP_CHECKSUM;
    sealed.gsoType = Gso.udpL4;
    sealed.gsoSize = stride;
    this.more[this.count] = segments - 1;
    for (let index = 0; index < segments; index++) {
      this.#addSegment(index, frame, sealed, sa, start + header + index * stride);
    }
    return segments;
  }

  #addSegment(index: number, frame: Frame, sealed: Frame, sa: OutboundSa, at: number): void {
    const { arena } = this.#pool;
    const entry = this.count;
    const octets = cutOctets(index);
    const payload = at + ESP_HEADER_OCTETS + sa.ivOctets;
    writeCut(arena, index, payload, false);
    sa.takeSequence();
    sa.count(octets);
    const row = this.#queue.begin(entry, false, sa.key, sa.spec.extended, sa.sequenceHigh, sa.sequenceLow, sa.ivOffset);
    const { rows } = this.#queue;
    writeEsp(arena.bytes, at, sa.spec.spi, sa.sequenceLow);
    rows[row + Job.source] = payload;
    rows[row + Job.octets] = octets;
    rows[row + Job.target] = at;
    rows[row + Job.padOctets] = espPadOctets(octets, sa.blockOctets);
    rows[row + Job.nextHeader] = this.#insideProtocol;
    if (cut.hasChecksum) {
      rows[row + Job.checksum] = cut.transportOffset | ((cut.isTcp ? TCP_CHECKSUM : UDP_CHECKSUM) << 16);
    }
    this.#headers[entry] = at;
    this.sources[entry] = frame;
    this.associations[entry] = sa;
    this.sealed[entry] = sealed;
    if (index > 0) this.more[entry] = 0;
    this.count = entry + 1;
  }

  /** Seals what was added; how many that are. Outcomes stand in the arrays until `clear`. */
  flush(): number {
    const { count } = this;
    const espJobs = this.#queue.load(count, false);
    if (espJobs > 0) this.#crypto.seal(espJobs);
    this.#queue.store(espJobs);
    const ahJobs = this.#queue.load(count, true);
    if (ahJobs > 0) this.#crypto.digest(ahJobs);
    this.#queue.store(ahJobs);
    for (let entry = 0; entry < count; entry += 1 + this.more[entry]!) {
      const verdict = this.#verdict(entry);
      this.verdicts[entry] = verdict;
      if (verdict !== FORWARD) this.#pool.release(this.sealed[entry]!);
      else if (this.more[entry] === 0) this.#finish(entry);
    }
    return count;
  }

  /** The first verdict of a packet, or of those of a super-frame, that is not FORWARD. */
  #verdict(entry: number): Verdict {
    const last = entry + this.more[entry]!;
    for (let index = entry; index <= last; index++) {
      const verdict = this.#queue.verdict(index);
      if (verdict !== FORWARD) return verdict;
    }
    return FORWARD;
  }

  /** Forgets the outcomes. */
  clear(): void {
    this.count = 0;
  }

  /** False: the SA cannot carry this packet. */
  #chooseInside(bytes: Uint8Array, ip: number, end: number, sa: OutboundSa): boolean {
    if (sa.isTunnel) {
      this.#insideStart = ip;
      this.#insideProtocol = isIpv4(bytes, ip) ? NextHeader.ipv4 : NextHeader.ipv6;
      this.#outerFamily = sa.spec.family;
      this.#frontOctets = ipHeaderOctets(sa.spec.family);
      return true;
    }
    if (!findInsertion(bytes, ip, end) || insertion.isFragment) return false;
    this.#insideStart = insertion.at;
    this.#insideProtocol = insertion.protocol;
    this.#protocolAt = insertion.protocolAt;
    this.#outerFamily = isIpv4(bytes, ip) ? 4 : 6;
    this.#frontOctets = insertion.at - ip;
    if (sa.isAh) return !insertion.hasFragmentHeader && !insertion.isRouted && this.#frontOctets <= MAX_SAVED_OCTETS;
    // The checksum of UDP over IPv6 is that of the last receiver's address, which stands in the routing header.
    return !(sa.isUdp && insertion.isRouted);
  }

  /** Compresses what is inside to the compressor's output; its octets, or -1: it goes as it is. */
  #compress(bytes: Uint8Array, start: number, end: number, sa: OutboundSa): number {
    if (sa.spec.compression === 0 || this.#compressor === undefined || !sa.compression.wants(end - start)) return -1;
    const octets = this.#compressor.compress(bytes, start, end, end - start - IPCOMP_HEADER_OCTETS - 1);
    sa.compression.tried(octets >= 0);
    return octets;
  }

  /** The outer IP header, or the packet's own with what it has to say now. */
  #writeFront(frame: Frame, sealed: Frame, sa: OutboundSa): void {
    const { bytes } = this.#pool.arena;
    const { start, end } = sealed;
    const protocol = sa.isUdp ? IpProtocol.udp : sa.isAh ? IpsecProtocol.ah : IpsecProtocol.esp;
    if (!sa.isTunnel) {
      bytes.copyWithin(start, frame.start, frame.start + this.#frontOctets);
      rewriteHeader(bytes, start, end, start + this.#protocolAt - frame.start, protocol);
      return;
    }
    const { source, family, dontFragment } = sa.spec;
    const destination = sa.peer;
    const tos = packetTos(bytes, frame.start);
    const isInnerIpv4 = isIpv4(bytes, frame.start);
    if (family === 4) {
      const isCopied = !isInnerIpv4 || ipv4DontFragment(bytes, frame.start);
      const isSet = dontFragment === 'copy' ? isCopied : dontFragment === 'set';
      this.#identification = (this.#identification + 1) & 0xffff;
      const [to, from] = [destination[3], source[3]];
      writeIpv4(bytes, start, tos, end - start, this.#identification, isSet, OUTER_TTL, protocol, from, to);
    } else {
      const label = isInnerIpv4 ? 0 : flowLabel(bytes, frame.start);
      writeIpv6(bytes, start, tos, label, end - start - IPV6_HEADER_OCTETS, protocol, OUTER_TTL);
      writeIpv6Address(bytes, start + IPV6_SOURCE, source);
      writeIpv6Address(bytes, start + IPV6_DESTINATION, destination);
    }
  }

  /** Zeros for what AH does not authenticate in the headers in front of it; false: it cannot authenticate these. */
  #clearFront(entry: number, start: number, end: number): boolean {
    this.#saved.save(entry, this.#pool.arena.bytes, start, end);
    return clearMutableFields(this.#pool.arena.bytes, start, end, true);
  }

  /** What can be written only behind the ciphertext and the ICV. */
  #finish(entry: number): void {
    const { bytes, words } = this.#pool.arena;
    const { start } = this.sealed[entry]!;
    const header = this.#headers[entry]!;
    if (this.#queue.isAh(entry)) {
      this.#saved.restore(entry, bytes, start, header);
      if (isIpv4(bytes, start)) writeIpv4Checksum(bytes, start);
    } else if (this.associations[entry]!.isUdp && !isIpv4(bytes, start)) {
      // Over IPv4 it stays 0 (RFC 3948, section 2.1), over IPv6 there has to be one (RFC 8200, section 8.1).
      const udp = header - UDP_HEADER_OCTETS;
      writeUdpChecksum(bytes, words, udp, ipv6PseudoHeaderSum(bytes, start, IpProtocol.udp, udpOctets(bytes, udp)));
    }
  }
}

/** Whether several packets of an association may be sealed into one super-frame: they are alike but for what counts up. */
const canJoin = ({ isTunnel, isUdp, spec: { compression, hardLifetime } }: OutboundSa): boolean =>
  isTunnel && isUdp && compression === 0 && hardLifetime.packets === 0 && hardLifetime.octets === 0;

/** Octets of the ESP packet around so many of a packet. */
function espOctets(octets: number, { blockOctets, ivOctets, icvOctets }: OutboundSa): number {
  const trailer = espPadOctets(octets, blockOctets) + ESP_TRAILER_OCTETS;
  return ESP_HEADER_OCTETS + ivOctets + octets + trailer + icvOctets;
}

const flowLabel = (bytes: Uint8Array, ip: number): number =>
  ((bytes[ip + 1]! << 16) | (bytes[ip + 2]! << 8) | bytes[ip + 3]!) & FLOW_LABEL;
