import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Drop, FORWARD } from '../../../src/core/drop-reason.ts';
import { macHigh16, macLow32 } from '../../../src/core/mac.ts';
import { checkIcmpv4, isEchoRequestV4, turnIntoEchoReplyV4 } from '../../../src/wire/icmpv4.ts';
import { groupMacLow } from '../../../src/wire/group-mac.ts';
import * as icmpv6 from '../../../src/wire/icmpv6.ts';
import { checkIpv4 } from '../../../src/wire/ipv4.ts';
import { addressAt, FILLER, guard, toHex, vector } from '../../support/octets.ts';

const IP = 14;
const ICMPV4 = 34;
const ICMPV6 = 54;

const wordsOf = (octets: Uint8Array): Int32Array => new Int32Array(octets.buffer, 0, octets.length >> 2);

describe('ICMP echo', () => {
  it('turns the kernel’s request into the kernel’s reply', () => {
    const octets = vector('kernel-echo-v4-request');
    const reply = vector('kernel-echo-v4-reply');
    assert.equal(checkIcmpv4(octets, wordsOf(octets), ICMPV4, octets.length), FORWARD);
    assert.equal(isEchoRequestV4(octets, ICMPV4), true);
    turnIntoEchoReplyV4(octets, IP);
    assert.equal(checkIpv4(octets, IP, octets.length), FORWARD);
    // The kernel numbers its reply anew and does not set DF.
    const skip = { from: IP + 4, to: IP + 12 };
    reply.fill(0, skip.from, skip.to);
    octets.fill(0, skip.from, skip.to);
    assert.equal(toHex(octets.subarray(IP)), toHex(reply.subarray(IP)));
  });

  it('gives the reply a fresh TTL', () => {
    const octets = vector('kernel-echo-v4-request');
    octets.set([3], IP + 8);
    turnIntoEchoReplyV4(octets, IP);
    assert.equal(octets[IP + 8], 64);
  });

  it('refuses a wrong checksum and what is cut short', () => {
    const octets = vector('kernel-echo-v4-request');
    const { bytes, words, start, end } = guard(octets);
    assert.equal(checkIcmpv4(bytes, words, start + ICMPV4, start + ICMPV4 + 7), Drop.icmpInvalid);
    assert.equal(checkIcmpv4(bytes, words, start + ICMPV4, end - 1), Drop.icmpInvalid);
    octets[octets.length - 1]! ^= 1;
    assert.equal(checkIcmpv4(octets, wordsOf(octets), ICMPV4, octets.length), Drop.icmpInvalid);
    assert.equal(isEchoRequestV4(vector('kernel-echo-v4-reply'), ICMPV4), false);
  });
});

describe('ICMPv6 echo', () => {
  it('turns the kernel’s request into the kernel’s reply', () => {
    const octets = vector('kernel-echo-v6-request');
    const reply = vector('kernel-echo-v6-reply');
    assert.equal(icmpv6.checkIcmpv6(octets, wordsOf(octets), IP), FORWARD);
    assert.equal(icmpv6.icmpv6Type(octets, IP), icmpv6.ICMPV6_ECHO_REQUEST);
    icmpv6.turnIntoEchoReplyV6(octets, IP);
    assert.equal(icmpv6.checkIcmpv6(octets, wordsOf(octets), IP), FORWARD);
    // The kernel gives its reply a flow label of its own.
    assert.equal(toHex(octets.subarray(IP + 4)), toHex(reply.subarray(IP + 4)));
  });
});

describe('neighbour discovery', () => {
  const solicitation = vector('kernel-neighbour-solicitation');
  const advertisement = vector('kernel-neighbour-advertisement');
  const high = macHigh16(advertisement, 6);
  const low = macLow32(advertisement, 6);

  it('accepts what the kernel sends', () => {
    for (const octets of [solicitation, advertisement]) {
      const { bytes, words, start } = guard(octets);
      assert.equal(icmpv6.checkIcmpv6(bytes, words, start + IP), FORWARD);
      assert.equal(icmpv6.checkNeighbourDiscovery(bytes, start + IP), FORWARD);
    }
    const source = icmpv6.findLinkLayerOption(solicitation, IP, icmpv6.OPTION_SOURCE_LINK_LAYER);
    assert.equal(toHex(solicitation.subarray(source, source + 6)), '02000000000a');
    assert.equal(icmpv6.findLinkLayerOption(solicitation, IP, icmpv6.OPTION_TARGET_LINK_LAYER), 0);
  });

  it('answers the kernel’s solicitation with the kernel’s advertisement, as a router', () => {
    const octets = new Uint8Array(256).fill(FILLER);
    octets.set(solicitation, 2);
    icmpv6.writeNeighbourAdvertisement(octets, wordsOf(octets), 128, 2 + IP, high, low);
    const expected = Buffer.from(advertisement.subarray(IP));
    expected[44]! |= 0x80;
    // One bit more under the checksum, in ones' complement.
    const sum = (~expected.readUInt16BE(42) & 0xffff) + 0x8000;
    expected.writeUInt16BE(~((sum & 0xffff) + (sum >>> 16)) & 0xffff, 42);
    assert.equal(toHex(octets.subarray(128, 128 + icmpv6.ND_PACKET_OCTETS)), toHex(expected));
  });

  it('answers a probe from :: to all nodes, unsolicited', () => {
    const octets = new Uint8Array(256).fill(FILLER);
    octets.set(solicitation, 0);
    octets.fill(0, IP + 8, IP + 24);
    icmpv6.writeNeighbourAdvertisement(octets, wordsOf(octets), 128, IP, high, low);
    assert.equal(toHex(octets.subarray(128 + 24, 128 + 40)), `ff02${'00'.repeat(13)}01`);
    assert.equal(octets[128 + 44], 0xa0, 'router and override');
    assert.equal(icmpv6.checkIcmpv6(octets, wordsOf(octets), 128), FORWARD);
    assert.equal(icmpv6.checkNeighbourDiscovery(octets, 128), FORWARD);
  });

  it('writes the kernel’s solicitation', () => {
    const octets = new Uint8Array(128).fill(FILLER);
    const source = addressAt(solicitation, IP + 8);
    const target = addressAt(solicitation, ICMPV6 + 8);
    const group = icmpv6.solicitedNodeOf(target);
    icmpv6.writeNeighbourSolicitation(octets, wordsOf(octets), 2, source, group, target, 0x0200, 0x0000000a);
    assert.equal(toHex(octets.subarray(2, 2 + icmpv6.ND_PACKET_OCTETS)), toHex(solicitation.subarray(IP)));
    assert.equal(groupMacLow(group), macLow32(solicitation, 0));
  });

  const changed = (octets: Uint8Array, change: (copy: Uint8Array) => void): number => {
    const copy = Uint8Array.from(octets);
    change(copy);
    return icmpv6.checkNeighbourDiscovery(copy, IP);
  };
  const invalid = Drop.neighbourDiscoveryInvalid;
  it('refuses what was forwarded, another code, a multicast target', () => {
    assert.equal(
      changed(solicitation, (octets) => (octets[IP + 7] = 254)),
      invalid,
    );
    assert.equal(
      changed(solicitation, (octets) => (octets[ICMPV6 + 1] = 1)),
      invalid,
    );
    assert.equal(
      changed(solicitation, (octets) => (octets[ICMPV6 + 8] = 0xff)),
      invalid,
    );
  });

  it('refuses options of length 0 or beyond the message', () => {
    assert.equal(
      changed(solicitation, (octets) => (octets[ICMPV6 + 25] = 0)),
      invalid,
    );
    assert.equal(
      changed(solicitation, (octets) => (octets[ICMPV6 + 25] = 2)),
      invalid,
    );
    assert.equal(
      changed(solicitation, (octets) => (octets[IP + 5] = 23)),
      invalid,
    );
    assert.equal(
      changed(solicitation, (octets) => (octets[IP + 5] = 27)),
      invalid,
    );
  });

  it('refuses a probe with a MAC in it, or to another group', () => {
    const probe = (octets: Uint8Array): void => void octets.fill(0, IP + 8, IP + 24);
    assert.equal(changed(solicitation, probe), invalid);
    const bare = (octets: Uint8Array): void => {
      probe(octets);
      octets[IP + 5] = 24;
    };
    assert.equal(changed(solicitation, bare), FORWARD);
    assert.equal(
      changed(solicitation, (octets) => {
        bare(octets);
        octets[IP + 24 + 11] = 2;
      }),
      invalid,
    );
  });

  it('refuses a solicited advertisement to a group', () => {
    assert.equal(
      changed(advertisement, (octets) => (octets[IP + 24] = 0xff)),
      invalid,
    );
  });

  it('refuses a message shorter than ICMPv6', () => {
    const octets = Uint8Array.from(solicitation);
    octets[IP + 5] = 7;
    assert.equal(icmpv6.checkIcmpv6(octets, wordsOf(octets), IP), Drop.icmpInvalid);
  });
});
