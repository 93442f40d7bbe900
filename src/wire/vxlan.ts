// The VXLAN header (RFC 7348, section 5).
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-+-+-+-+-+-+-+-+-----------------------------------------------+
//   |R|R|R|R|I|R|R|R|                   reserved                    |
//   +-+-+-+-+-+-+-+-+-----------------------------------------------+
//   |          VXLAN network identifier             |   reserved    |
//   +-----------------------------------------------+---------------+
//
// Every R bit is sent as 0 and ignored on receipt, among them the flags and the next protocol of VXLAN-GPE and the group
// policy extension: what they would change is negotiated by configuration, and a plain tunnel has not agreed to it.

import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';
import { read16, write32 } from '../core/octets.ts';

export const VXLAN_HEADER_OCTETS = 8;
export const VXLAN_PORT = 4789;
export const VNI_MAX = 0xff_ffff;

const FLAG_VNI = 0x08;
const VNI = 4;

/** Guarantees, with FORWARD: a whole header whose VNI is valid. */
export function checkVxlan(bytes: Uint8Array, start: number, end: number): Verdict {
  if (end - start < VXLAN_HEADER_OCTETS) return Drop.vxlanHeaderInvalid;
  return (bytes[start]! & FLAG_VNI) === 0 ? Drop.vxlanHeaderInvalid : FORWARD;
}

export function vxlanVni(bytes: Uint8Array, start: number): number {
  return (read16(bytes, start + VNI) << 8) | bytes[start + VNI + 2]!;
}

export function writeVxlan(bytes: Uint8Array, at: number, vni: number): void {
  write32(bytes, at, FLAG_VNI << 24);
  write32(bytes, at + VNI, vni << 8);
}
