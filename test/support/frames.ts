// Frames for tests, built octet by octet from the formats' own definitions, not by the code under test.

export const octets = (hex: string): Buffer => Buffer.from(hex.replace(/[\s:]/g, ''), 'hex');

const u16 = (value: number): Buffer => Buffer.from([value >>> 8, value & 255]);
const ip = (text: string): Buffer => Buffer.from(text.split('.').map(Number));

export function onesComplement(data: Buffer): number {
  let sum = 0;
  for (let at = 0; at < data.length; at += 2) sum += (data[at]! << 8) | (data[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

export function ethernet(destination: string, source: string, type: number, payload: Buffer): Buffer {
  return Buffer.concat([octets(destination), octets(source), u16(type), payload]);
}

export type Ipv4Fields = {
  source: string;
  destination: string;
  protocol: number;
  tos?: number;
  ttl?: number;
  flags?: number;
  identification?: number;
  /** A multiple of 4 octets. */
  options?: Buffer;
};

export function ipv4Packet(fields: Ipv4Fields, payload: Buffer): Buffer {
  const options = fields.options ?? Buffer.alloc(0);
  const header = Buffer.concat([
    Buffer.from([0x45 + options.length / 4, fields.tos ?? 0]),
    u16(20 + options.length + payload.length),
    u16(fields.identification ?? 0),
    u16(fields.flags ?? 0x4000),
    Buffer.from([fields.ttl ?? 64, fields.protocol]),
    u16(0),
    ip(fields.source),
    ip(fields.destination),
    options,
  ]);
  header.writeUInt16BE(onesComplement(header), 10);
  return Buffer.concat([header, payload]);
}

/** The 16 octets of an IPv6 address without a dotted part. */
export function ipv6Octets(text: string): Buffer {
  const [head = '', tail] = text.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const [left, right] = [groups(head), groups(tail ?? '')];
  const zeros = new Array<string>(8 - left.length - right.length).fill('0');
  return octets([...left, ...zeros, ...right].map((group) => group.padStart(4, '0')).join(''));
}

export type Ipv6Fields = {
  source: string;
  destination: string;
  nextHeader: number;
  trafficClass?: number;
  hopLimit?: number;
};

/** An IPv6 packet; `checksumAt`: offset in the payload of a checksum over it that is to be filled in. */
export function ipv6Packet(fields: Ipv6Fields, payload: Buffer, checksumAt?: number, upperAt = 0): Buffer {
  const { source, destination, nextHeader, trafficClass = 0, hopLimit = 64 } = fields;
  const addresses = Buffer.concat([ipv6Octets(source), ipv6Octets(destination)]);
  const head = Buffer.from([0x60 | (trafficClass >>> 4), (trafficClass & 15) << 4, 0, 0]);
  const packet = Buffer.concat([head, u16(payload.length), Buffer.from([nextHeader, hopLimit]), addresses, payload]);
  if (checksumAt !== undefined) {
    // Of what stands behind extension headers, if there are any.
    const upper = packet.subarray(40 + upperAt);
    const protocol = nextHeader === 0 ? packet[40]! : nextHeader;
    const pseudo = Buffer.concat([addresses, u16(0), u16(upper.length), u16(0), u16(protocol), upper]);
    packet.writeUInt16BE(onesComplement(pseudo) || 0xffff, 40 + checksumAt);
  }
  return packet;
}

/** An IGMP message behind an IPv4 header with the Router Alert option. */
export function igmpPacket(source: string, destination: string, message: Buffer): Buffer {
  const whole = Buffer.from(message);
  whole.writeUInt16BE(onesComplement(whole), 2);
  const plain = ipv4Packet({ source, destination, protocol: 2, ttl: 1 }, Buffer.concat([octets('94040000'), whole]));
  plain[0] = 0x46;
  plain.writeUInt16BE(0, 10);
  plain.writeUInt16BE(onesComplement(plain.subarray(0, 24)), 10);
  return plain;
}

/** An MLD message behind a hop-by-hop header with the Router Alert option. */
export function mldPacket(source: string, destination: string, message: Buffer): Buffer {
  const payload = Buffer.concat([octets('3a00 0502 0000 0100'), message]);
  return ipv6Packet({ source, destination, nextHeader: 0, hopLimit: 1 }, payload, 10, 8);
}

/** A UDP datagram with its checksum left out. */
export function udp(sourcePort: number, destinationPort: number, payload: Buffer): Buffer {
  return Buffer.concat([u16(sourcePort), u16(destinationPort), u16(8 + payload.length), u16(0), payload]);
}

export function vxlan(vni: number, inner: Buffer, flags = 0x08): Buffer {
  return Buffer.concat([Buffer.from([flags, 0, 0, 0, vni >>> 16, (vni >>> 8) & 255, vni & 255, 0]), inner]);
}

export function arp(
  operation: 1 | 2,
  senderMac: string,
  senderIp: string,
  targetMac: string,
  targetIp: string,
): Buffer {
  const fixed = octets('0001 0800 06 04');
  return Buffer.concat([fixed, u16(operation), octets(senderMac), ip(senderIp), octets(targetMac), ip(targetIp)]);
}

/** An inner frame that carries UDP from host to host; 60 octets at least. */
export function hostFrame(destination: string, source: string, size = 60, tos = 0): Buffer {
  const payload = Buffer.alloc(Math.max(0, size - 42), 0x5a);
  const packet = ipv4Packet(
    { source: '172.16.0.1', destination: '172.16.0.2', protocol: 17, tos },
    udp(4000, 4001, payload),
  );
  return ethernet(destination, source, 0x0800, packet);
}

export type GreFields = { key?: number; sequence?: number; checksum?: boolean; reserved1?: number; flags?: number };

/** A GRE packet without its IP header; `flags` are set besides those that follow from the fields. */
export function gre(protocol: number, payload: Buffer, fields: GreFields = {}): Buffer {
  const { key, sequence, checksum = false, reserved1 = 0 } = fields;
  const flags =
    (fields.flags ?? 0) |
    (checksum ? 0x8000 : 0) |
    (key === undefined ? 0 : 0x2000) |
    (sequence === undefined ? 0 : 0x1000);
  const u32 = (value: number): Buffer => Buffer.concat([u16((value >>> 16) & 0xffff), u16(value & 0xffff)]);
  const packet = Buffer.concat([
    u16(flags),
    u16(protocol),
    checksum ? Buffer.concat([u16(0), u16(reserved1)]) : Buffer.alloc(0),
    key === undefined ? Buffer.alloc(0) : u32(key),
    sequence === undefined ? Buffer.alloc(0) : u32(sequence),
    payload,
  ]);
  if (checksum) packet.writeUInt16BE(onesComplement(packet), 4);
  return packet;
}

/** An EtherIP packet without its IP header. */
export function etherip(inner: Buffer, header = '3000'): Buffer {
  return Buffer.concat([octets(header), inner]);
}
