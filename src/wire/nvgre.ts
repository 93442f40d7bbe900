// The header of NVGRE (RFC 7637, section 3.2): GRE for an Ethernet frame, with a key of two parts.
//
//   +-------------------------------+-------------------------------+
//   |0|0|1|0|        0        |  0  |            0x6558             |
//   +-------------------------------+-------------------------------+
//   |          virtual subnet ID (VSID)             |    flow ID    |
//   +-----------------------------------------------+---------------+
//
// C and S are always 0. The flow ID spreads flows over paths; on receipt it means nothing.

import { GreFlag, GRE_TEB, writeGre } from './gre.ts';

export const NVGRE_HEADER_OCTETS = 8;
/** A VSID has 24 bits; RFC 7637 (section 3.2) reserves those below 0x1000, and 0xffffff for its own use. */
export const VSID_MAX = 0xff_ffff;

/** Whether GRE flags are those of NVGRE, where the protocol is GRE_TEB. */
export function flagsAreNvgre(flags: number): boolean {
  return (flags & (GreFlag.checksum | GreFlag.key | GreFlag.sequence)) === GreFlag.key;
}

/** The VSID of a GRE key. */
export function nvgreVsid(key: number): number {
  return key >>> 8;
}

export function writeNvgre(bytes: Uint8Array, at: number, vsid: number, flowId: number): void {
  writeGre(bytes, at, GreFlag.key, GRE_TEB, (vsid << 8) | flowId, 0);
}
