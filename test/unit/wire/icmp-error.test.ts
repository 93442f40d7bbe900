import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AddressWords } from '../../../src/core/address.ts';
import { FORWARD } from '../../../src/core/drop-reason.ts';
import { Arena } from '../../../src/packet/arena.ts';
import {
  IcmpError,
  icmpErrorOctets,
  mayReport,
  quoted,
  readIcmpv4Error,
  readIcmpv6Error,
  writeIcmpError,
} from '../../../src/wire/icmp-error.ts';
import { checkIcmpv4 } from '../../../src/wire/icmpv4.ts';
import { checkIcmpv6 } from '../../../src/wire/icmpv6.ts';
import { checkIpv4, ipv4Source } from '../../../src/wire/ipv4.ts';
import { checkIpv6 } from '../../../src/wire/ipv6.ts';
import { words } from '../../support/dataplane-rig.ts';
import { type Ipv4Fields, ipv4Packet, ipv6Packet, octets, udp } from '../../support/frames.ts';

const arena = new Arena(new ArrayBuffer(65_536));
const IP = 4098;
const OUT = 16_386;
const END4: AddressWords = words('10.9.1.1');
const END6: AddressWords = words('2001:db8::1');

/** Puts a packet into memory and says where it ends. */
function place(packet: Uint8Array): number {
  arena.bytes.fill(0xa5);
  arena.bytes.set(packet, IP);
  return IP + packet.length;
}

const v4 = (change: Partial<Ipv4Fields> = {}, payload = udp(4000, 4001, Buffer.alloc(40, 1))): Buffer =>
  ipv4Packet({ source: '172.16.0.1', destination: '172.16.0.2', protocol: 17, ...change }, payload);

const v6 = (payload: Buffer, nextHeader: number, source = '2001:db8::9', destination = '2001:db8::2'): Buffer =>
  ipv6Packet({ source, destination, nextHeader }, payload);

const plain6 = v6(udp(4000, 4001, Buffer.alloc(40, 1)), 17);
const icmp = (type: number): Buffer => Buffer.concat([Buffer.of(type), Buffer.alloc(39)]);

describe('an ICMP error is sent about', () => {
  const cases: [what: string, packet: Buffer, may: boolean][] = [
    ['a datagram', v4(), true],
    ['an echo request', v4({ protocol: 1 }, icmp(8)), true],
    ['no destination unreachable', v4({ protocol: 1 }, icmp(3)), false],
    ['no time exceeded', v4({ protocol: 1 }, icmp(11)), false],
    ['no redirect', v4({ protocol: 1 }, icmp(5)), false],
    ['no ICMP message of a type that nobody knows', v4({ protocol: 1 }, icmp(77)), false],
    ['no ICMP message that is not there', v4({ protocol: 1 }, Buffer.alloc(0)), false],
    ['the first fragment', v4({ flags: 0x2000 }), true],
    ['no later fragment', v4({ flags: 0x0010 }), false],
    ['nothing to a multicast group', v4({ destination: '239.1.1.1' }), false],
    ['nothing to everybody', v4({ destination: '255.255.255.255' }), false],
    ['nothing from nobody', v4({ source: '0.0.0.0' }), false],
    ['nothing from loopback', v4({ source: '127.0.0.1' }), false],
    ['nothing from a multicast group', v4({ source: '239.1.1.1' }), false],
    ['nothing from everybody', v4({ source: '255.255.255.255' }), false],
    ['an IPv6 datagram', plain6, true],
    ['an IPv6 echo request', v6(icmp(128), 58), true],
    ['no ICMPv6 error', v6(icmp(2), 58), false],
    [
      'no ICMPv6 error behind destination options',
      v6(Buffer.concat([octets('3a00 0104 0000 0000'), icmp(1)]), 60),
      false,
    ],
    ['no ICMPv6 redirect', v6(icmp(137), 58), false],
    ['the first IPv6 fragment', v6(Buffer.concat([octets('1100 0001 00000007'), icmp(1)]), 44), true],
    ['no later IPv6 fragment', v6(Buffer.concat([octets('1100 0010 00000007'), icmp(1)]), 44), false],
    ['nothing to an IPv6 group', v6(icmp(128), 58, '2001:db8::9', 'ff05::1'), false],
    ['nothing from ::', v6(icmp(128), 58, '::'), false],
    ['nothing from ::1', v6(icmp(128), 58, '::1'), false],
    ['no packet whose extension headers do not end', v6(octets('3c05 0000 0000 0000'), 60), false],
  ];
  for (const [what, packet, may] of cases) {
    it(what, () => {
      const end = place(packet);
      assert.equal(mayReport(arena.bytes, IP, end), may);
    });
  }
});

describe('an ICMP error', () => {
  it('about an IPv4 packet quotes what 576 octets have room for', () => {
    const { bytes, words: cells } = arena;
    for (const [payload, total] of [
      [10, 28 + 38],
      [1400, 576],
    ] as const) {
      const end = place(v4({}, udp(4000, 4001, Buffer.alloc(payload, 7))));
      const count = icmpErrorOctets(bytes, IP, end);
      assert.equal(count, total);
      writeIcmpError(bytes, cells, OUT, IP, end, IcmpError.tooBig, 1450, END4);
      assert.equal(checkIpv4(bytes, OUT, OUT + count), FORWARD);
      assert.equal(ipv4Source(bytes, OUT), END4[3]);
      assert.equal(checkIcmpv4(bytes, cells, OUT + 20, OUT + count), FORWARD);
      assert.deepEqual(bytes.slice(OUT + 28, OUT + count), bytes.slice(IP, IP + count - 28));
      assert.ok(bytes[OUT - 1] === 0xa5 && bytes[OUT + count] === 0xa5, 'nothing around it is written');
      assert.ok(readIcmpv4Error(bytes, OUT + 20, OUT + count));
      assert.equal(quoted.error, IcmpError.tooBig);
      assert.equal(quoted.mtu, 1450);
      assert.deepEqual([quoted.ipStart, quoted.upperStart, quoted.protocol], [OUT + 28, OUT + 48, 17]);
      assert.equal(quoted.packetOctets, end - IP);
    }
  });

  it('about an IPv6 packet quotes what 1280 octets have room for', () => {
    const { bytes, words: cells } = arena;
    for (const [payload, total] of [
      [10, 48 + 58],
      [1400, 1280],
    ] as const) {
      const end = place(v6(udp(4000, 4001, Buffer.alloc(payload, 7)), 17));
      const count = icmpErrorOctets(bytes, IP, end);
      assert.equal(count, total);
      writeIcmpError(bytes, cells, OUT, IP, end, IcmpError.tooBig, 1380, END6);
      assert.equal(checkIpv6(bytes, OUT, OUT + count), FORWARD);
      assert.equal(checkIcmpv6(bytes, cells, OUT), FORWARD);
      assert.deepEqual(bytes.slice(OUT + 48, OUT + count), bytes.slice(IP, IP + count - 48));
      assert.ok(readIcmpv6Error(bytes, OUT + 40, OUT + count));
      assert.deepEqual([quoted.error, quoted.mtu, quoted.protocol], [IcmpError.tooBig, 1380, 17]);
      assert.deepEqual([quoted.ipStart, quoted.upperStart], [OUT + 48, OUT + 88]);
    }
  });

  it('is read back as what it says, of both versions', () => {
    const { bytes, words: cells } = arena;
    for (const [packet, source, header, read] of [
      [v4(), END4, 20, readIcmpv4Error],
      [plain6, END6, 40, readIcmpv6Error],
    ] as const) {
      for (const error of Object.values(IcmpError)) {
        const end = place(packet);
        writeIcmpError(bytes, cells, OUT, IP, end, error, 1400, source);
        assert.ok(read(bytes, OUT + header, OUT + icmpErrorOctets(bytes, IP, end)));
        assert.equal(quoted.error, error);
        assert.equal(quoted.mtu, error === IcmpError.tooBig ? 1400 : 0);
      }
    }
  });

  it('that quotes too little, no IP packet or a later fragment says nothing', () => {
    const message = (packet: Buffer): number => place(Buffer.concat([octets('0304 0000 0000 0578'), packet]));
    const reads = (packet: Buffer): boolean => readIcmpv4Error(arena.bytes, IP, message(packet));
    assert.ok(reads(v4().subarray(0, 28)));
    assert.ok(!reads(v4().subarray(0, 27)), 'seven octets behind the header');
    assert.ok(!reads(v4({ flags: 0x0010 })), 'a later fragment');
    assert.ok(!reads(plain6), 'another version');
    assert.ok(!reads(v4({}, Buffer.alloc(4))), 'a packet that never had eight octets');
    const malformed = v4();
    malformed[0] = 0x44;
    assert.ok(!reads(malformed), 'a header of 16 octets');
  });

  it('leaves extensions behind the quoted packet out', () => {
    const packet = v4();
    const end = place(Buffer.concat([octets('0304 0000 0000 0578'), packet, Buffer.alloc(40)]));
    assert.ok(readIcmpv4Error(arena.bytes, IP, end));
    assert.equal(quoted.end, IP + 8 + packet.length);
  });
});
