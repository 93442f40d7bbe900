// Packets for a socket of this host that come in fragments: in whatever order, and whatever the MTU of the sender is.
//
//   station 10.1.0.10, 2001:db8:a::10 ─ port 0 ─ domain: self IPs 10.1.0.1, 2001:db8:a::1 (udp:53) ─ port 1, MTU 1350 ─ host

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseService } from '../../src/wire/service-names.ts';
import { mac, Rig, words } from '../support/dataplane-rig.ts';
import { together } from '../support/fragment-reader.ts';
import { ipv4Fragment, ipv6Fragment, piecesOf } from '../support/fragments.ts';
import { ethernet, ipv4Packet, ipv6Packet, udp } from '../support/frames.ts';

const [MAC, STATION, HOST] = ['02:00:00:00:00:0a', '02:11:00:00:00:0a', '02:22:00:00:00:0a'];
const [SELF, NEAR, SELF6, NEAR6] = ['10.1.0.1', '10.1.0.10', '2001:db8:a::1', '2001:db8:a::10'];
const HOST_MTU = 1350;
const POOL = { smallSlots: 512, largeSlots: 64, packetSlots: 2 };

function makeRig(): Rig {
  const rig = new Rig({ pool: POOL });
  rig.addPort(0);
  rig.addPort(1, 'ethernet', undefined, HOST_MTU + 14);
  const services = [parseService('udp:53')!];
  rig.apply(
    { op: 'set-domain', spec: { id: 1, name: 'a', localMember: 10, mac: mac(MAC) } },
    rig.interfaceMember(0, 1, 0),
    { op: 'set-self', spec: { name: SELF, domain: 1, words: words(SELF), isIpv6: false, prefixBits: 24, services } },
    { op: 'set-self', spec: { name: SELF6, domain: 1, words: words(SELF6), isIpv6: true, prefixBits: 64, services } },
    { op: 'set-host-path', spec: { domain: 1, port: 1, mac: mac(HOST), ownMac: mac(MAC), usesLastHop: true } },
  );
  for (const port of [0, 1]) rig.received(port);
  return rig;
}

/** The packet as frames from the station, in pieces of `size` octets of payload; Infinity: in one. */
function framesOf(isIpv4: boolean, payload: Buffer, size: number, identification: number): Buffer[] {
  const type = isIpv4 ? 0x0800 : 0x86dd;
  const v4 = { source: NEAR, destination: SELF, protocol: 17, identification };
  const v6 = { source: NEAR6, destination: SELF6, nextHeader: 17, identification };
  if (size >= payload.length)
    return [ethernet(MAC, STATION, type, isIpv4 ? ipv4Packet(v4, payload) : ipv6Packet(v6, payload))];
  return piecesOf(payload.length, size).map((piece) =>
    ethernet(MAC, STATION, type, isIpv4 ? ipv4Fragment(v4, payload, piece) : ipv6Fragment(v6, payload, piece)),
  );
}

/** What the host makes of what it has got, which has to be one packet. */
function readByHost(frames: readonly Buffer[]): Buffer {
  for (const frame of frames) assert.ok(frame.length <= HOST_MTU + 14, `${frame.length} octets for the host`);
  const [first] = frames;
  const isIpv4 = first!.readUInt16BE(12) === 0x0800;
  if (frames.length === 1) return first!.subarray(isIpv4 ? 34 : 54);
  const { payload, identifications } = together(frames);
  assert.equal(identifications.size, 1);
  return payload;
}

function shuffled<Item>(items: readonly Item[], numbers: fc.Stream<number>): Item[] {
  const rest = [...items];
  return items.flatMap(() => rest.splice((numbers.next().value ?? 0) % rest.length, 1));
}

/** Octets of payload of one fragment, a multiple of 8: as many as 120 pieces of the largest packet allow. */
const size = fc.oneof(
  fc.integer({ min: 69, max: 1112 }).map((units) => units * 8),
  fc.constant(Infinity),
);
const length = fc.oneof(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 3000, max: 65_400 }));

describe('a packet for a socket of this host', () => {
  // The VLAN has an MTU of 9000.
  it('comes through once, whatever the order of its fragments and the MTU of its sender, or is refused as a whole', () => {
    const rig = makeRig();
    let identification = 0;
    fc.assert(
      fc.property(
        fc.boolean(),
        length,
        size,
        fc.boolean(),
        fc.infiniteStream(fc.nat()),
        (isIpv4, octets, pieceOctets, isLetIn, stream) => {
          const limit = Number.isFinite(pieceOctets) ? octets : octets % 8900;
          const body = Buffer.from(Array.from({ length: limit }, (_, index) => (index * 7 + octets) % 251));
          const payload = udp(5000, isLetIn ? 53 : 54, body);
          identification += 1;
          const refusedBefore = rig.drops()['port-lockdown'] ?? 0;
          const frames = framesOf(isIpv4, payload, pieceOctets, identification);
          for (const frame of shuffled(frames, stream)) rig.send(0, frame);
          const received = rig.received(1);
          if (isLetIn) assert.deepEqual(readByHost(received), payload);
          else assert.deepEqual(received, []);
          assert.equal((rig.drops()['port-lockdown'] ?? 0) - refusedBefore, isLetIn ? 0 : 1);
          assert.deepEqual(
            Object.keys(rig.drops()).filter((name) => name !== 'port-lockdown'),
            [],
          );
          assert.equal(rig.pool.free, POOL.smallSlots + POOL.largeSlots + POOL.packetSlots);
        },
      ),
      { numRuns: 300 },
    );
  });
});
