// The pcapng capture file format (draft-ietf-opsawg-pcapng): blocks as tcpdump and Wireshark read them.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +---------------------------------------------------------------+
//   |                          block type                           |
//   +---------------------------------------------------------------+
//   |                      block total length                       |
//   +---------------------------------------------------------------+
//   |  body, padded to 4 octets; options: code 16, length 16, value padded to 4
//   +---------------------------------------------------------------+
//   |                      block total length                       |
//   +---------------------------------------------------------------+
//
// Written little-endian: a section header, an interface description for each point of the capture, then an enhanced
// packet for each frame. Not supported: name resolution, statistics, decryption secrets.

const SECTION_HEADER = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION = 1;
const ENHANCED_PACKET = 6;

const BYTE_ORDER_MAGIC = 0x1a2b_3c4d;
const VERSION_MAJOR = 1;
const LENGTH_UNKNOWN = 0xffff_ffff;

const OPTION_END = 0;
const OPTION_COMMENT = 1;
const OPTION_USER_APPLICATION = 4;
const OPTION_INTERFACE_NAME = 2;
const OPTION_INTERFACE_DESCRIPTION = 3;
const OPTION_TIME_RESOLUTION = 9;
const OPTION_PACKET_FLAGS = 2;
const NANOSECONDS = 9;

/** Link types of the registry that are used here. */
export const LinkType = { ethernet: 1, raw: 101 } as const;

export type PcapngInterface = {
  name: string;
  description: string;
  /** A value of LinkType. */
  linkType: number;
  /** Octets of each packet at most; 0: no limit. */
  snaplen: number;
};

export type PcapngPacket = {
  /** Index of the interface, in the order in which they were described. */
  interfaceId: number;
  /** Nanoseconds since the epoch. */
  timeNs: bigint;
  octets: Uint8Array;
  /** Octets that the packet had on the wire. */
  originalOctets: number;
  /** 0 unknown, 1 inbound, 2 outbound. */
  direction: number;
  /** Empty: none. */
  comment: string;
};

/** The block that a file starts with; `application` names who wrote it. */
export function pcapngSectionHeader(application: string): Uint8Array {
  const body = new BlockWriter(SECTION_HEADER);
  body.u32(BYTE_ORDER_MAGIC);
  body.u16(VERSION_MAJOR);
  body.u16(0);
  body.u32(LENGTH_UNKNOWN);
  body.u32(LENGTH_UNKNOWN);
  body.text(OPTION_USER_APPLICATION, application);
  return body.finish();
}

export function pcapngInterface(description: PcapngInterface): Uint8Array {
  const body = new BlockWriter(INTERFACE_DESCRIPTION);
  body.u16(description.linkType);
  body.u16(0);
  body.u32(description.snaplen);
  body.text(OPTION_INTERFACE_NAME, description.name);
  body.text(OPTION_INTERFACE_DESCRIPTION, description.description);
  body.option(OPTION_TIME_RESOLUTION, Uint8Array.of(NANOSECONDS));
  return body.finish();
}

export function pcapngPacket(packet: PcapngPacket): Uint8Array {
  const body = new BlockWriter(ENHANCED_PACKET);
  body.u32(packet.interfaceId);
  body.u32(Number(packet.timeNs >> 32n));
  body.u32(Number(packet.timeNs & 0xffff_ffffn));
  body.u32(packet.octets.length);
  body.u32(packet.originalOctets);
  body.padded(packet.octets);
  body.text(OPTION_COMMENT, packet.comment);
  if (packet.direction !== 0) body.option(OPTION_PACKET_FLAGS, Uint8Array.of(packet.direction, 0, 0, 0));
  return body.finish();
}

const ENHANCED_HEADER_OCTETS = 28;
/** The option of the direction, the end of options, and the length once more. */
const ENHANCED_TRAILER_OCTETS = 16;

/** Octets of the block that `writeEnhancedPacket` writes for a packet of so many. */
export function enhancedPacketOctets(octets: number): number {
  return ENHANCED_HEADER_OCTETS + ((octets + 3) & ~3) + ENHANCED_TRAILER_OCTETS;
}

/**
 * Writes an enhanced packet without a comment at `at`, as `pcapngPacket` would, and returns where it ends; for recording
 * at full rate. `microseconds` since the epoch; `direction` 1 inbound, 2 outbound.
 */
export function writeEnhancedPacket(
  into: Uint8Array,
  at: number,
  microseconds: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  direction: number,
): number {
  const octets = end - start;
  const length = enhancedPacketOctets(octets);
  // Nanoseconds as 64 bits, by halves that a double holds exactly.
  const seconds = Math.floor(microseconds / 1e6);
  const upper = Math.floor(seconds / 0x1_0000) * 1e9;
  const lower = (seconds % 0x1_0000) * 1e9 + Math.floor(microseconds % 1e6) * 1000 + (upper % 0x1_0000) * 0x1_0000;
  write32(into, at, ENHANCED_PACKET);
  write32(into, at + 4, length);
  write32(into, at + 8, 0);
  write32(into, at + 12, Math.floor(upper / 0x1_0000) + Math.floor(lower / 0x1_0000_0000));
  write32(into, at + 16, lower % 0x1_0000_0000);
  write32(into, at + 20, octets);
  write32(into, at + 24, octets);
  let to = at + ENHANCED_HEADER_OCTETS;
  for (let from = start; from < end; from++) into[to++] = bytes[from]!;
  while ((to - at) % 4 !== 0) into[to++] = 0;
  write32(into, to, OPTION_PACKET_FLAGS | (4 << 16));
  write32(into, to + 4, direction);
  write32(into, to + 8, OPTION_END);
  write32(into, to + 12, length);
  return at + length;
}

/** Little-endian. */
function write32(into: Uint8Array, at: number, value: number): void {
  into[at] = value;
  into[at + 1] = value >>> 8;
  into[at + 2] = value >>> 16;
  into[at + 3] = value >>> 24;
}

class BlockWriter {
  readonly #type: number;
  readonly #parts: Uint8Array[] = [];
  #hasOptions = false;

  constructor(type: number) {
    this.#type = type;
  }

  u16(value: number): void {
    this.#parts.push(Uint8Array.of(value, value >>> 8));
  }

  u32(value: number): void {
    this.#parts.push(Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24));
  }

  padded(octets: Uint8Array): void {
    this.#parts.push(octets, new Uint8Array(-octets.length & 3));
  }

  option(code: number, value: Uint8Array): void {
    this.u16(code);
    this.u16(value.length);
    this.padded(value);
    this.#hasOptions = true;
  }

  /** An option that holds text; an empty one is left out. */
  text(code: number, value: string): void {
    if (value !== '') this.option(code, new TextEncoder().encode(value));
  }

  finish(): Uint8Array {
    if (this.#hasOptions) this.option(OPTION_END, new Uint8Array(0));
    const bodyOctets = this.#parts.reduce((sum, part) => sum + part.length, 0);
    const block = new Uint8Array(bodyOctets + 12);
    const view = new DataView(block.buffer);
    view.setUint32(0, this.#type, true);
    view.setUint32(4, block.length, true);
    let at = 8;
    for (const part of this.#parts) {
      block.set(part, at);
      at += part.length;
    }
    view.setUint32(at, block.length, true);
    return block;
  }
}
