// What a sealed packet looks like outside, and what is refused.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Drop, FORWARD } from '../../../src/core/drop-reason.ts';
import { type CryptoBatch, Job, JOB_WORDS, JobStatus, MAX_JOBS } from '../../../src/ipsec/crypto.ts';
import { IpsecProtocol } from '../../../src/ipsec/security-association.ts';
import { ipv4Packet, ipv6Octets, ipv6Packet, octets, onesComplement, udp } from '../../support/frames.ts';
import { headerOf, IpsecRig, specOf } from '../../support/ipsec-rig.ts';

const rig = new IpsecRig();
const inner4 = (fields: object = {}, body: Buffer = Buffer.alloc(64, 9)): Buffer =>
  ipv4Packet({ source: '10.1.1.1', destination: '10.2.2.2', protocol: 253, ...fields }, body);
const inner6 = (fields: object = {}, body: Buffer = Buffer.alloc(64, 9)): Buffer =>
  ipv6Packet({ source: '2001:db8:1::1', destination: '2001:db8:2::2', nextHeader: 253, ...fields }, body);
const seal = (changes: Parameters<typeof specOf>[0], ...packets: Buffer[]) =>
  rig.seal(rig.outbound(specOf(changes)), ...packets);
const sealOne = (changes: Parameters<typeof specOf>[0], packet: Buffer): Buffer => {
  const [outcome] = seal(changes, packet);
  assert.equal(outcome!.verdict, FORWARD);
  return outcome!.octets;
};

const AH = { protocol: IpsecProtocol.ah, transform: { cipher: 'null', mac: 'hmac-sha256-128' } } as const;

describe('the outer header in tunnel mode', () => {
  it('over IPv4: TTL 64, DSCP and ECN of the packet inside, no options, addresses of the SA', () => {
    const wire = sealOne({}, inner4({ tos: 0xb9, ttl: 3, options: octets('94040000') }));
    assert.deepEqual([wire[0], wire[1], wire[8], wire[9]], [0x45, 0xb9, 64, 50]);
    assert.equal(wire.readUInt16BE(2), wire.length);
    assert.equal(wire.subarray(12, 20).toString('hex'), 'c0000201c0000202');
    assert.equal(onesComplement(wire.subarray(0, 20)), 0);
    assert.equal(wire.readUInt32BE(20), 0x1002);
    assert.equal(wire.readUInt32BE(24), 1);
  });

  it('over IPv6: hop limit 64, traffic class of the packet inside, flow label of an IPv6 packet', () => {
    const inside = inner6({ trafficClass: 0xb9, hopLimit: 3 });
    inside.writeUIntBE(0x9abcde, 1, 3);
    for (const [packet, first] of [
      [inside, 0x6b9abcde],
      [inner4({ tos: 0xb9 }), 0x6b900000],
    ] as const) {
      const wire = sealOne({ family: 6 }, packet);
      assert.equal(wire.readUInt32BE(0), first);
      assert.deepEqual([wire[6], wire[7]], [50, 64]);
      assert.equal(wire.readUInt16BE(4), wire.length - 40);
      assert.deepEqual(wire.subarray(8, 40), Buffer.concat([ipv6Octets('2001:db8::1'), ipv6Octets('2001:db8::2')]));
    }
  });

  it("has the don't-fragment flag copied, set or clear", () => {
    const isSet = (dontFragment: 'copy' | 'set' | 'clear', packet: Buffer): boolean =>
      (sealOne({ dontFragment }, packet)[6]! & 0x40) !== 0;
    const [free, whole] = [inner4({ flags: 0 }), inner4({ flags: 0x4000 })];
    assert.deepEqual([isSet('copy', free), isSet('copy', whole), isSet('copy', inner6())], [false, true, true]);
    assert.deepEqual([isSet('set', free), isSet('set', whole)], [true, true]);
    assert.deepEqual([isSet('clear', free), isSet('clear', whole), isSet('clear', inner6())], [false, false, false]);
  });

  it('has an identification of its own for each packet', () => {
    const packets = Array.from({ length: 100 }, () => inner4({ flags: 0 }));
    const wires = seal({}, ...packets).map(({ octets: wire }) => wire.readUInt16BE(4));
    assert.equal(new Set(wires).size, 100);
  });
});

describe('UDP around ESP', () => {
  const ports = { udpSourcePort: 4500, udpDestinationPort: 61_000 };

  it('has no checksum over IPv4 (RFC 3948, section 2.1)', () => {
    const wire = sealOne(ports, inner4());
    assert.equal(wire[9], 17);
    assert.deepEqual(
      [20, 22, 24, 26].map((at) => wire.readUInt16BE(at)),
      [4500, 61_000, wire.length - 20, 0],
    );
    assert.equal(wire.readUInt32BE(28), 0x1002);
  });

  it('has one over IPv6', () => {
    const wire = sealOne({ ...ports, family: 6 }, inner4());
    const datagram = wire.subarray(40);
    const pseudo = Buffer.concat([wire.subarray(8, 40), octets('0000'), datagram.subarray(4, 6), octets('00000011')]);
    assert.notEqual(wire.readUInt16BE(46), 0);
    assert.equal(onesComplement(Buffer.concat([pseudo, datagram])), 0);
  });
});

describe('transport mode', () => {
  it('keeps the IP header and its options, and replaces the protocol', () => {
    const packet = inner4({ tos: 0x55, ttl: 9, flags: 0, identification: 4711, options: octets('94040000') });
    const wire = sealOne({ isTunnel: false }, packet);
    assert.equal(wire[9], 50);
    assert.equal(wire.readUInt16BE(2), wire.length);
    assert.equal(onesComplement(wire.subarray(0, 24)), 0);
    const kept = [
      [0, 2],
      [4, 9],
      [12, 24],
    ] as const;
    for (const [from, to] of kept) assert.deepEqual(wire.subarray(from, to), packet.subarray(from, to));
  });

  it('stands behind headers for routers and in front of destination options (RFC 4303, section 3.1.1)', () => {
    const chain = octets('3c00010400000000 2b00010400000000 3c000000 00000000 fd00010400000000');
    const packet = inner6({ nextHeader: 0 }, Buffer.concat([chain, Buffer.alloc(20, 7)]));
    for (const [changes, protocol] of [
      [{}, 50],
      [AH, 51],
    ] as const) {
      const wire = sealOne({ isTunnel: false, ...changes }, packet);
      // Hop-by-hop, destination options, routing; the second destination options are inside.
      assert.deepEqual([wire[6], wire[40], wire[48], wire[56]], [0, 60, 43, protocol]);
      assert.equal(headerOf(wire, { isUdp: false }), 64);
      if (protocol === 51) assert.equal(wire[64], 60);
    }
  });

  it('is refused to fragments; tunnel mode carries them', () => {
    const fragments = [inner4({ flags: 0x2000 }), inner4({ flags: 0x0005 })];
    const header = (offset: string): Buffer => octets(`fd00${offset}01020304`);
    for (const offset of ['0001', '0008'])
      fragments.push(inner6({ nextHeader: 44 }, Buffer.concat([header(offset), Buffer.alloc(16)])));
    const verdicts = (isTunnel: boolean) => seal({ isTunnel }, ...fragments).map(({ verdict }) => verdict);
    assert.deepEqual(
      verdicts(false),
      fragments.map(() => Drop.ipsecUnsupported),
    );
    assert.deepEqual(
      verdicts(true),
      fragments.map(() => FORWARD),
    );
    // One that is whole has the header, but is none.
    const atomic = inner6({ nextHeader: 44 }, Buffer.concat([header('0000'), Buffer.alloc(16)]));
    const wire = sealOne({ isTunnel: false }, atomic);
    assert.deepEqual([wire[6], wire[40]], [44, 50]);
    assert.equal(seal({ isTunnel: false, ...AH }, atomic)[0]!.verdict, Drop.ipsecUnsupported);
  });

  it('is refused to extension headers that are cut short', () => {
    const packet = inner6({ nextHeader: 0 }, octets('fd05010400000000'));
    assert.equal(seal({ isTunnel: false }, packet)[0]!.verdict, Drop.ipsecUnsupported);
  });
});

describe('AH', () => {
  const lengthOf = (changes: object, packet: Buffer): number => (sealOne({ ...AH, ...changes }, packet)[21]! + 2) * 4;

  it('is padded to 4 octets over IPv4, to 8 where asked for, and always over IPv6', () => {
    assert.equal(lengthOf({}, inner4()), 28);
    assert.equal(lengthOf({ ahAlign8: true }, inner4()), 32);
    assert.equal((sealOne({ ...AH, family: 6 }, inner4())[41]! + 2) * 4, 32);
    const gmac = { transform: { cipher: 'aes-gmac', mac: 'none' } } as const;
    assert.equal(lengthOf(gmac, inner4()), 36);
    assert.equal((sealOne({ ...AH, ...gmac, family: 6 }, inner4())[41]! + 2) * 4, 40);
  });

  it('leaves the mutable fields as they were', () => {
    const packet = inner4({ tos: 0xff, ttl: 77, flags: 0x4000, options: octets('07070400000000 00') });
    const wire = sealOne({ ...AH, isTunnel: false }, packet);
    assert.deepEqual([wire[1], wire.readUInt16BE(6), wire[8], wire[9]], [0xff, 0x4000, 77, 51]);
    assert.equal(wire.subarray(20, 28).toString('hex'), '0707040000000000');
    assert.equal(onesComplement(wire.subarray(0, 28)), 0);
  });

  it('authenticates the last address of a source route as the destination', () => {
    const routed = (destination: string, route: string): Buffer => inner4({ destination, options: octets(route) });
    const ahead = sealOne({ ...AH, isTunnel: false }, routed('10.9.9.9', '8307040a020202 00'));
    const arrived = sealOne({ ...AH, isTunnel: false }, routed('10.2.2.2', '8307080a090909 00'));
    assert.equal(ahead.subarray(16, 20).toString('hex'), '0a090909');
    assert.deepEqual(ahead.subarray(28), arrived.subarray(28), 'the same AH and payload');
    // As the receiver sees it.
    const [opened] = rig.open(rig.inbound(specOf({ ...AH, isTunnel: false })), arrived);
    assert.equal(opened!.verdict, FORWARD);
  });

  it('is refused to options that are cut short and to routing headers that lead on', () => {
    const packets = [
      inner4({ options: octets('07ff0400') }),
      inner4({ options: octets('01010107') }),
      inner6({ nextHeader: 43 }, octets('fd02000100000000 20010db8000000000000000000000009 0000')),
      inner6({ nextHeader: 0 }, octets('fd003e0900000000 0000')),
    ];
    const outbound = rig.outbound(specOf({ ...AH, isTunnel: false }));
    assert.deepEqual(
      rig.seal(outbound, ...packets).map(({ verdict }) => verdict),
      packets.map(() => Drop.ipsecUnsupported),
    );
    assert.deepEqual([outbound.nextSequence, outbound.packets], [1, 0]);
  });
});

describe('the sealer', () => {
  it('refuses without a number, behind a lifetime, and what is too large', () => {
    const sa = rig.outbound(specOf({ hardLifetime: { packets: 1, octets: 0, seconds: 0 } }));
    assert.deepEqual(
      rig.seal(sa, inner4(), inner4()).map(({ verdict }) => verdict),
      [FORWARD, Drop.ipsecExpired],
    );
    const huge = inner4({}, Buffer.alloc(65_500));
    const jumbo = rig.outbound(specOf());
    assert.equal(rig.seal(jumbo, huge)[0]!.verdict, Drop.ipsecUnsupported);
    assert.equal(rig.seal(jumbo, inner4({}, Buffer.alloc(65_400)))[0]!.verdict, FORWARD);
    const last = rig.outbound(specOf());
    last.reserve(2 ** 32 - 1, 2 ** 32);
    const verdicts = rig.seal(last, inner4(), inner4()).map(({ verdict }) => verdict);
    assert.deepEqual(verdicts, [FORWARD, Drop.ipsecSequenceExhausted]);
  });

  it('leaves out what stands behind the total length', () => {
    const packet = inner4();
    const [outcome] = rig.seal(rig.outbound(specOf()), Buffer.concat([packet, octets('ffffffff')]));
    assert.deepEqual(rig.open(rig.inbound(specOf()), outcome!.octets)[0]!.octets, packet);
  });

  it('says noBuffer when the pool is empty, and takes no number for it', () => {
    const held = [];
    for (let frame = rig.pool.acquire(1); frame !== undefined; frame = rig.pool.acquire(1)) held.push(frame);
    const sa = rig.outbound(specOf());
    assert.equal(rig.sealer.add(rig.place(inner4()), sa), Drop.noBuffer);
    assert.equal(sa.nextSequence, 1);
    for (const frame of held) rig.pool.release(frame);
  });

  it('gives the frame back where the library fails', () => {
    const failing = new IpsecRig(undefined, (): CryptoBatch => {
      const jobs = new Int32Array(MAX_JOBS * JOB_WORDS);
      const fail = (): void => {
        jobs[Job.status] = JobStatus.failed;
      };
      return {
        name: 'none',
        jobs,
        openKey: () => 0,
        closeKey: fail,
        seal: fail,
        open: fail,
        digest: fail,
        verify: fail,
      };
    });
    const [outcome] = failing.seal(failing.outbound(specOf()), inner4());
    assert.equal(outcome!.verdict, Drop.ipsecCryptoFailed);
    const wire = sealOne({}, inner4());
    assert.equal(failing.open(failing.inbound(specOf()), wire)[0]!.verdict, Drop.ipsecCryptoFailed);
  });

  it('carries 256 packets of both protocols at once', () => {
    const [esp, ah] = [specOf(), specOf(AH)];
    const associations = [rig.outbound(esp), rig.outbound(ah)];
    for (let index = 0; index < MAX_JOBS; index++) {
      assert.equal(rig.sealer.isFull, false);
      assert.equal(
        rig.sealer.add(rig.place(inner4({ identification: index }), index), associations[index % 2]!),
        FORWARD,
      );
    }
    assert.equal(rig.sealer.isFull, true);
    assert.equal(rig.sealer.flush(), MAX_JOBS);
    const wires = rig.sealer.sealed.slice(0, MAX_JOBS).map((frame) => {
      const wire = rig.octetsOf(frame);
      rig.pool.release(frame);
      return wire;
    });
    rig.sealer.clear();
    for (const [offset, spec] of [
      [0, esp],
      [1, ah],
    ] as const) {
      const opened = rig.open(rig.inbound(spec), ...wires.filter((_, index) => index % 2 === offset));
      assert.deepEqual(
        opened.map(({ octets: packet }) => packet.readUInt16BE(4)),
        Array.from({ length: 128 }, (_, index) => 2 * index + offset),
      );
    }
  });
});

describe('IPComp', () => {
  const compressed = { compression: 2, transform: { cipher: 'null', mac: 'hmac-sha256-128' } } as const;

  it('is in front of what has become smaller, with the CPI of the SA', () => {
    const wire = sealOne({ ...compressed, compressionIndex: 300 }, inner4({}, Buffer.alloc(1000)));
    assert.ok(wire.length < 200);
    assert.equal(wire.subarray(28, 32).toString('hex'), '0400012c');
    assert.equal(wire.at(-17), 108);
  });

  it('stands behind the headers for routers in transport mode', () => {
    const wire = sealOne({ ...compressed, isTunnel: false }, inner4({}, udp(1, 2, Buffer.alloc(1000))));
    assert.equal(wire.subarray(28, 32).toString('hex'), 'fd000002');
  });

  it('is left away from what would not become smaller', () => {
    const noise = Buffer.from(Array.from({ length: 200 }, (_, index) => (index * index * 7919) >>> 3));
    const wire = sealOne(compressed, inner4({}, noise));
    assert.equal(wire[28], 0x45);
    assert.equal(wire.at(-17), 4);
  });
});
