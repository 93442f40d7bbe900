// Packets built by hand, right or wrong in one place, and sent raw from a namespace. Written apart from src/wire, so that
// a mistake there cannot hide here.

import type { Namespace } from './namespace.ts';

export type VxlanPacket = {
  destinationMac: string;
  sourceMac: string;
  source: string;
  destination: string;
  ttl?: number;
  port?: number;
  vni?: number;
  /** First octet of the VXLAN header: 0x08, the I flag, in a good one. */
  flags?: number;
  /** XORed into the IPv4 header checksum. */
  spoilIpChecksum?: number;
  /** The UDP checksum as it shall stand; 0 means none. */
  udpChecksum?: number;
  inner: Buffer;
};

const octetsOfMac = (mac: string): Buffer => Buffer.from(mac.replaceAll(':', ''), 'hex');
const octetsOfIpv4 = (address: string): Buffer => Buffer.from(address.split('.').map(Number));

/** An Ethernet frame that carries `octets` of zeros in an EtherType for experiments (IEEE 802, 0x88b5). */
export function plainFrame(destinationMac: string, sourceMac: string, octets: number): Buffer {
  const header = Buffer.concat([octetsOfMac(destinationMac), octetsOfMac(sourceMac), Buffer.from([0x88, 0xb5])]);
  return Buffer.concat([header, Buffer.alloc(octets)]);
}

/** Ethernet, IPv4, UDP, VXLAN (RFC 7348, section 5) and the inner octets as they are. */
export function vxlanPacket(packet: VxlanPacket): Buffer {
  const { ttl = 64, port = 4789, vni = 100, flags = 0x08, spoilIpChecksum = 0, udpChecksum = 0, inner } = packet;
  const vxlan = Buffer.alloc(8);
  vxlan.writeUInt8(flags, 0);
  vxlan.writeUInt32BE(vni * 256, 4);
  const udp = Buffer.alloc(8);
  udp.writeUInt16BE(50_000, 0);
  udp.writeUInt16BE(port, 2);
  udp.writeUInt16BE(8 + 8 + inner.length, 4);
  udp.writeUInt16BE(udpChecksum, 6);
  const ip = Buffer.alloc(20);
  ip.writeUInt8(0x45, 0);
  ip.writeUInt16BE(20 + 8 + 8 + inner.length, 2);
  ip.writeUInt8(ttl, 8);
  ip.writeUInt8(17, 9);
  octetsOfIpv4(packet.source).copy(ip, 12);
  octetsOfIpv4(packet.destination).copy(ip, 16);
  ip.writeUInt16BE(internetChecksum(ip) ^ spoilIpChecksum, 10);
  const ethernet = [octetsOfMac(packet.destinationMac), octetsOfMac(packet.sourceMac), Buffer.from([0x08, 0x00])];
  return Buffer.concat([...ethernet, ip, udp, vxlan, inner]);
}

/** Ethernet, an IPv4 header without options, and what is behind it as it is. */
export function ethernetIpv4(
  destinationMac: string,
  sourceMac: string,
  source: string,
  destination: string,
  protocol: number,
  payload: Buffer,
): Buffer {
  const ip = Buffer.alloc(20);
  ip.writeUInt8(0x45, 0);
  ip.writeUInt16BE(ip.length + payload.length, 2);
  ip.writeUInt8(64, 8);
  ip.writeUInt8(protocol, 9);
  octetsOfIpv4(source).copy(ip, 12);
  octetsOfIpv4(destination).copy(ip, 16);
  ip.writeUInt16BE(internetChecksum(ip), 10);
  return Buffer.concat([octetsOfMac(destinationMac), octetsOfMac(sourceMac), Buffer.from([0x08, 0x00]), ip, payload]);
}

/** RFC 1071, over an even number of octets. */
function internetChecksum(octets: Buffer): number {
  let sum = 0;
  for (let at = 0; at < octets.length; at += 2) sum += octets.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

const SEND_RAW = `
import socket, sys
port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
port.bind((sys.argv[1], 0))
for line in sys.stdin:
    port.send(bytes.fromhex(line))
`;

/** Sends frames from a device, as they are. */
export async function sendRaw(namespace: Namespace, device: string, frames: readonly Buffer[]): Promise<void> {
  const input = frames.map((frame) => `${frame.toString('hex')}\n`).join('');
  await namespace.run(['/usr/bin/python3', '-c', SEND_RAW, device], { input });
}
