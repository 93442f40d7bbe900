// Packets that came in by security associations, the reverse of sealer.ts.
//
//   1. `add` checks lengths and the replay window, and queues
//   2. `flush` has the batch of ciphers verify and decrypt all of them where they lie, then for each, in the order they came:
//      replay window once more, padding, next header, decompression, and the IP packet put together
//
// What padding and next header say is believed only with a right ICV: a forged packet can meet no other verdict than ipsecIcvInvalid
// behind the replay window. Padding of traffic flow confidentiality is cut off by the length that the inner IP header states.
//
// Not supported: such padding in transport mode, where nothing says how long the packet is.

import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';
import { decapsulatePacketEcn, packetTos } from '../packet/ecn.ts';
import { copyMetadata, type Frame, Gso } from '../packet/frame.ts';
import type { FramePool } from '../packet/pool.ts';
import { AH_FIXED_OCTETS, ahHeaderOctets, ahNextHeader, ahSequence } from '../wire/ah.ts';
import {
  checkEspPadding,
  ESP_HEADER_OCTETS,
  ESP_TRAILER_OCTETS,
  espNextHeader,
  espPadLength,
  espSequence,
  NextHeader,
} from '../wire/esp.ts';
import { CPI_DEFLATE, IPCOMP, IPCOMP_HEADER_OCTETS, ipCompIndex, ipCompNextHeader } from '../wire/ipcomp.ts';
import { checkIpv4 } from '../wire/ipv4.ts';
import { checkIpv6, IPV6_FRAGMENT, IPV6_HOP_BY_HOP } from '../wire/ipv6.ts';
import { UDP_HEADER_OCTETS, udpOctets } from '../wire/udp.ts';
import type { Compressor } from './compressor.ts';
import { type CryptoBatch, Job, JOB_WORDS, MAX_JOBS } from './crypto.ts';
import type { InboundSa } from './inbound-sa.ts';
import { findAnnouncement, isIpv4, packetEnd, rewriteHeader } from './insertion.ts';
import { JobQueue } from './job-queue.ts';
import { clearMutableFields, MAX_SAVED_OCTETS, SavedHeaders } from './mutable-fields.ts';
import { finishTransportChecksum } from './transport-checksum.ts';

/** The largest IV and ICV of AH, kept in front of the frame while they are compared. */
const MAX_AH_IV_OCTETS = 8;
const MAX_AH_ICV_OCTETS = 32;
const AH_COPY_OCTETS = MAX_AH_IV_OCTETS + MAX_AH_ICV_OCTETS;

export class Opener {
  /** Packets added since the last `clear`; once flushed, the outcomes below have so many entries. */
  count = 0;
  /** What was added, still the caller's. */
  readonly sources: Frame[] = [];
  readonly associations: InboundSa[] = [];
  /** After `flush`: FORWARD, or why the packet is to be dropped. */
  readonly verdicts: Verdict[] = [];
  /**
   * After `flush`, with FORWARD: the packet that was inside, from its IP header to its last octet. This is the frame that was
   * added, unless the packet was decompressed: then it is one of the pool, the caller's, and the source is to be consumed.
   */
  readonly opened: Frame[] = [];
  readonly #pool: FramePool;
  readonly #crypto: CryptoBatch;
  readonly #compressor: Compressor | undefined;
  readonly #queue: JobQueue;
  readonly #saved = new SavedHeaders();
  /**
   * Arena offsets of each entry: outer IP header, ESP or AH header, behind the packet, and the octet that announces what was
   * protected.
   */
  readonly #ips = new Int32Array(MAX_JOBS);
  readonly #headers = new Int32Array(MAX_JOBS);
  readonly #ends = new Int32Array(MAX_JOBS);
  readonly #protocolsAt = new Int32Array(MAX_JOBS);

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
   * Queues a packet: `frame.start` is at its IP header, which has been checked, `headerAt` the arena offset of its ESP or AH
   * header, with a checked UDP header right in front of it where the SA is encapsulated in UDP. It is no fragment. With another
   * verdict than FORWARD nothing was queued and the octets are as before: ipsecExpired, ipsecTooShort, ipsecReplayed,
   * ipsecTooOld, ipsecUnsupported, noHeadroom.
   */
  add(frame: Frame, sa: InboundSa, headerAt: number): Verdict {
    if (sa.hardDue) return Drop.ipsecExpired;
    const { bytes } = this.#pool.arena;
    const ip = frame.start;
    const boundary = sa.isUdp ? headerAt - UDP_HEADER_OCTETS : headerAt;
    const end = sa.isUdp ? boundary + udpOctets(bytes, boundary) : packetEnd(bytes, ip);
    const minimum = sa.isAh ? AH_FIXED_OCTETS : ESP_HEADER_OCTETS;
    if (end > frame.end || end - headerAt < minimum) return Drop.ipsecTooShort;
    const protocolAt = findAnnouncement(bytes, ip, boundary);
    if (protocolAt === 0) return Drop.ipsecUnsupported;
    const lengthVerdict = sa.isAh ? checkAh(bytes, headerAt, end, sa, isIpv4(bytes, ip)) : checkEsp(headerAt, end, sa);
    if (lengthVerdict !== FORWARD) return lengthVerdict;
    const sequence = sa.isAh ? ahSequence(bytes, headerAt) : espSequence(bytes, headerAt);
    const replayVerdict = sa.window.check(sequence);
    if (replayVerdict !== FORWARD) return replayVerdict;

    const entry = this.count;
    const row = this.#queue.begin(entry, sa.isAh, sa.key, sa.spec.extended, sa.window.high, sequence);
    if (sa.isAh) {
      const verdict = this.#prepareAh(entry, row, frame, headerAt, end, sa);
      if (verdict !== FORWARD) return verdict;
    } else {
      this.#queue.rows[row + Job.source] = headerAt;
      this.#queue.rows[row + Job.octets] = end - headerAt;
    }
    this.#protocolsAt[entry] = protocolAt;
    this.#queueUp(frame, sa, ip, headerAt, end);
    return FORWARD;
  }

  /**
   * The same for ESP of tunnel mode that came joined with others in one super-frame of UDP: the frame is what is behind the UDP
   * header, and `ip` the arena offset of the IP header that they have in common, which stays until `flush`.
   */
  addJoined(frame: Frame, sa: InboundSa, ip: number): Verdict {
    if (sa.hardDue) return Drop.ipsecExpired;
    const { start, end } = frame;
    if (end - start < ESP_HEADER_OCTETS) return Drop.ipsecTooShort;
    const lengthVerdict = checkEsp(start, end, sa);
    if (lengthVerdict !== FORWARD) return lengthVerdict;
    const sequence = espSequence(this.#pool.arena.bytes, start);
    const replayVerdict = sa.window.check(sequence);
    if (replayVerdict !== FORWARD) return replayVerdict;
    const row = this.#queue.begin(this.count, false, sa.key, sa.spec.extended, sa.window.high, sequence);
    this.#queue.rows[row + Job.source] = start;
    this.#queue.rows[row + Job.octets] = end - start;
    this.#queueUp(frame, sa, ip, start, end);
    return FORWARD;
  }

  #queueUp(frame: Frame, sa: InboundSa, ip: number, headerAt: number, end: number): void {
    const entry = this.count;
    this.#ips[entry] = ip;
    this.#headers[entry] = headerAt;
    this.#ends[entry] = end;
    this.sources[entry] = frame;
    this.associations[entry] = sa;
    this.count = entry + 1;
  }

  /** Opens what was added; how many that are. Outcomes stand in the arrays until `clear`. */
  flush(): number {
    const { count } = this;
    const espJobs = this.#queue.load(count, false);
    if (espJobs > 0) this.#crypto.open(espJobs);
    this.#queue.store(espJobs);
    const ahJobs = this.#queue.load(count, true);
    if (ahJobs > 0) this.#crypto.verify(ahJobs);
    this.#queue.store(ahJobs);
    for (let entry = 0; entry < count; entry++) this.verdicts[entry] = this.#finish(entry);
    return count;
  }

  /** Forgets the outcomes. */
  clear(): void {
    this.count = 0;
  }

  /**
   * Copies IV and ICV to the front of the headroom, and puts zeros in their place and in that of all that is mutable. There, at
   * the lowest octets, lies nothing that a capture of a dropped packet would show.
   */
  #prepareAh(entry: number, row: number, frame: Frame, headerAt: number, end: number, sa: InboundSa): Verdict {
    const { bytes } = this.#pool.arena;
    const ip = frame.start;
    const copy = frame.headroomStart;
    const integrity = headerAt + AH_FIXED_OCTETS;
    const octets = sa.ivOctets + sa.icvOctets;
    if (ip - copy < AH_COPY_OCTETS) return Drop.noHeadroom;
    if (integrity - ip + octets > MAX_SAVED_OCTETS) return Drop.ipsecUnsupported;
    this.#saved.save(entry, bytes, ip, integrity + octets);
    if (!clearMutableFields(bytes, ip, headerAt, false)) {
      this.#saved.restore(entry, bytes, ip, integrity + octets);
      return Drop.ipsecUnsupported;
    }
    bytes.copyWithin(copy, integrity, integrity + octets);
    bytes.fill(0, integrity, integrity + octets);
    const { rows } = this.#queue;
    rows[row + Job.source] = ip;
    rows[row + Job.octets] = end - ip;
    rows[row + Job.target] = copy + sa.ivOctets;
    return FORWARD;
  }

  #finish(entry: number): Verdict {
    const { bytes } = this.#pool.arena;
    const sa = this.associations[entry]!;
    const header = this.#headers[entry]!;
    const end = this.#ends[entry]!;
    if (sa.isAh) {
      const behindIcv = header + AH_FIXED_OCTETS + sa.ivOctets + sa.icvOctets;
      this.#saved.restore(entry, bytes, this.sources[entry]!.start, behindIcv);
    }
    const cryptoVerdict = this.#queue.verdict(entry);
    if (cryptoVerdict !== FORWARD) return cryptoVerdict;
    const row = entry * JOB_WORDS;
    const { rows } = this.#queue;
    const replayVerdict = sa.window.accept(rows[row + Job.sequenceHigh]! >>> 0, rows[row + Job.sequenceLow]! >>> 0);
    if (replayVerdict !== FORWARD) return replayVerdict;
    // Those in front of it in the batch may have been the last.
    if (sa.hardDue) return Drop.ipsecExpired;
    if (sa.isAh) return this.#unwrap(entry, ahNextHeader(bytes, header), header + ahHeaderOctets(bytes, header), end);
    const payload = header + ESP_HEADER_OCTETS + sa.ivOctets;
    const plainEnd = end - sa.icvOctets;
    const paddingVerdict = checkEspPadding(bytes, payload, plainEnd);
    if (paddingVerdict !== FORWARD) return paddingVerdict;
    const payloadEnd = plainEnd - ESP_TRAILER_OCTETS - espPadLength(bytes, plainEnd);
    return this.#unwrap(entry, espNextHeader(bytes, plainEnd), payload, payloadEnd);
  }

  /** `nextHeader` says what stands from `payload` to `end`: a packet, a payload, or either of them compressed. */
  #unwrap(entry: number, nextHeader: number, payload: number, end: number): Verdict {
    const sa = this.associations[entry]!;
    if (nextHeader === NextHeader.none) {
      sa.count(0);
      return Drop.ipsecDummy;
    }
    if (nextHeader === IPCOMP) return this.#decompress(entry, payload, end);
    const frame = this.sources[entry]!;
    const { bytes } = this.#pool.arena;
    if (sa.isTunnel) {
      return this.#openTunnel(entry, frame, packetTos(bytes, this.#ips[entry]!), nextHeader, payload, end);
    }
    const front = this.#frontOctets(entry);
    if (!canFollow(nextHeader, isIpv4(bytes, frame.start))) return Drop.ipsecNextHeaderInvalid;
    const start = payload - front;
    bytes.copyWithin(start, frame.start, frame.start + front);
    const protocolAt = this.#protocolsAt[entry]! - frame.start + start;
    return this.#openTransport(entry, frame, start, end, protocolAt, nextHeader);
  }

  /** Octets of the packet's headers in front of ESP or AH, without the UDP header. */
  #frontOctets(entry: number): number {
    const udp = this.associations[entry]!.isUdp ? UDP_HEADER_OCTETS : 0;
    return this.#headers[entry]! - udp - this.sources[entry]!.start;
  }

  #openTunnel(entry: number, frame: Frame, tos: number, nextHeader: number, start: number, end: number): Verdict {
    const { bytes } = this.#pool.arena;
    let verdict: Verdict = Drop.ipsecNextHeaderInvalid;
    if (nextHeader === NextHeader.ipv4) verdict = checkIpv4(bytes, start, end);
    if (nextHeader === NextHeader.ipv6) verdict = checkIpv6(bytes, start, end);
    if (verdict !== FORWARD) return Drop.ipsecNextHeaderInvalid;
    const ecnVerdict = decapsulatePacketEcn(bytes, start, tos);
    if (ecnVerdict !== FORWARD) return ecnVerdict;
    frame.start = start;
    frame.end = packetEnd(bytes, start);
    return this.#deliver(entry, frame);
  }

  /** The headers already stand at `start`, right in front of the payload. */
  #openTransport(
    entry: number,
    frame: Frame,
    start: number,
    end: number,
    protocolAt: number,
    nextHeader: number,
  ): Verdict {
    const { arena } = this.#pool;
    rewriteHeader(arena.bytes, start, end, protocolAt, nextHeader);
    frame.start = start;
    frame.end = end;
    const verdict = this.#deliver(entry, frame);
    // A NAT on the way has changed the addresses that the checksum inside is about (RFC 3948, section 3.1.2).
    if (this.associations[entry]!.isUdp && finishTransportChecksum(arena, frame)) frame.checksumVerified = 1;
    return verdict;
  }

  #deliver(entry: number, frame: Frame): Verdict {
    frame.checksumStart = 0;
    frame.checksumOffset = 0;
    frame.checksumVerified = 0;
    frame.offloadsUnknown = 0;
    frame.gsoType = Gso.none;
    frame.gsoSize = 0;
    this.associations[entry]!.count(frame.end - frame.start);
    this.opened[entry] = frame;
    return FORWARD;
  }

  /** IPComp, into a frame of its own: the one that came has no room behind its end. */
  #decompress(entry: number, header: number, end: number): Verdict {
    const { arena } = this.#pool;
    const sa = this.associations[entry]!;
    const source = this.sources[entry]!;
    const compressor = this.#compressor;
    if (sa.spec.compression === 0 || compressor === undefined) return Drop.ipsecCompressionInvalid;
    if (end - header < IPCOMP_HEADER_OCTETS) return Drop.ipsecTooShort;
    const index = ipCompIndex(arena.bytes, header);
    const nextHeader = ipCompNextHeader(arena.bytes, header);
    if (index !== CPI_DEFLATE && index !== sa.spec.compressionIndex) return Drop.ipsecCompressionInvalid;
    const front = sa.isTunnel ? 0 : this.#frontOctets(entry);
    if (!sa.isTunnel && !canFollow(nextHeader, isIpv4(arena.bytes, source.start))) return Drop.ipsecNextHeaderInvalid;
    const limit = Math.min(MAX_PACKET_OCTETS, this.#pool.largestOctets) - front;
    const octets = compressor.decompress(arena.bytes, header + IPCOMP_HEADER_OCTETS, end, limit);
    if (octets < 0) return Drop.ipsecCompressionInvalid;
    const frame = this.#pool.acquireForPacket(front + octets);
    if (frame === undefined) return Drop.noBuffer;
    copyMetadata(source, frame);
    arena.bytes.copyWithin(frame.start, source.start, source.start + front);
    arena.bytes.set(compressor.output.subarray(0, octets), frame.start + front);
    const frameEnd = frame.start + front + octets;
    const protocolAt = this.#protocolsAt[entry]! - source.start + frame.start;
    const verdict = sa.isTunnel
      ? this.#openTunnel(entry, frame, packetTos(arena.bytes, this.#ips[entry]!), nextHeader, frame.start, frameEnd)
      : this.#openTransport(entry, frame, frame.start, frameEnd, protocolAt, nextHeader);
    if (verdict !== FORWARD) this.#pool.release(frame);
    return verdict;
  }
}

const MAX_PACKET_OCTETS = 0xffff;

/** Whether a header of this kind can stand behind the headers that are already there. */
const canFollow = (nextHeader: number, isBehindIpv4: boolean): boolean =>
  nextHeader !== IPCOMP &&
  nextHeader !== NextHeader.none &&
  (isBehindIpv4 || (nextHeader !== IPV6_HOP_BY_HOP && nextHeader !== IPV6_FRAGMENT));

/** Guarantees, with FORWARD, room for IV, a trailer and the ICV, and whole blocks. */
function checkEsp(header: number, end: number, sa: InboundSa): Verdict {
  const encrypted = end - header - ESP_HEADER_OCTETS - sa.ivOctets - sa.icvOctets;
  return encrypted < sa.blockOctets || encrypted % sa.blockOctets !== 0 ? Drop.ipsecTooShort : FORWARD;
}

/** Guarantees, with FORWARD, a whole header of the length that the transform has, padded to 4 octets (IPv4 only) or 8. */
function checkAh(bytes: Uint8Array, header: number, end: number, sa: InboundSa, isOverIpv4: boolean): Verdict {
  const octets = ahHeaderOctets(bytes, header);
  const unpadded = AH_FIXED_OCTETS + sa.ivOctets + sa.icvOctets;
  const isPadded = octets === ((unpadded + 7) & ~7) || (isOverIpv4 && octets === ((unpadded + 3) & ~3));
  return isPadded && octets <= end - header ? FORWARD : Drop.ipsecTooShort;
}
