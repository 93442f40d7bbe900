// TCP and UDP frames for tests, built octet by octet without the code under test.

import { naiveChecksum } from './naive-checksum.ts';

export type TransportFields = {
  family: 4 | 6;
  protocol: 'tcp' | 'udp';
  /** VLAN tags in the octets: TPID and TCI of each. */
  tags: readonly (readonly [number, number])[];
  /** Options of IPv4, a multiple of 4 octets; unused for IPv6. */
  ipOptions: Uint8Array;
  identification: number;
  sequence: number;
  flags: number;
  /** A multiple of 4 octets. */
  tcpOptions: Uint8Array;
  payload: Uint8Array;
  sourcePort?: number;
  /** Of IPv4. */
  tos?: number;
  /** What the checksum field holds: the finished checksum, only the sum of the pseudo-header, or 0. */
  checksum: 'complete' | 'partial' | 'none';
};

export type TransportFrame = { octets: Uint8Array; transportAt: number; payloadAt: number };

const u16 = (value: number): number[] => [(value >>> 8) & 255, value & 255];
const u32 = (value: number): number[] => [...u16(value >>> 16), ...u16(value)];
const MACS = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
const SOURCE = { 4: [192, 0, 2, 1], 6: [0x20, 1, 0xd, 0xb8, ...new Array<number>(11).fill(0), 1] };
const DESTINATION = { 4: [192, 0, 2, 2], 6: [0x20, 1, 0xd, 0xb8, ...new Array<number>(11).fill(0), 2] };

export function transportFrame(fields: TransportFields): TransportFrame {
  const { family, payload } = fields;
  const isTcp = fields.protocol === 'tcp';
  const number = isTcp ? 6 : 17;
  const options = [...fields.tcpOptions];
  const sourcePort = fields.sourcePort ?? 5001;
  const transport = isTcp
    ? [
        ...u16(sourcePort),
        ...u16(80),
        ...u32(fields.sequence),
        ...u32(0x01020304),
        ((20 + options.length) / 4) << 4,
        fields.flags,
        ...u16(501),
        ...u16(0),
        ...u16(0),
        ...options,
      ]
    : [...u16(sourcePort), ...u16(80), ...u16(8 + payload.length), ...u16(0)];
  const octets = transport.length + payload.length;
  const pseudo = [...SOURCE[family], ...DESTINATION[family], 0, number, ...u16(octets)];
  const sum = Uint8Array.from([...pseudo, ...transport, ...payload]);
  const field = isTcp ? 16 : 6;
  if (fields.checksum === 'complete') {
    const checksum = naiveChecksum(sum);
    transport.splice(field, 2, ...u16(checksum === 0 && !isTcp ? 0xffff : checksum));
  } else if (fields.checksum === 'partial') {
    transport.splice(field, 2, ...u16(0xffff - naiveChecksum(Uint8Array.from(pseudo))));
  }
  const ip =
    family === 4
      ? ipv4(fields, number, octets)
      : [0x60, 0, 0, 0, ...u16(octets), number, 64, ...SOURCE[6], ...DESTINATION[6]];
  const tags = fields.tags.flatMap(([tpid, tci]) => [...u16(tpid), ...u16(tci)]);
  const head = [...MACS, ...tags, ...u16(family === 4 ? 0x0800 : 0x86dd), ...ip];
  return {
    octets: Uint8Array.from([...head, ...transport, ...payload]),
    transportAt: head.length,
    payloadAt: head.length + transport.length,
  };
}

function ipv4(fields: TransportFields, protocol: number, octets: number): number[] {
  const options = [...fields.ipOptions];
  const header = [
    0x45 + options.length / 4,
    fields.tos ?? 0,
    ...u16(20 + options.length + octets),
    ...u16(fields.identification),
    ...u16(0x4000),
    64,
    protocol,
    ...u16(0),
    ...SOURCE[4],
    ...DESTINATION[4],
    ...options,
  ];
  header.splice(10, 2, ...u16(naiveChecksum(Uint8Array.from(header))));
  return header;
}
