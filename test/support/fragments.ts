// Fragments for tests: IP packets and pieces of them, built octet by octet without the code under test.

import { type Ipv4Fields, ipv4Packet, type Ipv6Fields, ipv6Packet } from './frames.ts';

/** Places [start, end) of pieces of a payload: each multiple of 8 octets, except where the payload ends. */
export type Piece = { start: number; end: number };

/** The payload in pieces of `octets`, a multiple of 8. */
export function piecesOf(payloadOctets: number, octets: number): Piece[] {
  const pieces: Piece[] = [];
  for (let start = 0; start < payloadOctets; start += octets) {
    pieces.push({ start, end: Math.min(start + octets, payloadOctets) });
  }
  return pieces;
}

/** One fragment of an IPv4 packet of these fields and this whole payload. */
export function ipv4Fragment(
  fields: Ipv4Fields,
  payload: Buffer,
  { start, end }: Piece,
  more = end < payload.length,
): Buffer {
  const flags = (more ? 0x2000 : 0) | (start >>> 3);
  return ipv4Packet({ ...fields, flags }, payload.subarray(start, end));
}

/** One fragment of an IPv6 packet, its header right behind the fixed one. */
export function ipv6Fragment(
  fields: Ipv6Fields & { identification: number },
  payload: Buffer,
  { start, end }: Piece,
  more = end < payload.length,
): Buffer {
  const header = Buffer.alloc(8);
  header[0] = fields.nextHeader;
  header.writeUInt16BE(start | (more ? 1 : 0), 2);
  header.writeUInt32BE(fields.identification, 4);
  return ipv6Packet({ ...fields, nextHeader: 44 }, Buffer.concat([header, payload.subarray(start, end)]));
}
