// Packets that do not fit and pieces of such, for the fuzz test: fragments for us that fit together and that do not, packets
// that are to be cut, and ICMP errors about packets of the tunnels.

import { LOCAL, PEER_MAC, REMOTE, type Rig, VNI, WAN_MAC, words } from '../support/dataplane-rig.ts';
import { ipv4Fragment, ipv6Fragment, type Piece, piecesOf } from '../support/fragments.ts';
import { ethernet, hostFrame, ipv4Packet, onesComplement, udp, vxlan } from '../support/frames.ts';
import { EAST_MAC, HOST, tag, WEST } from './routing.ts';

/** Packets that may be put together at a time: so many that some wait for too long, or so few that they push each other out. */
export const reassemblyLimit = (smallSlots: number): number => (smallSlots > 1000 ? 80 : 5);
const EAST_VLAN = 110;
const NARROW = '10.70.0.0/16';
/** Of what passes there are more, so that enough of all frames does. */
const ACCEPTED_COPIES = 12;

/** A way out that has no room for a fragment. */
export function addNarrowRoute(rig: Rig): void {
  const gateways = [{ domain: WEST, address: words('10.21.0.2') }];
  rig.route(NARROW, { kind: 'gateways', gateways, mtu: 24 });
}

type Sent = { port: 'wan' | 'inside'; octets: Uint8Array };

const fromPeer = (packet: Buffer): Sent => ({
  port: 'wan',
  octets: ethernet(WAN_MAC, PEER_MAC, packet[0]! >>> 4 === 4 ? 0x0800 : 0x86dd, packet),
});
const v4 = (payload: Buffer, piece: Piece, identification: number, more?: boolean): Sent =>
  fromPeer(ipv4Fragment({ source: REMOTE, destination: LOCAL, protocol: 17, identification }, payload, piece, more));
const v6 = (payload: Buffer, piece: Piece, identification: number): Sent => {
  const fields = { source: '2001:db8::9', destination: '2001:db8::2', nextHeader: 17, identification };
  return fromPeer(ipv6Fragment(fields, payload, piece));
};

const datagram = (destination: string, source: string): Buffer =>
  udp(50_000, 4789, vxlan(VNI, hostFrame(destination, source, 300)));

/** To be cut, or too large, on the way out to the west. */
function routed(destination: string, size: number): Sent {
  const payload = udp(1111, 2222, Buffer.alloc(size));
  const packet = ipv4Packet({ source: '10.20.0.10', destination, protocol: 17, flags: 0 }, payload);
  return { port: 'inside', octets: tag(ethernet(EAST_MAC, HOST, 0x0800, packet), EAST_VLAN) };
}

/** A "fragmentation needed" about a packet of a tunnel to this end. */
function tooBig(remote: string, vni: number): Sent {
  const outer = ipv4Packet(
    { source: LOCAL, destination: remote, protocol: 17, ttl: 60 },
    udp(50_000, 4789, vxlan(vni, Buffer.alloc(1400))),
  );
  const message = Buffer.concat([Buffer.of(3, 4, 0, 0, 0, 0, 0x05, 0x78), outer.subarray(0, 60)]);
  message.writeUInt16BE(onesComplement(message), 2);
  return fromPeer(ipv4Packet({ source: '10.8.0.1', destination: LOCAL, protocol: 1 }, message));
}

/** `inside`, `outside`: stations behind an interface and behind the tunnel. */
export function oversized(inside: string, outside: string): readonly Sent[] {
  const payload = datagram(inside, outside);
  const whole = [1, 2].flatMap((id) => piecesOf(payload.length, 168).map((piece) => v4(payload, piece, id)));
  const whole6 = piecesOf(payload.length, 168).map((piece) => v6(payload, piece, 3));
  const lonely = [10, 11, 12, 13, 14, 15].map((id) => v4(payload, { start: 168, end: 336 }, id, true));
  return [
    ...whole,
    ...whole6,
    ...Array.from({ length: ACCEPTED_COPIES }, () => [
      routed('10.21.0.2', 1000),
      fromPeer(ipv4Packet({ source: REMOTE, destination: LOCAL, protocol: 17 }, payload)),
      fromPeer(ipv4Packet({ source: REMOTE, destination: LOCAL, protocol: 17 }, payload)),
    ]).flat(),
    ...lonely,
    v6(payload, { start: 0, end: 168 }, 16),
    v4(payload, { start: 0, end: 16 }, 20, true),
    v4(payload, { start: 8, end: 24 }, 20, true),
    v4(payload, { start: 0, end: 15 }, 21, true),
    v4(Buffer.alloc(9400), { start: 9224, end: 9400 }, 22),
    routed('10.70.0.1', 100),
    tooBig('10.9.1.3', 200),
    tooBig('10.9.1.3', 201),
  ];
}
