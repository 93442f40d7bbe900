// Packets that answer probes, made without the code that reads them.

import { naiveChecksum } from './naive-checksum.ts';

export const octetsOf = (...parts: (Uint8Array | readonly number[])[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...part]));

export const ipv4Of = (text: string): number[] => text.split('.').map(Number);

/** An IPv4 packet as a raw socket gives it; its header checksum is not looked at by anybody. */
export function ipv4Packet(source: string, destination: string, protocol: number, payload: Uint8Array): Uint8Array {
  const octets = 20 + payload.length;
  const head = [0x45, 0, octets >>> 8, octets & 255, 0, 0, 0, 0, 64, protocol, 0, 0];
  return octetsOf(head, ipv4Of(source), ipv4Of(destination), payload);
}

/** Sets the checksum of an ICMPv4 message. */
export function withChecksum(icmp: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(icmp);
  copy[2] = copy[3] = 0;
  const sum = naiveChecksum(copy);
  copy[2] = sum >>> 8;
  copy[3] = sum & 255;
  return copy;
}

/** The reply to an echo request. */
export function replyTo(request: Uint8Array, type = 0): Uint8Array {
  const reply = Uint8Array.from(request);
  reply[0] = type;
  return withChecksum(reply);
}

/** An ICMPv4 error about a packet. */
export const errorAbout = (packet: Uint8Array, type: number, code: number): Uint8Array =>
  withChecksum(octetsOf([type, code, 0, 0, 0, 0, 0, 0], packet));
