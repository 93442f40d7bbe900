import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FragmentPorts } from '../../../src/ipsec/fragment-ports.ts';
import { FragmentKind, readSelectors, selectors } from '../../../src/ipsec/packet-selectors.ts';
import { ipv4Packet, ipv6Packet, udp } from '../../support/frames.ts';

const ENDS = { source: '10.1.1.1', destination: '10.2.2.2' };
const ENDS6 = { source: '2001:db8:1::1', destination: '2001:db8:2::2' };
const PAYLOAD = udp(4000, 53, Buffer.alloc(64, 1));

/** A fragment of an IPv4 packet: its offset in units of 8 octets, and whether more follow. */
function fragment(offset: number, more: boolean, identification = 7, protocol = 17, ends = ENDS): Buffer {
  const packet = Buffer.from(ipv4Packet({ ...ends, protocol }, offset === 0 ? PAYLOAD : Buffer.alloc(32, 9)));
  packet.writeUInt16BE(identification, 4);
  packet.writeUInt16BE((more ? 0x2000 : 0) | offset, 6);
  return packet;
}

/** The same of IPv6, behind a fragment header. */
function fragment6(offset: number, more: boolean, identification = 7): Buffer {
  const header = Buffer.alloc(8);
  header[0] = 17;
  header.writeUInt16BE((offset << 3) | (more ? 1 : 0), 2);
  header.writeUInt32BE(identification, 4);
  const rest = offset === 0 ? PAYLOAD : Buffer.alloc(32, 9);
  return Buffer.from(ipv6Packet({ ...ENDS6, nextHeader: 44 }, Buffer.concat([header, rest])));
}

/** Whether the ports of a packet are known, and which they are. */
function seen(ports: FragmentPorts, packet: Buffer, scope = 0): [boolean, number, number] {
  readSelectors(packet, 0, packet.length);
  const isKnown = ports.complete(scope);
  return [isKnown, selectors.sourcePort, selectors.destinationPort];
}

describe('ports of fragments', () => {
  for (const [version, make] of [
    ['IPv4', fragment],
    ['IPv6', fragment6],
  ] as const) {
    it(`${version}: later ones have those of the first`, () => {
      const ports = new FragmentPorts();
      assert.deepEqual(seen(ports, make(8, true)), [false, -1, -1]);
      assert.deepEqual(seen(ports, make(0, true)), [true, 4000, 53]);
      assert.deepEqual(seen(ports, make(8, true)), [true, 4000, 53]);
      assert.deepEqual(seen(ports, make(16, false)), [true, 4000, 53]);
      assert.deepEqual(seen(ports, make(16, false, 8)), [false, -1, -1]);
      assert.deepEqual(seen(ports, make(16, false), 1), [false, -1, -1]);
    });
  }

  it('are of the two ends and the protocol', () => {
    const ports = new FragmentPorts();
    seen(ports, fragment(0, true));
    assert.deepEqual(seen(ports, fragment(8, false, 7, 6)), [false, -1, -1]);
    const elsewhere = { source: ENDS.destination, destination: ENDS.source };
    assert.deepEqual(seen(ports, fragment(8, false, 7, 17, elsewhere)), [false, -1, -1]);
    // ESP has none, so none are missed.
    assert.deepEqual(seen(ports, fragment(8, false, 7, 50)), [true, -1, -1]);
  });

  it('of a whole packet are its own', () => {
    const ports = new FragmentPorts();
    assert.deepEqual(seen(ports, fragment(0, false)), [true, 4000, 53]);
    assert.equal(selectors.fragment, FragmentKind.none);
    // Nothing of it was kept.
    assert.deepEqual(seen(ports, fragment(8, false)), [false, -1, -1]);
  });
});
