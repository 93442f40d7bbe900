// The EtherIP header (RFC 3378): an Ethernet frame without its check sequence as the payload of IP protocol 97.
//
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5
//   +-------+-----------------------+
//   |version|      reserved = 0     |
//   +-------+-----------------------+
//
// The version is 3. Implementations disagree where it stands: in the high half of the first octet, as the RFC draws it and
// scapy sends it (30 00), or in the low half (03 00). Either is taken, and the reserved bits are not looked at.

import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';

export const ETHERIP_HEADER_OCTETS = 2;

/** The two forms that are sent. */
export const EtherIpForm = { rfc: 0x3000, lowNibble: 0x0300 } as const;
export type EtherIpForm = (typeof EtherIpForm)[keyof typeof EtherIpForm];

const ETHERIP_VERSION = 3;

/** Guarantees, with FORWARD: a whole header of version 3, in either form. */
export function checkEtherIp(bytes: Uint8Array, start: number, end: number): Verdict {
  if (end - start < ETHERIP_HEADER_OCTETS) return Drop.etherIpVersionInvalid;
  const first = bytes[start]!;
  return first >>> 4 === ETHERIP_VERSION || (first & 15) === ETHERIP_VERSION ? FORWARD : Drop.etherIpVersionInvalid;
}

export function writeEtherIp(bytes: Uint8Array, at: number, form: EtherIpForm): void {
  bytes[at] = form >>> 8;
  bytes[at + 1] = form;
}
