// Capture files as tcpdump and Wireshark write them: pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng),
// in both byte orders.
//
//   pcap:    magic 32 | version 16, 16 | reserved 32, 32 | snaplen 32 | link type 16 of 32
//            then for each packet: seconds 32 | micro- or nanoseconds 32 | captured 32 | original 32 | octets
//   pcapng:  blocks: type 32 | length 32 | body | length 32; of them are read section headers, interface descriptions
//            (with their time resolution and offset), and enhanced, simple and obsolete packets; the rest is skipped.
//
// The parser is fed from a window on the file and keeps no octets: it says how far it has come, and asks for more. What is
// found stands in its fields until the next call. Not supported: the modified pcap formats of other magics.

/** What `next` has come to. */
export const CaptureStep = {
  /** A packet: its octets are bytes[octetsAt, octetsAt + octets). */
  packet: 1,
  /** The record at `consumed` goes on behind the window. */
  more: 2,
  /** The file is broken at `consumed`: `problem` says how. */
  broken: 3,
} as const;

/** The largest record of a packet: a window of this size never has to grow. */
export const MAX_RECORD_OCTETS = 1 << 20;

const PCAP_MICROSECONDS = 0xa1b2_c3d4;
const PCAP_NANOSECONDS = 0xa1b2_3c4d;
const PCAP_HEADER_OCTETS = 24;
const PCAP_RECORD_OCTETS = 16;

const SECTION_HEADER = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION = 1;
const OBSOLETE_PACKET = 2;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b_3c4d;
const BYTE_ORDER_MAGIC_SWAPPED = 0x4d3c_2b1a;
/** Type, length, and the length once more behind the body. */
const BLOCK_OCTETS = 12;
const SECTION_BODY_OCTETS = 16;
const INTERFACE_BODY_OCTETS = 8;
const ENHANCED_BODY_OCTETS = 20;
const SIMPLE_BODY_OCTETS = 4;

const OPTION_TIME_RESOLUTION = 9;
const OPTION_TIME_OFFSET = 14;
const MICROSECONDS_PER_SECOND = 1e6;
const NANOSECONDS_PER_SECOND = 1e9;

type Section = 'none' | 'pcap' | 'pcapng';
type CaptureInterface = { linkType: number; snaplen: number; unitsPerSecond: number; offsetSeconds: number };

export class CaptureParser {
  /** Where the next call has to begin. */
  consumed = 0;
  octetsAt = 0;
  octets = 0;
  /** Octets that the packet had on the wire. */
  originalOctets = 0;
  seconds = 0;
  nanoseconds = 0;
  /** Of the registry of link types: 1 is Ethernet. */
  linkType = 0;
  problem = '';
  #section: Section = 'none';
  #littleEndian = true;
  #unitsPerSecond = MICROSECONDS_PER_SECOND;
  #pcapLinkType = 0;
  #interfaces: CaptureInterface[] = [];
  /** Octets of a block of no interest that are still to come. */
  #skip = 0;

  /** Whether the file may end here. */
  get isBetweenRecords(): boolean {
    return this.#section !== 'none' && this.#skip === 0;
  }

  get isPcapng(): boolean {
    return this.#section === 'pcapng';
  }

  /** Goes on to the next packet in bytes[at, end). */
  next(bytes: Uint8Array, at: number, end: number): number {
    this.consumed = at;
    for (;;) {
      // Each turn ends in a step, or has consumed something, or knows what the file is.
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, end - this.consumed);
        this.consumed += skipped;
        this.#skip -= skipped;
        if (this.#skip > 0) return CaptureStep.more;
      }
      const step =
        this.#section === 'none'
          ? this.#readMagic(bytes, end)
          : this.#section === 'pcap'
            ? this.#readPcap(bytes, end)
            : this.#readBlock(bytes, end);
      if (step !== 0) return step;
    }
  }

  #broken(problem: string): number {
    this.problem = problem;
    return CaptureStep.broken;
  }

  #readMagic(bytes: Uint8Array, end: number): number {
    const at = this.consumed;
    if (end - at < 4) return CaptureStep.more;
    if (read32(bytes, at, false) === SECTION_HEADER) {
      this.#section = 'pcapng';
      return 0;
    }
    for (const littleEndian of [true, false]) {
      const magic = read32(bytes, at, littleEndian);
      if (magic !== PCAP_MICROSECONDS && magic !== PCAP_NANOSECONDS) continue;
      if (end - at < PCAP_HEADER_OCTETS) return CaptureStep.more;
      this.#section = 'pcap';
      this.#littleEndian = littleEndian;
      this.#unitsPerSecond = magic === PCAP_MICROSECONDS ? MICROSECONDS_PER_SECOND : NANOSECONDS_PER_SECOND;
      this.#pcapLinkType = read32(bytes, at + 20, littleEndian) & 0xffff;
      this.consumed = at + PCAP_HEADER_OCTETS;
      return 0;
    }
    return this.#broken('neither pcap nor pcapng');
  }

  #readPcap(bytes: Uint8Array, end: number): number {
    const at = this.consumed;
    if (end - at < PCAP_RECORD_OCTETS) return CaptureStep.more;
    const order = this.#littleEndian;
    const octets = read32(bytes, at + 8, order);
    if (octets > MAX_RECORD_OCTETS - PCAP_RECORD_OCTETS) return this.#broken(`a packet of ${octets} octets`);
    if (end - at - PCAP_RECORD_OCTETS < octets) return CaptureStep.more;
    this.seconds = read32(bytes, at, order);
    const nanoseconds = read32(bytes, at + 4, order) * (NANOSECONDS_PER_SECOND / this.#unitsPerSecond);
    this.nanoseconds = Math.min(nanoseconds, NANOSECONDS_PER_SECOND - 1);
    this.linkType = this.#pcapLinkType;
    this.octetsAt = at + PCAP_RECORD_OCTETS;
    this.octets = octets;
    this.originalOctets = Math.max(octets, read32(bytes, at + 12, order));
    this.consumed = this.octetsAt + octets;
    return CaptureStep.packet;
  }

  #readBlock(bytes: Uint8Array, end: number): number {
    const at = this.consumed;
    if (end - at < BLOCK_OCTETS) return CaptureStep.more;
    // The type of a section header reads the same in both orders; its body says which one follows.
    const isSection = read32(bytes, at, true) === SECTION_HEADER;
    if (isSection) {
      const magic = read32(bytes, at + 8, true);
      if (magic !== BYTE_ORDER_MAGIC && magic !== BYTE_ORDER_MAGIC_SWAPPED) {
        return this.#broken('a section without a byte order');
      }
      this.#littleEndian = magic === BYTE_ORDER_MAGIC;
    }
    const order = this.#littleEndian;
    const type = read32(bytes, at, order);
    const length = read32(bytes, at + 4, order);
    if (length < BLOCK_OCTETS || length % 4 !== 0) return this.#broken(`a block of ${length} octets`);
    if (!isSection && !isRead(type)) {
      this.#skip = length;
      return 0;
    }
    if (length > MAX_RECORD_OCTETS) return this.#broken(`a block of ${length} octets`);
    if (end - at < length) return CaptureStep.more;
    if (read32(bytes, at + length - 4, order) !== length) return this.#broken('a block whose two lengths differ');
    this.consumed = at + length;
    const body = at + 8;
    const bodyEnd = at + length - 4;
    const step = this.#readBody(bytes, type, body, bodyEnd);
    if (step === CaptureStep.broken) this.consumed = at;
    return step;
  }

  #readBody(bytes: Uint8Array, type: number, at: number, end: number): number {
    const order = this.#littleEndian;
    switch (type) {
      case SECTION_HEADER: {
        if (end - at < SECTION_BODY_OCTETS) return this.#broken('a section header that is too short');
        const version = read16(bytes, at + 4, order);
        if (version !== 1) return this.#broken(`a section of version ${version}`);
        this.#interfaces = [];
        return 0;
      }
      case INTERFACE_DESCRIPTION:
        if (end - at < INTERFACE_BODY_OCTETS) return this.#broken('an interface description that is too short');
        this.#interfaces.push(readInterface(bytes, at, end, order));
        return 0;
      case SIMPLE_PACKET: {
        if (end - at < SIMPLE_BODY_OCTETS) return this.#broken('a simple packet that is too short');
        const original = read32(bytes, at, order);
        const snaplen = this.#interfaces[0]?.snaplen ?? 0;
        const captured = Math.min(original, snaplen === 0 ? original : snaplen, end - at - SIMPLE_BODY_OCTETS);
        return this.#packet(0, 0, 0, at + SIMPLE_BODY_OCTETS, captured, original);
      }
      default: {
        if (end - at < ENHANCED_BODY_OCTETS) return this.#broken('a packet block that is too short');
        const index = type === ENHANCED_PACKET ? read32(bytes, at, order) : read16(bytes, at, order);
        const captured = read32(bytes, at + 12, order);
        if (captured > end - at - ENHANCED_BODY_OCTETS) {
          return this.#broken(`a packet of ${captured} octets in a block that ends before`);
        }
        const high = read32(bytes, at + 4, order);
        const low = read32(bytes, at + 8, order);
        return this.#packet(index, high, low, at + ENHANCED_BODY_OCTETS, captured, read32(bytes, at + 16, order));
      }
    }
  }

  #packet(index: number, high: number, low: number, at: number, captured: number, original: number): number {
    const known = this.#interfaces[index];
    if (known === undefined) return this.#broken(`a packet of interface ${index}, which is not described`);
    // A division of 64 bits by digits of 16, each step exact in a double for resolutions down to the nanosecond.
    const units = known.unitsPerSecond;
    const upper = high * 0x1_0000 + Math.floor(low / 0x1_0000);
    const upperSeconds = Math.floor(upper / units);
    const rest = (upper - upperSeconds * units) * 0x1_0000 + (low & 0xffff);
    const seconds = Math.floor(rest / units);
    this.seconds = upperSeconds * 0x1_0000 + seconds + known.offsetSeconds;
    this.nanoseconds = Math.floor(((rest - seconds * units) * NANOSECONDS_PER_SECOND) / units);
    this.linkType = known.linkType;
    this.octetsAt = at;
    this.octets = captured;
    this.originalOctets = Math.max(captured, original);
    return CaptureStep.packet;
  }
}

const isRead = (type: number): boolean =>
  type === INTERFACE_DESCRIPTION || type === ENHANCED_PACKET || type === SIMPLE_PACKET || type === OBSOLETE_PACKET;

function readInterface(bytes: Uint8Array, at: number, end: number, order: boolean): CaptureInterface {
  const found: CaptureInterface = {
    linkType: read16(bytes, at, order),
    snaplen: read32(bytes, at + 4, order),
    unitsPerSecond: MICROSECONDS_PER_SECOND,
    offsetSeconds: 0,
  };
  let option = at + INTERFACE_BODY_OCTETS;
  while (end - option >= 4) {
    const code = read16(bytes, option, order);
    const octets = read16(bytes, option + 2, order);
    const value = option + 4;
    if (code === 0 || octets > end - value) break;
    if (code === OPTION_TIME_RESOLUTION && octets === 1) {
      const exponent = bytes[value]! & 0x7f;
      found.unitsPerSecond = bytes[value]! >= 0x80 ? 2 ** exponent : 10 ** exponent;
    } else if (code === OPTION_TIME_OFFSET && octets === 8) {
      const high = read32(bytes, order ? value + 4 : value, order) | 0;
      found.offsetSeconds = high * 0x1_0000_0000 + read32(bytes, order ? value : value + 4, order);
    }
    option = value + ((octets + 3) & ~3);
  }
  return found;
}

function read16(bytes: Uint8Array, at: number, littleEndian: boolean): number {
  return littleEndian ? bytes[at]! | (bytes[at + 1]! << 8) : (bytes[at]! << 8) | bytes[at + 1]!;
}

/** 0 to 2^32 - 1. */
function read32(bytes: Uint8Array, at: number, littleEndian: boolean): number {
  const high = read16(bytes, littleEndian ? at + 2 : at, littleEndian);
  return high * 0x1_0000 + read16(bytes, littleEndian ? at : at + 2, littleEndian);
}
