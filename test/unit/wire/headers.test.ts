import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Drop, FORWARD } from '../../../src/core/drop-reason.ts';
import { macHigh16, macLow32 } from '../../../src/core/mac.ts';
import * as arp from '../../../src/wire/arp.ts';
import * as ethernet from '../../../src/wire/ethernet.ts';
import * as ipv4 from '../../../src/wire/ipv4.ts';
import * as ipv6 from '../../../src/wire/ipv6.ts';
import { tcpHeaderOctets } from '../../../src/wire/tcp.ts';
import * as udp from '../../../src/wire/udp.ts';
import * as vxlan from '../../../src/wire/vxlan.ts';
import { FILLER, fromHex, guard, toHex, vector } from '../../support/octets.ts';

const { EtherType } = ethernet;
const IP = 14;
const UDP = 34;
const VXLAN = 42;
const INNER = 50;

describe('Ethernet', () => {
  it('needs a whole header, and a whole tag when there is one', () => {
    const untagged = fromHex('ffffffffffff 020000000001 0800');
    const { bytes, start, end } = guard(untagged);
    assert.equal(ethernet.checkEthernet(bytes, start, end), FORWARD);
    assert.equal(ethernet.checkEthernet(bytes, start, end - 1), Drop.frameTooShort);
    const tagged = guard(fromHex('ffffffffffff 020000000001 8100 6064 0806'));
    assert.equal(ethernet.checkEthernet(tagged.bytes, tagged.start, tagged.end), FORWARD);
    assert.equal(ethernet.checkEthernet(tagged.bytes, tagged.start, tagged.end - 1), Drop.frameTooShort);
    assert.equal(ethernet.vlanTci(tagged.bytes, tagged.start), 0x6064);
    assert.equal(ethernet.etherType(tagged.bytes, tagged.start + 4), EtherType.arp);
  });

  it('moves the MACs over a tag and back, and nothing else', () => {
    const octets = fromHex(`${'00'.repeat(8)} 0102030405060708090a0b0c 0800 4500`);
    const tagged = ethernet.insertVlanTag(octets, 8, EtherType.serviceVlan, 0x2fff);
    assert.equal(tagged, 4);
    assert.equal(toHex(octets.subarray(4)), `0102030405060708090a0b0c88a82fff08004500`);
    assert.equal(ethernet.stripVlanTag(octets, tagged), 8);
    assert.equal(toHex(octets.subarray(8)), '0102030405060708090a0b0c08004500');
  });

  it('tells an address of zeros', () => {
    const octets = fromHex('000000000000 020000000000 000000000001');
    assert.deepEqual(
      [0, 6, 12].map((at) => ethernet.macIsZero(octets, at)),
      [true, false, false],
    );
  });

  it('writes what it reads', () => {
    const octets = new Uint8Array(14).fill(FILLER);
    ethernet.writeEthernet(octets, 0, 0xffff, -1, 0x0200, 0x0a0b0c0d, EtherType.ipv6);
    assert.equal(toHex(octets), 'ffffffffffff02000a0b0c0d86dd');
    assert.equal(macHigh16(octets, 6), 0x0200);
    assert.equal(macLow32(octets, 6), 0x0a0b0c0d);
    ethernet.copyMac(octets, 6, 0);
    assert.equal(toHex(octets.subarray(0, 6)), '02000a0b0c0d');
  });
});

describe('ARP', () => {
  const request = vector('kernel-vxlan-arp-request').subarray(INNER + 14);
  const reply = vector('kernel-vxlan-arp-reply').subarray(INNER + 14);

  it('accepts what the kernel sends', () => {
    const { bytes, start, end } = guard(request);
    assert.equal(arp.checkArp(bytes, start, end), FORWARD);
    assert.equal(arp.arpOperation(bytes, start), arp.ARP_REQUEST);
    assert.equal(arp.arpSenderIp(bytes, start) >>> 0, 0xc6336401);
    assert.equal(arp.arpTargetIp(bytes, start) >>> 0, 0xc6336402);
    assert.equal(arp.checkArp(bytes, start, end - 1), Drop.arpInvalid);
  });

  it('turns the kernel’s request into the kernel’s reply', () => {
    const octets = Uint8Array.from(request);
    arp.turnIntoArpReply(octets, 0, macHigh16(reply, 8), macLow32(reply, 8));
    assert.equal(toHex(octets), toHex(reply.subarray(0, 28)));
  });

  it('writes the kernel’s request', () => {
    const octets = new Uint8Array(28).fill(FILLER);
    const [high, low] = [macHigh16(request, 8), macLow32(request, 8)];
    arp.writeArp(octets, 0, arp.ARP_REQUEST, high, low, 0xc6336401 | 0, 0, 0, 0xc6336402 | 0);
    assert.equal(toHex(octets), toHex(request.subarray(0, 28)));
  });

  for (const [what, at, value] of [
    ['another hardware type', 1, 6],
    ['another protocol', 2, 0x86],
    ['another length of MAC', 4, 8],
    ['another length of address', 5, 16],
    ['an unknown operation', 7, 3],
    ['a group sender', 8, 0x01],
  ] as const) {
    it(`refuses ${what}`, () => {
      const octets = Uint8Array.from(request);
      octets[at] = value;
      assert.equal(arp.checkArp(octets, 0, octets.length), Drop.arpInvalid);
    });
  }

  it('refuses a sender of zeros', () => {
    const octets = Uint8Array.from(request).fill(0, 8, 14);
    assert.equal(arp.checkArp(octets, 0, octets.length), Drop.arpInvalid);
  });
});

describe('IPv4', () => {
  const packet = vector('kernel-echo-v4-request').subarray(IP);

  it('accepts what the kernel sends, and padding behind it', () => {
    for (const octets of [packet, Uint8Array.from([...packet, 0, 0, 0])]) {
      const { bytes, start, end } = guard(octets);
      assert.equal(ipv4.checkIpv4(bytes, start, end), FORWARD);
      assert.equal(ipv4.ipv4TotalOctets(bytes, start), 60);
      assert.equal(ipv4.ipv4HeaderOctets(bytes, start), 20);
      assert.equal(ipv4.ipv4Protocol(bytes, start), ipv4.IpProtocol.icmp);
      assert.equal(ipv4.ipv4Ttl(bytes, start), 64);
      assert.equal(ipv4.ipv4Source(bytes, start) >>> 0, 0xc0000201);
      assert.equal(ipv4.ipv4Destination(bytes, start) >>> 0, 0xc0000202);
      assert.equal(ipv4.ipv4IsFragment(bytes, start), false);
    }
  });

  it('refuses a wrong version, header length, total length and checksum', () => {
    const changed = (at: number, value: number): number => {
      const octets = Uint8Array.from(packet);
      octets[at] = value;
      return ipv4.checkIpv4(octets, 0, octets.length);
    };
    assert.equal(changed(0, 0x65), Drop.ipHeaderInvalid);
    assert.equal(changed(0, 0x44), Drop.ipHeaderInvalid);
    assert.equal(changed(3, 19), Drop.ipHeaderInvalid);
    assert.equal(changed(3, 61), Drop.ipHeaderInvalid);
    assert.equal(changed(8, 63), Drop.ipChecksumInvalid);
    assert.equal(ipv4.checkIpv4(packet, 0, 19), Drop.ipHeaderInvalid);
  });

  it('steps over options', () => {
    const octets = new Uint8Array(28);
    ipv4.writeIpv4(octets, 0, 0, 28, 1, true, 64, 17, 1, 2);
    octets[0] = 0x47;
    octets.set([1, 1, 1, 0, 1, 1, 1, 0], 20);
    ipv4.writeIpv4Checksum(octets, 0);
    assert.equal(ipv4.checkIpv4(octets, 0, 28), FORWARD);
    assert.equal(ipv4.ipv4HeaderOctets(octets, 0), 28);
  });

  it('knows both kinds of fragment', () => {
    const octets = Uint8Array.from(packet);
    octets[6] = 0x20;
    assert.equal(ipv4.ipv4IsFragment(octets, 0), true);
    octets.set([0x00, 0x01], 6);
    assert.equal(ipv4.ipv4IsFragment(octets, 0), true);
    octets.set([0x40, 0x00], 6);
    assert.equal(ipv4.ipv4IsFragment(octets, 0), false);
  });

  it('writes the kernel’s header', () => {
    const outer = vector('kernel-vxlan-echo-request').subarray(IP, UDP);
    const octets = new Uint8Array(20).fill(FILLER);
    ipv4.writeIpv4(octets, 0, 0, 110, 0xc196, false, 64, 17, 0xc0000201 | 0, 0xc0000202 | 0);
    assert.equal(toHex(octets), toHex(outer));
  });
});

describe('IPv6', () => {
  const packet = vector('kernel-echo-v6-request').subarray(IP);

  it('accepts what the kernel sends', () => {
    const { bytes, start, end } = guard(packet);
    assert.equal(ipv6.checkIpv6(bytes, start, end), FORWARD);
    assert.equal(ipv6.ipv6PayloadOctets(bytes, start), 40);
    assert.equal(ipv6.ipv6NextHeader(bytes, start), ipv4.IpProtocol.icmpv6);
    assert.equal(ipv6.ipv6HopLimit(bytes, start), 64);
    assert.equal(ipv6.ipv6IsMulticast(bytes, start + ipv6.IPV6_DESTINATION), false);
    assert.equal(ipv6.checkIpv6(bytes, start, end - 1), Drop.ipHeaderInvalid);
    assert.equal(ipv6.checkIpv6(bytes, start, start + 39), Drop.ipHeaderInvalid);
  });

  it('writes the kernel’s header', () => {
    const octets = Uint8Array.from(packet);
    octets.fill(FILLER, 0, 8);
    const flowLabel = ((packet[1]! & 0x0f) << 16) | (packet[2]! << 8) | packet[3]!;
    ipv6.writeIpv6(octets, 0, 0, flowLabel, 40, 58, 64);
    assert.equal(toHex(octets), toHex(packet));
    ipv6.writeIpv6(octets, 0, 0xb8, 0, 40, 58, 64);
    assert.equal(ipv6.ipv6TrafficClass(octets, 0), 0xb8);
  });
});

describe('UDP', () => {
  const outer = vector('kernel-vxlan-echo-request');

  it('verifies the kernel’s checksum', () => {
    const { bytes, words, start, end } = guard(outer);
    const at = start + UDP;
    assert.equal(udp.checkUdp(bytes, at, end), FORWARD);
    const pseudo = ipv4.ipv4PseudoHeaderSum(bytes, start + IP, 17, udp.udpOctets(bytes, at));
    assert.equal(udp.checkUdpChecksum(bytes, words, at, pseudo), FORWARD);
    assert.equal(udp.checkUdpChecksum(bytes, words, at, pseudo + 1), Drop.udpChecksumInvalid);
    assert.equal(udp.udpDestinationPort(bytes, at), vxlan.VXLAN_PORT);
  });

  it('accepts that there is none', () => {
    const octets = Uint8Array.from(outer).fill(0, UDP + 6, UDP + 8);
    const words = new Int32Array(octets.buffer, 0, octets.length >> 2);
    assert.equal(udp.checkUdpChecksum(octets, words, UDP, 12345), FORWARD);
  });

  it('refuses a length that is too short or too long', () => {
    const octets = fromHex('0001 0002 0009 0000 aa');
    assert.equal(udp.checkUdp(octets, 0, 9), FORWARD);
    assert.equal(udp.checkUdp(octets, 0, 8), Drop.udpHeaderInvalid);
    octets[5] = 7;
    assert.equal(udp.checkUdp(octets, 0, 9), Drop.udpHeaderInvalid);
  });

  it('writes the kernel’s header and checksum', () => {
    const octets = Uint8Array.from(outer).fill(FILLER, UDP, VXLAN);
    const words = new Int32Array(octets.buffer, 0, octets.length >> 2);
    udp.writeUdp(octets, UDP, udp.udpSourcePort(outer, UDP), 4789, 90);
    udp.writeUdpChecksum(octets, words, UDP, ipv4.ipv4PseudoHeaderSum(octets, IP, 17, 90));
    assert.equal(toHex(octets), toHex(outer));
  });

  it('sends a computed 0 as all ones', () => {
    const octets = fromHex('0000 0000 0008 0000');
    const words = new Int32Array(octets.buffer, 0, 2);
    udp.writeUdpChecksum(octets, words, 0, 0xfff7);
    assert.equal(toHex(octets), '000000000008ffff');
  });
});

describe('VXLAN', () => {
  const header = vector('kernel-vxlan-echo-request').subarray(VXLAN, INNER);

  it('reads and writes the kernel’s header', () => {
    const { bytes, start, end } = guard(header);
    assert.equal(vxlan.checkVxlan(bytes, start, end), FORWARD);
    assert.equal(vxlan.vxlanVni(bytes, start), 5001);
    assert.equal(vxlan.checkVxlan(bytes, start, end - 1), Drop.vxlanHeaderInvalid);
    const octets = new Uint8Array(8).fill(FILLER);
    vxlan.writeVxlan(octets, 0, 5001);
    assert.equal(toHex(octets), toHex(header));
    vxlan.writeVxlan(octets, 0, vxlan.VNI_MAX);
    assert.equal(toHex(octets), '08000000ffffff00');
  });

  it('ignores every bit but I', () => {
    const octets = fromHex('ffffffff 001389 ff');
    assert.equal(vxlan.checkVxlan(octets, 0, 8), FORWARD);
    assert.equal(vxlan.vxlanVni(octets, 0), 5001);
    octets[0] = 0xf7;
    assert.equal(vxlan.checkVxlan(octets, 0, 8), Drop.vxlanHeaderInvalid);
  });
});

describe('TCP', () => {
  it('finds the end of the header', () => {
    const octets = new Uint8Array(32);
    octets[12] = 0x80;
    assert.equal(tcpHeaderOctets(octets, 0, 32), 32);
    assert.equal(tcpHeaderOctets(octets, 0, 31), 0);
    assert.equal(tcpHeaderOctets(octets, 0, 19), 0);
    octets[12] = 0x40;
    assert.equal(tcpHeaderOctets(octets, 0, 32), 0);
  });
});
