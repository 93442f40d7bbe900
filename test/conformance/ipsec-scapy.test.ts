// beside others
// time-out: 600 s
// ESP and AH against scapy, which has both on its own: what we seal it opens, and the reverse, packet for packet.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Drop, FORWARD } from '../../src/core/drop-reason.ts';
import { IpsecProtocol, type SecurityAssociationSpec } from '../../src/ipsec/security-association.ts';
import { IpsecPeer } from '../lib/ipsec-peer.ts';
import { ipv4Packet, ipv6Packet, octets } from '../support/frames.ts';
import { AH_TRANSFORMS, ESP_TRANSFORMS, IpsecRig, keyOf, macKeyOf, specOf } from '../support/ipsec-rig.ts';

const rig = new IpsecRig();
let peer: IpsecPeer;

before(async () => {
  peer = new IpsecPeer();
  await peer.ready;
});
after(() => peer.close());

const SIZES = [0, 1, 2, 3, 13, 14, 15, 100, 1400];
const body = (size: number): Buffer => Buffer.from(Array.from({ length: size }, (_, index) => (index * 7) & 255));
const V4 = { source: '10.1.1.1', destination: '10.2.2.2', protocol: 253, ttl: 17, tos: 0x2a, identification: 77 };
const V6 = { source: '2001:db8:1::1', destination: '2001:db8:2::2', trafficClass: 0x2a, hopLimit: 17 };
/** Router alert, which is authenticated, and a record of the route, which is not. */
const OPTIONS = octets('94040000 07070400000000 00');
/** Hop-by-hop with an option that may change and one that may not, then a routing header that has arrived. */
const HEADERS = octets('2b00 3e01ff 1e01ee'.replace(/ /g, '') + 'fd020400 00000000 20010db8000000000000000000000009');

/** Packets of every size, some with what stands between IP header and payload. */
function samplesOf(family: 4 | 6): Buffer[] {
  if (family === 4) {
    const options = (size: number) => (size % 2 === 0 ? Buffer.alloc(0) : OPTIONS);
    return SIZES.map((size) => ipv4Packet({ ...V4, options: options(size) }, body(size)));
  }
  return SIZES.map((size) =>
    size % 2 === 0
      ? ipv6Packet({ ...V6, nextHeader: 253 }, body(size))
      : ipv6Packet({ ...V6, nextHeader: 0 }, Buffer.concat([HEADERS, body(size)])),
  );
}

type Row = { name: string; spec: SecurityAssociationSpec; keyOctets: number };

function rowsOf(protocol: IpsecProtocol): Row[] {
  const transforms = protocol === IpsecProtocol.ah ? AH_TRANSFORMS : ESP_TRANSFORMS;
  return transforms
    .filter(({ cipher }) => cipher !== 'aes-gmac')
    .map(({ keyOctets, ...transform }) => ({
      name: `${protocol === IpsecProtocol.ah ? 'AH' : `ESP ${transform.cipher} ${keyOctets * 8}`}, ${transform.mac}`,
      spec: specOf({ protocol, transform }),
      keyOctets,
    }));
}

/** Both directions, both modes, all pairs of families; sequence numbers from `high` * 2^32 + 1 on. */
async function exchange({ spec, keyOctets }: Row, high = 0): Promise<void> {
  for (const family of [4, 6] as const) {
    for (const inner of [4, 6] as const) {
      for (const isTunnel of [true, false]) {
        if (!isTunnel && inner !== family) continue;
        await exchangeOne(
          specOf({
            ...spec,
            family,
            isTunnel,
            source: specOf({ family }).source,
            destination: specOf({ family }).destination,
          }),
          inner,
          keyOctets,
          high,
        );
      }
    }
  }
}

async function exchangeOne(spec: SecurityAssociationSpec, inner: 4 | 6, keyOctets: number, high: number) {
  const keys = { key: keyOf(keyOctets), macKey: macKeyOf(64) };
  const packets = samplesOf(inner);
  const label = `${spec.isTunnel ? 'tunnel' : 'transport'}, IPv${inner} over IPv${spec.family}`;

  const outbound = rig.outbound(spec, keyOctets);
  if (high > 0) outbound.reserve(high * 2 ** 32 + 1, high * 2 ** 32 + 1000);
  const sealed = rig.seal(outbound, ...packets);
  assert.ok(
    sealed.every(({ verdict }) => verdict === FORWARD),
    label,
  );
  const read = await peer.open(
    spec,
    keys,
    sealed.map(({ octets: wire }) => wire),
    { high },
  );
  assert.deepEqual(read, packets, `${label}: scapy opens what we have sealed`);

  const inbound = rig.inbound(spec, keyOctets);
  if (high > 0) inbound.window.moveTo(high - 1, 0xffff_fff0);
  const theirs = (await peer.seal(spec, keys, packets, { sequence: 1, high })).map((wire) => wire!);
  // scapy 2.5 counts only the UDP header itself in its length.
  const udpAt = (wire: Buffer): number => (wire[0]! & 15) * 4;
  if (spec.udpDestinationPort !== 0) {
    for (const wire of theirs) wire.writeUInt16BE(wire.length - udpAt(wire), udpAt(wire) + 4);
  }
  const opened = rig.open(inbound, ...theirs);
  assert.deepEqual(
    opened.map(({ verdict }) => verdict),
    packets.map(() => FORWARD),
    label,
  );
  assert.deepEqual(
    opened.map(({ octets: packet }) => packet),
    packets,
    `${label}: we open what scapy has sealed`,
  );

  const broken = theirs.map((wire) => Buffer.from(wire));
  for (const wire of broken) wire[wire.length - 1]! ^= 1;
  const fresh = rig.inbound(spec, keyOctets);
  if (high > 0) fresh.window.moveTo(high - 1, 0xffff_fff0);
  // Without payload the last octet of AH may be the ICV; every octet of it counts.
  assert.ok(
    rig.open(fresh, ...broken).every(({ verdict }) => verdict === Drop.ipsecIcvInvalid),
    label,
  );
}

describe('ESP and AH with scapy', () => {
  for (const row of rowsOf(IpsecProtocol.esp).filter(
    ({ spec }) => spec.transform.cipher !== 'aes-cbc' || spec.transform.mac !== 'none',
  )) {
    it(`${row.name}: both directions, both modes`, () => exchange(row));
  }
  for (const row of rowsOf(IpsecProtocol.ah)) {
    it(`${row.name}: both directions, both modes`, () => exchange(row));
    it(`${row.name}: extended sequence numbers`, () => exchange({ ...row, spec: { ...row.spec, extended: true } }, 3));
  }
  for (const row of rowsOf(IpsecProtocol.esp).filter(({ spec }) => spec.transform.cipher === 'aes-gcm')) {
    it(`${row.name}: extended sequence numbers`, () => exchange({ ...row, spec: { ...row.spec, extended: true } }, 3));
  }
  it('padding of traffic flow confidentiality, which is cut off, and dummies, which are counted', async () => {
    const keys = { key: keyOf(20), macKey: macKeyOf(64) };
    for (const family of [4, 6] as const) {
      const { source, destination } = specOf({ family });
      const tunnel = specOf({ family, source, destination });
      const packets = samplesOf(family);
      const padded = packets.map((packet, index) => Buffer.concat([packet, Buffer.alloc(20 + index * 50, 0x77)]));
      const wires = (await peer.seal(tunnel, keys, padded, { sequence: 1 })).map((wire) => wire!);
      const plain = (await peer.seal(tunnel, keys, packets, { sequence: 1 })).map((wire) => wire!);
      assert.ok(wires.every((wire, index) => wire.length > plain[index]!.length));
      const opened = rig.open(rig.inbound(tunnel, 20), ...wires);
      assert.deepEqual(
        opened.map(({ verdict }) => verdict),
        packets.map(() => FORWARD),
      );
      assert.deepEqual(
        opened.map(({ octets: packet }) => packet),
        packets,
      );
      const transport = { ...tunnel, isTunnel: false };
      const dummies = SIZES.map((size) =>
        family === 4
          ? ipv4Packet({ ...V4, protocol: 59 }, body(size))
          : ipv6Packet({ ...V6, nextHeader: 59 }, body(size)),
      );
      const theirs = (await peer.seal(transport, keys, dummies, { sequence: 1 })).map((wire) => wire!);
      const inbound = rig.inbound(transport, 20);
      assert.deepEqual(
        rig.open(inbound, ...theirs).map(({ verdict }) => verdict),
        dummies.map(() => Drop.ipsecDummy),
      );
      assert.equal(inbound.packets, dummies.length);
    }
  });
  it('ESP in UDP', async () => {
    const spec = specOf({ udpSourcePort: 4500, udpDestinationPort: 4500 });
    await exchangeOne(spec, 4, 20, 0);
    await exchangeOne(spec, 6, 20, 0);
    await exchangeOne({ ...spec, isTunnel: false }, 4, 20, 0);
  });
});
