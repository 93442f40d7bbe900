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
};

export function ipv4Packet(fields: Ipv4Fields, payload: Buffer): Buffer {
  const header = Buffer.concat([
    Buffer.from([0x45, fields.tos ?? 0]),
    u16(20 + payload.length),
    u16(0),
    u16(fields.flags ?? 0x4000),
    Buffer.from([fields.ttl ?? 64, fields.protocol]),
    u16(0),
    ip(fields.source),
    ip(fields.destination),
  ]);
  header.writeUInt16BE(onesComplement(header), 10);
  return Buffer.concat([header, payload]);
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
