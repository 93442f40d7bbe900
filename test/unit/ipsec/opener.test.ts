// What is refused of packets that come in, and what becomes of the others.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { Drop, FORWARD } from '../../../src/core/drop-reason.ts';
import { IpsecProtocol, type SecurityAssociationSpec } from '../../../src/ipsec/security-association.ts';
import { ipv4Packet, ipv6Packet, octets, onesComplement, udp } from '../../support/frames.ts';
import { IpsecRig, macKeyOf, type Opened, specOf } from '../../support/ipsec-rig.ts';

const rig = new IpsecRig();
const BODY = Buffer.from('carried by a security association, and long enough to be worth it');
const inner4 = (fields: object = {}, body: Buffer = BODY): Buffer =>
  ipv4Packet({ source: '10.1.1.1', destination: '10.2.2.2', protocol: 253, ...fields }, body);
const inner6 = (fields: object = {}, body: Buffer = BODY): Buffer =>
  ipv6Packet({ source: '2001:db8:1::1', destination: '2001:db8:2::2', nextHeader: 253, ...fields }, body);

const MAC_ONLY = { cipher: 'null', mac: 'hmac-sha256-128' } as const;
const spec = (changes: Partial<SecurityAssociationSpec> = {}): SecurityAssociationSpec =>
  specOf({ transform: MAC_ONLY, ...changes });
const AH = { protocol: IpsecProtocol.ah, transform: MAC_ONLY } as const;

type Crafted = { padding?: Buffer; padLength?: number; tos?: number; sequence?: number; badIcv?: boolean };

/** An ESP packet by the RFC, not by the sealer: nothing is encrypted, so that it can say anything. */
function craft(payload: Buffer, nextHeader: number, options: Crafted = {}): Buffer {
  const free = (4 - ((payload.length + 2) % 4)) % 4;
  const padding = options.padding ?? Buffer.from([1, 2, 3].slice(0, free));
  const head = Buffer.alloc(8);
  head.writeUInt32BE(0x1002, 0);
  head.writeUInt32BE(options.sequence ?? 1, 4);
  const trailer = Buffer.from([options.padLength ?? padding.length, nextHeader]);
  const whole = Buffer.concat([head, payload, padding, trailer]);
  const icv = createHmac('sha256', macKeyOf(32)).update(whole).digest().subarray(0, 16);
  if (options.badIcv === true) icv[0]! ^= 1;
  const outer = { source: '192.0.2.1', destination: '192.0.2.2', protocol: 50, tos: options.tos ?? 0 };
  return ipv4Packet(outer, Buffer.concat([whole, icv]));
}

const open = (changes: Partial<SecurityAssociationSpec>, ...packets: Buffer[]): Opened[] =>
  rig.open(rig.inbound(spec(changes)), ...packets);
const verdictOf = (changes: Partial<SecurityAssociationSpec>, packet: Buffer): number =>
  open(changes, packet)[0]!.verdict;

describe('what an ESP packet holds', () => {
  it('is found by its trailer, in both modes', () => {
    assert.deepEqual(open({}, craft(inner4(), 4))[0], { verdict: FORWARD, octets: inner4() });
    assert.deepEqual(open({}, craft(inner6(), 41))[0], { verdict: FORWARD, octets: inner6() });
    const [transport] = open({ isTunnel: false }, craft(BODY, 253, { tos: 0x2b }));
    const expected = ipv4Packet({ source: '192.0.2.1', destination: '192.0.2.2', protocol: 253, tos: 0x2b }, BODY);
    assert.deepEqual(transport, { verdict: FORWARD, octets: expected });
  });

  it('must have padding of 1, 2, 3 …, and no more than there is', () => {
    const padded = (text: string, padLength?: number): number =>
      verdictOf({}, craft(inner4(), 4, { padding: octets(text), ...(padLength === undefined ? {} : { padLength }) }));
    // 85 octets of packet.
    assert.equal(padded('01'), FORWARD);
    assert.equal(padded('0102030405'), FORWARD);
    for (const wrong of ['00', '02', '0102030406', '0000000000', '0202030405'])
      assert.equal(padded(wrong), Drop.ipsecPaddingInvalid, wrong);
    assert.equal(padded('01', 90), Drop.ipsecPaddingInvalid);
    assert.equal(padded('01', 255), Drop.ipsecPaddingInvalid);
    const all = Buffer.from(Array.from({ length: 253 }, (_, index) => index + 1));
    assert.equal(
      verdictOf({ isTunnel: false }, craft(Buffer.alloc(0), 253, { padding: all.subarray(0, 250) })),
      FORWARD,
    );
  });

  it('may be a dummy, which counts as received', () => {
    const sa = rig.inbound(spec());
    const dummy = craft(Buffer.alloc(30), 59);
    assert.equal(rig.open(sa, dummy)[0]!.verdict, Drop.ipsecDummy);
    assert.equal(rig.open(sa, dummy)[0]!.verdict, Drop.ipsecReplayed);
    assert.deepEqual([sa.packets, sa.octets], [1, 0]);
    assert.equal(verdictOf({ isTunnel: false }, dummy), Drop.ipsecDummy);
  });

  it('may be followed by padding of traffic flow confidentiality, which is cut off', () => {
    for (const [packet, next] of [
      [inner4(), 4],
      [inner6(), 41],
    ] as const) {
      for (const more of [1, 100, 900]) {
        const wire = craft(Buffer.concat([packet, Buffer.alloc(more, 0x77)]), next);
        assert.deepEqual(open({}, wire)[0], { verdict: FORWARD, octets: packet });
      }
    }
  });

  it('must be an IP packet of the version that is announced, in tunnel mode', () => {
    const broken = inner4();
    broken[8]! ^= 1;
    const cases = [
      craft(inner4(), 41),
      craft(inner6(), 4),
      craft(inner4(), 253),
      craft(inner4(), 50),
      craft(broken, 4),
      craft(inner4().subarray(0, 60), 4),
      craft(Buffer.alloc(0), 4),
      craft(inner6().subarray(0, 39), 41),
    ];
    for (const wire of cases) assert.equal(verdictOf({}, wire), Drop.ipsecNextHeaderInvalid);
  });

  it('must not need to stand in front, in transport mode over IPv6', () => {
    const asIpv6 = (wire: Buffer): Buffer =>
      ipv6Packet({ source: '2001:db8::1', destination: '2001:db8::2', nextHeader: 50 }, wire.subarray(20));
    const verdicts = [0, 44, 60, 43, 17, 41].map((next) =>
      verdictOf({ isTunnel: false, family: 6 }, asIpv6(craft(Buffer.alloc(24), next))),
    );
    const { ipsecNextHeaderInvalid: bad } = Drop;
    assert.deepEqual(verdicts, [bad, bad, FORWARD, FORWARD, FORWARD, FORWARD]);
  });

  it('is not looked at where the ICV is wrong', () => {
    for (const wire of [
      craft(inner4(), 4, { badIcv: true, padding: octets('09') }),
      craft(inner4(), 59, { badIcv: true }),
      craft(inner4(), 253, { badIcv: true }),
      craft(inner4(), 108, { badIcv: true }),
    ]) {
      const sa = rig.inbound(spec());
      assert.equal(rig.open(sa, wire)[0]!.verdict, Drop.ipsecIcvInvalid);
      assert.deepEqual([sa.packets, sa.window.topLow], [0, 0], 'the window has not moved');
    }
  });

  it('carries the congestion mark over (RFC 6040)', () => {
    const marked = (tos: number): Buffer => inner4({ tos });
    assert.deepEqual(open({}, craft(marked(0xb9), 4, { tos: 3 }))[0]!.octets, marked(0xbb));
    assert.deepEqual(open({}, craft(marked(0xb8), 4, { tos: 2 }))[0]!.octets, marked(0xb8));
    assert.equal(verdictOf({}, craft(marked(0xb8), 4, { tos: 3 })), Drop.ecnNotCapable);
    // In transport mode it is the packet's own.
    assert.equal(verdictOf({ isTunnel: false }, craft(BODY, 253, { tos: 3 })), FORWARD);
  });
});

describe('what is too short', () => {
  it('ESP without room for a trailer, or not of whole blocks', () => {
    const cut = (length: number): Buffer =>
      ipv4Packet(
        { source: '192.0.2.1', destination: '192.0.2.2', protocol: 50 },
        craft(inner4(), 4).subarray(20, 20 + length),
      );
    for (const length of [0, 7, 8, 24, 27, 29, 30, 31])
      assert.equal(verdictOf({}, cut(length)), Drop.ipsecTooShort, `${length}`);
    assert.equal(verdictOf({}, cut(28)), Drop.ipsecIcvInvalid);
    const cbc = { cipher: 'aes-cbc', mac: 'hmac-sha1-96' } as const;
    for (const length of [36, 51, 53, 56]) assert.equal(verdictOf({ transform: cbc }, cut(length)), Drop.ipsecTooShort);
    assert.equal(verdictOf({ transform: cbc }, cut(52)), Drop.ipsecIcvInvalid);
  });

  it('AH of another length than the transform has', () => {
    const [sealed] = rig.seal(rig.outbound(spec(AH)), inner4());
    const withLength = (words: number): Buffer => {
      const wire = Buffer.from(sealed!.octets);
      wire[21] = words;
      return wire;
    };
    assert.equal(verdictOf(AH, withLength(5)), FORWARD);
    // Padded to 8 octets, which is allowed, but not what was authenticated.
    assert.equal(verdictOf(AH, withLength(6)), Drop.ipsecIcvInvalid);
    for (const words of [0, 1, 4, 7, 255]) assert.equal(verdictOf(AH, withLength(words)), Drop.ipsecTooShort);
    const cut = ipv4Packet(
      { source: '192.0.2.1', destination: '192.0.2.2', protocol: 51 },
      withLength(5).subarray(20, 31),
    );
    assert.equal(verdictOf(AH, cut), Drop.ipsecTooShort);
  });
});

describe('AH', () => {
  it('over IPv4 is taken padded to 4 octets and to 8', () => {
    for (const ahAlign8 of [false, true]) {
      const [sealed] = rig.seal(rig.outbound(spec({ ...AH, ahAlign8 })), inner4());
      for (const receiver of [false, true])
        assert.equal(verdictOf({ ...AH, ahAlign8: receiver }, sealed!.octets), FORWARD);
    }
  });

  it('notices any change but of the mutable fields, and leaves the octets of what it refuses as they came', () => {
    const packet = inner4({ options: octets('94040000 07070400000000 00') });
    const [sealed] = rig.seal(rig.outbound(spec({ ...AH, isTunnel: false })), packet);
    // TOS, flags and offset, TTL, checksum, and the recorded route.
    const mutable = [1, 6, 7, 8, 10, 11, ...[26, 27, 28, 29, 30]];
    for (let at = 0; at < sealed!.octets.length; at++) {
      const wire = Buffer.from(sealed!.octets);
      wire[at]! ^= 1;
      // What a receiver checks before AH: version, lengths, options, the protocol and AH itself; the sequence number is replayed.
      if ([0, 2, 3, 9, 24, 25].includes(at) || (at >= 32 && at < 34)) continue;
      const frame = rig.place(wire);
      const sa = rig.inbound(spec({ ...AH, isTunnel: false }));
      assert.equal(
        rig.opener.add(frame, sa, frame.start + 32),
        at === 43 ? Drop.ipsecReplayed : FORWARD,
        `octet ${at}`,
      );
      rig.opener.flush();
      if (at !== 43)
        assert.equal(rig.opener.verdicts[0], mutable.includes(at) ? FORWARD : Drop.ipsecIcvInvalid, `octet ${at}`);
      if (!mutable.includes(at)) assert.deepEqual(rig.octetsOf(frame), wire);
      rig.opener.clear();
    }
  });

  it('needs headroom for a copy of the ICV', () => {
    const [sealed] = rig.seal(rig.outbound(spec(AH)), inner4());
    const frame = rig.place(sealed!.octets);
    frame.headroomStart = frame.start - 39;
    assert.equal(rig.opener.add(frame, rig.inbound(spec(AH)), frame.start + 20), Drop.noHeadroom);
    frame.headroomStart = frame.start - 40;
    assert.equal(rig.opener.add(frame, rig.inbound(spec(AH)), frame.start + 20), FORWARD);
    rig.opener.flush();
    assert.equal(rig.opener.verdicts[0], FORWARD);
    rig.opener.clear();
  });
});

describe('the replay window of an SA', () => {
  it('takes one of two equal packets in a batch, and no older one', () => {
    const wire = (sequence: number): Buffer => craft(inner4(), 4, { sequence });
    const sa = rig.inbound(spec({ replayWindow: 32 }));
    const verdicts = rig.open(sa, wire(50), wire(50), wire(18), wire(19)).map(({ verdict }) => verdict);
    assert.deepEqual(verdicts, [FORWARD, Drop.ipsecReplayed, Drop.ipsecTooOld, FORWARD]);
    assert.equal(rig.open(sa, wire(18))[0]!.verdict, Drop.ipsecTooOld);
    assert.deepEqual([sa.packets, sa.window.topLow], [2, 50]);
  });

  it('does not move for a packet that is forged', () => {
    const sa = rig.inbound(spec({ replayWindow: 32 }));
    const forged = craft(inner4(), 4, { sequence: 0x7fff_ffff, badIcv: true });
    assert.equal(rig.open(sa, forged, craft(inner4(), 4))[0]!.verdict, Drop.ipsecIcvInvalid);
    assert.deepEqual([sa.packets, sa.window.topLow], [1, 1]);
  });

  it('lets everything in where there is none', () => {
    const wire = craft(inner4(), 4, { sequence: 9 });
    const verdicts = open({ replayWindow: 0 }, wire, wire, wire).map(({ verdict }) => verdict);
    assert.deepEqual(verdicts, [FORWARD, FORWARD, FORWARD]);
  });
});

describe('the hard lifetime of an SA that receives', () => {
  it('ends within a batch', () => {
    const sa = rig.inbound(spec({ hardLifetime: { packets: 2, octets: 0, seconds: 0 } }));
    const wires = [1, 2, 3].map((sequence) => craft(inner4(), 4, { sequence }));
    const verdicts = rig.open(sa, ...wires).map(({ verdict }) => verdict);
    assert.deepEqual(verdicts, [FORWARD, FORWARD, Drop.ipsecExpired]);
    assert.equal(rig.open(sa, craft(inner4(), 4, { sequence: 4 }))[0]!.verdict, Drop.ipsecExpired);
  });
});

describe('UDP around ESP in transport mode', () => {
  const ports = { udpSourcePort: 4500, udpDestinationPort: 4500, isTunnel: false } as const;
  const outer = { source: '198.51.100.9', destination: '192.0.2.2', protocol: 17 };
  const behindNat = (payload: Buffer, nextHeader: number): Buffer =>
    ipv4Packet(outer, udp(40_000, 4500, craft(payload, nextHeader).subarray(20)));
  const pseudo = (protocol: number, packet: Buffer): Buffer =>
    Buffer.concat([packet.subarray(12, 20), Buffer.from([0, protocol, 0, packet.length - 20]), packet.subarray(20)]);

  it('has the checksums of TCP and UDP made good for the addresses behind a NAT (RFC 3948, section 3.1.2)', () => {
    const datagram = udp(1000, 2000, Buffer.from('odd'));
    datagram.writeUInt16BE(0x1234, 6);
    const segment = Buffer.concat([octets('03e807d0 00000001 00000002 5010ffff 1234 0000'), Buffer.from('data')]);
    for (const [payload, protocol] of [
      [datagram, 17],
      [segment, 6],
    ] as const) {
      const [opened] = open(ports, behindNat(payload, protocol));
      assert.equal(opened!.verdict, FORWARD);
      assert.equal(opened!.octets[9], protocol);
      assert.equal(onesComplement(opened!.octets.subarray(0, 20)), 0);
      assert.equal(onesComplement(pseudo(protocol, opened!.octets)), 0);
    }
  });

  it('leaves a datagram without a checksum and other protocols alone', () => {
    const datagram = udp(1000, 2000, Buffer.from('none'));
    assert.deepEqual(open(ports, behindNat(datagram, 17))[0]!.octets, ipv4Packet({ ...outer, protocol: 17 }, datagram));
    assert.deepEqual(open(ports, behindNat(BODY, 253))[0]!.octets, ipv4Packet({ ...outer, protocol: 253 }, BODY));
  });
});

describe('IPComp that comes in', () => {
  const header = (nextHeader: number, index: number): Buffer => Buffer.from([nextHeader, 0, index >>> 8, index & 255]);
  const compressed = (packet: Buffer, nextHeader: number, index = 2): Buffer =>
    Buffer.concat([header(nextHeader, index), deflateRawSync(packet)]);
  const compression = { compression: 2 } as const;

  it('is decompressed, in both modes, under the well-known CPI and the one of the SA', () => {
    const long = inner4({}, Buffer.alloc(3000, 5));
    for (const index of [2, 300]) {
      const [tunnel] = open({ ...compression, compressionIndex: 300 }, craft(compressed(long, 4, index), 108));
      assert.deepEqual(tunnel, { verdict: FORWARD, octets: long });
    }
    const [transport] = open({ ...compression, isTunnel: false }, craft(compressed(BODY, 253), 108));
    const expected = ipv4Packet({ source: '192.0.2.1', destination: '192.0.2.2', protocol: 253 }, BODY);
    assert.deepEqual(transport, { verdict: FORWARD, octets: expected });
    // And what the other side found not worth it.
    assert.equal(verdictOf(compression, craft(inner4(), 4)), FORWARD);
  });

  it('is refused where it was not agreed on, and under another CPI', () => {
    assert.equal(verdictOf({}, craft(compressed(inner4(), 4), 108)), Drop.ipsecCompressionInvalid);
    for (const index of [0, 1, 3, 301])
      assert.equal(
        verdictOf({ ...compression, compressionIndex: 300 }, craft(compressed(inner4(), 4, index), 108)),
        Drop.ipsecCompressionInvalid,
      );
  });

  it('is refused when it is broken, or larger than a packet', () => {
    const cases = [
      Buffer.concat([header(4, 2), octets('ffffffff')]),
      Buffer.concat([header(4, 2), deflateRawSync(inner4()).subarray(0, 20)]),
      header(4, 2),
      Buffer.concat([header(4, 2), deflateRawSync(Buffer.alloc(70_000))]),
    ];
    for (const payload of cases)
      assert.equal(verdictOf(compression, craft(payload, 108)), Drop.ipsecCompressionInvalid);
    assert.equal(verdictOf(compression, craft(octets('0400'), 108)), Drop.ipsecTooShort);
  });

  it('holds neither IPComp nor, in tunnel mode, anything but a packet', () => {
    for (const [isTunnel, next] of [
      [true, 108],
      [false, 108],
      [true, 253],
      [true, 41],
    ] as const) {
      const wire = craft(compressed(inner4(), next), 108);
      assert.equal(verdictOf({ ...compression, isTunnel }, wire), Drop.ipsecNextHeaderInvalid);
    }
  });

  it('is dropped while the pool is empty', () => {
    const wire = craft(compressed(inner4(), 4), 108);
    const frame = rig.place(wire);
    const held = [];
    for (let free = rig.pool.acquire(1); free !== undefined; free = rig.pool.acquire(1)) held.push(free);
    assert.equal(rig.opener.add(frame, rig.inbound(spec(compression)), frame.start + 20), FORWARD);
    rig.opener.flush();
    assert.equal(rig.opener.verdicts[0], Drop.noBuffer);
    rig.opener.clear();
    for (const free of held) rig.pool.release(free);
  });
});
