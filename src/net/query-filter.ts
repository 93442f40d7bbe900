// The classic BPF program of a query ring: what is taken straight from a device, everything else stays with the kernel.
//
// Taken are UDP datagrams to one port of some addresses, to our MAC address, without a VLAN tag, whole, and with nothing
// between the IP header and that of UDP. The nft rule that keeps the same frames from the kernel is in
// src/supervise/query-rules.ts: whoever changes one changes the other.

import { IpProtocol } from '../wire/ipv4.ts';
import { accept, assemble, Code, type Instruction, refuse } from './classic-bpf.ts';

/**
 * Octets of the UDP length of a question at most (header and message). What is larger than any question should be goes to the
 * kernel, so that a ring can do with small places.
 */
export const MAX_QUERY_OCTETS = 900;

export type QueryFilter = {
  readonly port: number;
  /** 4 or 16 octets each. */
  readonly addresses: readonly Uint8Array[];
};

/** Facts about a frame that are not in its octets (linux/filter.h), and values of them. */
const Fact = { packetType: 0xffff_f000 + 4, vlanTagPresent: 0xffff_f000 + 48 } as const;
const PACKET_HOST = 0;

/** Offsets from the start of the frame. */
const ETHER_TYPE = 12;
const ETHER_IPV4 = 0x0800;
const ETHER_IPV6 = 0x86dd;
const IP = 14;
const FRAGMENT_BITS = 0x3fff;

/** The frame is refused unless what `load` finds at `at` is `value`. */
const require = (load: number, at: number, value: number): Instruction[] => [
  [load, 0, 0, at],
  [Code.jumpEqual, 1, 0, value],
  refuse,
];

const requireDatagram = (udpAt: number, port: number): Instruction[] => [
  ...require(Code.loadHalf, udpAt + 2, port),
  [Code.loadHalf, 0, 0, udpAt + 4],
  [Code.jumpGreater, 0, 1, MAX_QUERY_OCTETS],
  refuse,
];

function acceptAddresses(at: number, addresses: readonly Uint8Array[]): Instruction[] {
  return addresses.flatMap((address) => {
    const view = new DataView(address.buffer, address.byteOffset, address.length);
    const words = address.length / 4;
    // From a word that differs on to the next address: the rest of the words and what accepts is jumped over.
    const compare = Array.from({ length: words }, (_, word): Instruction[] => [
      [Code.loadWord, 0, 0, at + word * 4],
      [Code.jumpEqual, 0, (words - 1 - word) * 2 + 1, view.getUint32(word * 4)],
    ]);
    return [...compare.flat(), accept];
  });
}

/** The program as the kernel takes it. */
export function queryFilter({ port, addresses }: QueryFilter): Uint8Array {
  const ipv4: Instruction[] = [
    ...require(Code.loadByte, IP, 0x45),
    ...require(Code.loadByte, IP + 9, IpProtocol.udp),
    [Code.loadHalf, 0, 0, IP + 6],
    [Code.jumpBits, 0, 1, FRAGMENT_BITS],
    refuse,
    ...requireDatagram(IP + 20, port),
    ...acceptAddresses(
      IP + 16,
      addresses.filter(({ length }) => length === 4),
    ),
    refuse,
  ];
  const ipv6: Instruction[] = [
    ...require(Code.loadByte, IP + 6, IpProtocol.udp),
    ...requireDatagram(IP + 40, port),
    ...acceptAddresses(
      IP + 24,
      addresses.filter(({ length }) => length === 16),
    ),
    refuse,
  ];
  return assemble([
    ...require(Code.loadByte, Fact.packetType, PACKET_HOST),
    ...require(Code.loadByte, Fact.vlanTagPresent, 0),
    [Code.loadHalf, 0, 0, ETHER_TYPE],
    [Code.jumpEqual, 0, 1, ETHER_IPV4],
    [Code.jump, 0, 0, 3],
    [Code.jumpEqual, 0, 1, ETHER_IPV6],
    [Code.jump, 0, 0, ipv4.length + 1],
    refuse,
    ...ipv4,
    ...ipv6,
  ]);
}
