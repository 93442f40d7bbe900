// From a frame with a question to the frame with its reply, in the same octets: what the IP stack of the kernel and a socket do
// elsewhere. What a socket would not have got, or could not have answered, is left and counted.
//
// Whoever takes frames has seen to it that they are for us: our MAC address, one of our addresses and our port, no VLAN tag.

import { read16, read32 } from '../core/octets.ts';
import { checksumFinish, checksumFold } from '../core/checksum.ts';
import { Drop, FORWARD } from '../core/drop-reason.ts';
import { ETHERNET_HEADER_OCTETS, ETHERNET_SOURCE, etherType, EtherType } from '../wire/ethernet.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import * as udpHeader from '../wire/udp.ts';
import type { Sender } from './sender.ts';

/** What became of frames, in `FrameReplier.counts`: each of them is one of these. */
export const FrameOutcome = {
  answered: 0,
  /** The responder has none for it; why is in its own counts. */
  unanswered: 1,
  /** Left as it is for somebody else to answer. */
  forwarded: 2,
  /** Less than its headers say, or not what was to be taken. */
  headerInvalid: 3,
  checksumInvalid: 4,
  /** From an address or a port that nobody can have: an answer to it would hit somebody else, or nobody. */
  sourceInvalid: 5,
} as const;
export type FrameOutcome = (typeof FrameOutcome)[keyof typeof FrameOutcome];
export const FRAME_OUTCOMES = Object.keys(FrameOutcome).length;

/** What makes the reply to a message: a Responder. */
export type MessageResponder = {
  respond: (octets: Uint8Array, start: number, end: number, sender: Sender) => number;
  /** The sum of halves of the reply's words without its id, if that is known; otherwise less than 0. */
  readonly messageSum: number;
};

/** Octets of IP and UDP headers in front of a message. */
export const IPV4_REPLY_OVERHEAD = ipv4.IPV4_HEADER_OCTETS + udpHeader.UDP_HEADER_OCTETS;
export const IPV6_REPLY_OVERHEAD = ipv6.IPV6_HEADER_OCTETS + udpHeader.UDP_HEADER_OCTETS;

/** Of replies, as sockets have it by default. */
const HOP_LIMIT = 64;

export class FrameReplier {
  readonly counts = new Float64Array(FRAME_OUTCOMES);
  /** Where the message of the frame begins that was forwarded last, where it ends, and the port that it came from. */
  messageStart = 0;
  messageEnd = 0;
  senderPort = 0;
  readonly sender: Sender;
  /** Who answers, from the next frame on. */
  responder: MessageResponder;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #halves: Uint16Array;
  readonly #mayBePartial: boolean;
  /** Of IPv4 packets of ours, which may be fragmented on their way. */
  #identification = 0;

  /**
   * `bytes` and `words` are views of the memory in which frames lie, each 2 octets behind a word boundary. `mayBePartial`: nobody
   * says whether a UDP checksum was left to a card; one that has the sum of the pseudo-header alone is taken for that.
   */
  constructor(responder: MessageResponder, bytes: Uint8Array, words: Int32Array, mayBePartial = false) {
    this.responder = responder;
    this.#bytes = bytes;
    this.#words = words;
    this.#halves = new Uint16Array(words.buffer, words.byteOffset, words.length * 2);
    this.#mayBePartial = mayBePartial;
    this.sender = {
      addresses: bytes,
      addressAt: 0,
      addressOctets: 4,
      isStream: false,
      now: 0,
    };
  }

  /**
   * Replaces the frame between `start` and `end` by its reply, and returns where that ends; `start`: there is none; less than 0:
   * the message is to be answered by somebody else (`sender`, `messageStart`, `messageEnd`, `senderPort`). `isFinished`: whether
   * the UDP checksum has been looked at, or is not there yet because a card was to write it. There is room for the reply.
   */
  reply(start: number, end: number, isFinished: boolean): number {
    const ip = start + ETHERNET_HEADER_OCTETS;
    if (this.#isPlainQuestion(start, end)) {
      const udp = ip + ipv4.IPV4_HEADER_OCTETS;
      if (!isFinished && !this.#hasGoodChecksum(ip, udp, true)) return this.#leave(start, FrameOutcome.checksumInvalid);
      return this.#answer(start, ip, udp, true);
    }
    const bytes = this.#bytes;
    if (end < ip) return this.#leave(start, FrameOutcome.headerInvalid);
    const isIpv4 = etherType(bytes, start) === EtherType.ipv4;
    const ipInvalid = isIpv4 ? ipv4HeaderInvalid(bytes, ip, end) : ipv6HeaderInvalid(bytes, ip, end);
    if (ipInvalid !== FrameOutcome.answered) return this.#leave(start, ipInvalid);

    const udp = ip + (isIpv4 ? ipv4.IPV4_HEADER_OCTETS : ipv6.IPV6_HEADER_OCTETS);
    const packetEnd = isIpv4 ? ip + ipv4.ipv4TotalOctets(bytes, ip) : udp + ipv6.ipv6PayloadOctets(bytes, ip);
    if (udpHeader.checkUdp(bytes, udp, packetEnd) !== FORWARD) return this.#leave(start, FrameOutcome.headerInvalid);
    if (!isFinished && !this.#hasGoodChecksum(ip, udp, isIpv4)) return this.#leave(start, FrameOutcome.checksumInvalid);
    if (udpHeader.udpSourcePort(bytes, udp) === 0 || hasNoSender(bytes, start, ip, isIpv4)) {
      return this.#leave(start, FrameOutcome.sourceInvalid);
    }
    return this.#answer(start, ip, udp, isIpv4);
  }

  /** Has the message answered that is in a frame which may be. */
  #answer(start: number, ip: number, udp: number, isIpv4: boolean): number {
    const bytes = this.#bytes;
    const { sender } = this;
    sender.addressAt = ip + (isIpv4 ? ipv4.IPV4_SOURCE : ipv6.IPV6_SOURCE);
    sender.addressOctets = isIpv4 ? 4 : 16;
    const message = udp + udpHeader.UDP_HEADER_OCTETS;
    const messageEnd = udp + udpHeader.udpOctets(bytes, udp);
    const replyEnd = this.responder.respond(bytes, message, messageEnd, sender);
    if (replyEnd < 0) {
      this.messageStart = message;
      this.messageEnd = messageEnd;
      this.senderPort = udpHeader.udpSourcePort(bytes, udp);
      this.#leave(start, FrameOutcome.forwarded);
      return replyEnd;
    }
    if (replyEnd === message) return this.#leave(start, FrameOutcome.unanswered);
    this.#turnRound(start, ip, udp, replyEnd, isIpv4);
    this.counts[FrameOutcome.answered]!++;
    return replyEnd;
  }

  /**
   * Whether a frame is as nearly all are: a UDP datagram in an IPv4 packet without options, with nothing wrong but maybe the
   * checksum of UDP. By words as they lie in memory; what is not so is looked at octet by octet.
   */
  #isPlainQuestion(start: number, end: number): boolean {
    const words = this.#words;
    const room = end - start - ETHERNET_HEADER_OCTETS;
    if (room < IPV4_REPLY_OVERHEAD || this.#halves[(start + ETHER_TYPE) >> 1] !== IPV4_TYPE) return false;
    const at = (start + ETHERNET_HEADER_OCTETS) >> 2;
    const first = words[at]!;
    const second = words[at + 1]!;
    const third = words[at + 2]!;
    const source = words[at + 3]!;
    const destination = words[at + 4]!;
    const octets = swapped(first >>> 16);
    if ((first & 0xff) !== 0x45 || octets > room || (second & FRAGMENT_BITS) !== 0 || ((third >>> 8) & 0xff) !== UDP) {
      return false;
    }
    const sum = bothHalves(first) + bothHalves(second) + bothHalves(third);
    if (checksumFold(sum + bothHalves(source) + bothHalves(destination)) !== 0xffff) return false;
    const datagram = swapped(words[at + 6]! & 0xffff);
    if (datagram < udpHeader.UDP_HEADER_OCTETS || datagram > octets - ipv4.IPV4_HEADER_OCTETS) return false;
    const network = source & 0xff;
    const hasSender = network !== 0 && network !== 127 && network < 224 && source !== destination;
    return hasSender && (words[at + 5]! & 0xffff) !== 0 && (words[(start + ETHERNET_SOURCE) >> 2]! & GROUP_BIT) === 0;
  }

  #leave(start: number, outcome: FrameOutcome): number {
    this.counts[outcome]!++;
    return start;
  }

  #hasGoodChecksum(ip: number, udp: number, isIpv4: boolean): boolean {
    const bytes = this.#bytes;
    // Without one it may come over IPv4 alone (RFC 8200, section 8.1).
    if (!udpHeader.udpHasChecksum(bytes, udp)) return isIpv4;
    const sum = pseudoHeaderSum(bytes, ip, udpHeader.udpOctets(bytes, udp), isIpv4);
    if (udpHeader.checkUdpChecksum(bytes, this.#words, udp, sum) === FORWARD) return true;
    return this.#mayBePartial && read16(bytes, udp + udpHeader.UDP_CHECKSUM) === checksumFold(sum);
  }

  /**
   * Writes the headers in front of a reply: back to whoever asked, by the way that the question came. Word by word as they lie in
   * memory, the low octet first, which takes a third of the time that octets take; sums are those of swapped halves (RFC 1071, section 2 B).
   */
  #turnRound(start: number, ip: number, udp: number, end: number, isIpv4: boolean): void {
    const words = this.#words;
    const octets = end - udp;
    this.#swapMacs(start);
    const pseudoSum = isIpv4 ? this.#turnIpv4(ip >> 2, octets) : this.#turnIpv6(ip >> 2, octets);
    const at = udp >> 2;
    // The ports change places.
    words[at] = (words[at]! << 16) | (words[at]! >>> 16);
    const length = swapped(octets);
    words[at + 1] = length;
    // A sum of 0 would say that there is none (RFC 768).
    const known = this.responder.messageSum;
    const sum =
      known < 0
        ? this.#sum(udp, end, pseudoSum)
        : pseudoSum + known + bothHalves(words[at]) + length + (words[at + 2]! & 0xffff);
    const checksum = checksumFinish(sum) || 0xffff;
    words[at + 1] = length | (checksum << 16);
  }

  #swapMacs(start: number): void {
    const words = this.#words;
    const halves = this.#halves;
    const at = start >> 1;
    // The second and third half of one address and the first two of the other are words.
    const word = (start + 2) >> 2;
    const firstHalf = halves[at]!;
    const rest = words[word]!;
    const source = words[word + 1]!;
    halves[at] = source;
    words[word] = (source >>> 16) | (halves[at + 5]! << 16);
    words[word + 1] = firstHalf | (rest << 16);
    halves[at + 5] = rest >>> 16;
  }

  /** Returns the sum of the pseudo-header. */
  #turnIpv4(at: number, octets: number): number {
    const words = this.#words;
    this.#identification = (this.#identification + 1) & 0xffff;
    const first = 0x45 | (swapped(octets + ipv4.IPV4_HEADER_OCTETS) << 16);
    // No flags: what is too large for the way may be fragmented there.
    const second = swapped(this.#identification);
    const third = HOP_LIMIT | (UDP << 8);
    const source = words[at + 3]!;
    const destination = words[at + 4]!;
    const addresses = bothHalves(source) + bothHalves(destination);
    words[at] = first;
    words[at + 1] = second;
    words[at + 2] = third | (checksumFinish(bothHalves(first) + second + third + addresses) << 16);
    words[at + 3] = destination;
    words[at + 4] = source;
    return addresses + (UDP << 8) + swapped(octets);
  }

  #turnIpv6(at: number, octets: number): number {
    const words = this.#words;
    const length = swapped(octets);
    words[at] = 0x60;
    words[at + 1] = length | (UDP << 16) | (HOP_LIMIT << 24);
    let sum = (UDP << 8) + length;
    for (let word = at + 2; word < at + 6; word++) {
      const source = words[word]!;
      const destination = words[word + 4]!;
      sum += bothHalves(source) + bothHalves(destination);
      words[word] = destination;
      words[word + 4] = source;
    }
    return sum;
  }

  /** From a word boundary on. */
  #sum(start: number, end: number, sum: number): number {
    const words = this.#words;
    const last = end >> 2;
    let total = sum;
    for (let word = start >> 2; word < last; word++) total += bothHalves(words[word]!);
    for (let at = last << 2; at < end; at++) total += this.#bytes[at]! << ((at & 1) << 3);
    return total;
  }
}

const UDP = ipv4.IpProtocol.udp;

const bothHalves = (word: number): number => (word & 0xffff) + (word >>> 16);

/** 16 bits as they lie in memory. */
const swapped = (value: number): number => ((value & 0xff) << 8) | (value >>> 8);

/** Where the type stands in a frame, and that of IPv4 as it lies in memory. */
const ETHER_TYPE = 12;
const IPV4_TYPE = 0x0008;
/** MF and the offset, in the second word of an IPv4 header as it lies in memory. */
const FRAGMENT_BITS = 0xff3f_0000;

/** FrameOutcome.answered: nothing is wrong with it. */
function ipv4HeaderInvalid(bytes: Uint8Array, ip: number, end: number): FrameOutcome {
  // Its checksum is looked at last, in a header that is there.
  const verdict = ipv4.checkIpv4(bytes, ip, end);
  if (verdict === Drop.ipChecksumInvalid) return FrameOutcome.checksumInvalid;
  const isTaken =
    verdict === FORWARD &&
    ipv4.ipv4HeaderOctets(bytes, ip) === ipv4.IPV4_HEADER_OCTETS &&
    ipv4.ipv4Protocol(bytes, ip) === ipv4.IpProtocol.udp &&
    !ipv4.ipv4IsFragment(bytes, ip);
  return isTaken ? FrameOutcome.answered : FrameOutcome.headerInvalid;
}

function ipv6HeaderInvalid(bytes: Uint8Array, ip: number, end: number): FrameOutcome {
  const isTaken = ipv6.checkIpv6(bytes, ip, end) === FORWARD && ipv6.ipv6NextHeader(bytes, ip) === ipv4.IpProtocol.udp;
  return isTaken ? FrameOutcome.answered : FrameOutcome.headerInvalid;
}

/** Whether the source is none that a host can have (RFC 1122, section 3.2.1.3; RFC 4291, section 2), or is ourselves. */
function hasNoSender(bytes: Uint8Array, start: number, ip: number, isIpv4: boolean): boolean {
  if ((bytes[start + ETHERNET_SOURCE]! & GROUP_BIT) !== 0) return true;
  if (isIpv4) {
    const first = bytes[ip + ipv4.IPV4_SOURCE]!;
    return (
      first === 0 || first === 127 || first >= 224 || ipv4.ipv4Source(bytes, ip) === ipv4.ipv4Destination(bytes, ip)
    );
  }
  const at = ip + ipv6.IPV6_SOURCE;
  if (ipv6.ipv6IsMulticast(bytes, at) || isUnspecifiedOrLoopback(bytes, at)) return true;
  for (let octet = 0; octet < ipv6.IPV6_ADDRESS_OCTETS; octet += 4) {
    if (read32(bytes, at + octet) !== read32(bytes, ip + ipv6.IPV6_DESTINATION + octet)) return false;
  }
  return true;
}

const GROUP_BIT = 1;

/** `::` and `::1`. */
const isUnspecifiedOrLoopback = (bytes: Uint8Array, at: number): boolean =>
  (read32(bytes, at) | read32(bytes, at + 4) | read32(bytes, at + 8)) === 0 && read32(bytes, at + 12) >>> 1 === 0;

const pseudoHeaderSum = (bytes: Uint8Array, ip: number, octets: number, isIpv4: boolean): number =>
  isIpv4
    ? ipv4.ipv4PseudoHeaderSum(bytes, ip, ipv4.IpProtocol.udp, octets)
    : ipv6.ipv6PseudoHeaderSum(bytes, ip, ipv4.IpProtocol.udp, octets);
