import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Drop, FORWARD } from '../../../src/core/drop-reason.ts';
import * as etherip from '../../../src/wire/etherip.ts';
import * as gre from '../../../src/wire/gre.ts';
import * as nvgre from '../../../src/wire/nvgre.ts';
import { gre as packet } from '../../support/frames.ts';
import { FILLER, fromHex, guard, toHex, vector } from '../../support/octets.ts';

const PAYLOAD = Buffer.from('0123456789');

describe('GRE', () => {
  for (const [what, fields, octets] of [
    ['nothing', {}, 4],
    ['a checksum', { checksum: true }, 8],
    ['a key', { key: 0xffff_ffff }, 8],
    ['a sequence number', { sequence: 5 }, 8],
    ['a key and a sequence number', { key: 7, sequence: 0xffff_ffff }, 12],
    ['all of them', { checksum: true, key: 7, sequence: 9 }, 16],
  ] as const) {
    it(`reads a header with ${what}, and needs it whole`, () => {
      const { bytes, words, start, end } = guard(packet(gre.GRE_TEB, PAYLOAD, fields));
      const bare = guard(packet(gre.GRE_TEB, Buffer.alloc(0), fields));
      assert.equal(gre.checkGre(bytes, start, end), FORWARD);
      assert.equal(gre.checkGre(bare.bytes, bare.start, bare.end), FORWARD);
      assert.equal(gre.checkGre(bare.bytes, bare.start, bare.end - 1), Drop.greHeaderInvalid);
      const flags = gre.greFlags(bytes, start);
      assert.equal(gre.greHeaderOctets(flags), octets);
      assert.equal(gre.greProtocol(bytes, start), 0x6558);
      const known: { key?: number; sequence?: number; checksum?: boolean } = fields;
      if (known.key !== undefined) assert.equal(gre.greKey(bytes, start, flags) >>> 0, known.key);
      if (known.sequence !== undefined) assert.equal(gre.greSequence(bytes, start, flags) >>> 0, known.sequence);
      if (known.checksum === true) assert.equal(gre.checkGreChecksum(bytes, words, start, end), FORWARD);
    });
  }

  it('counts the offset field into the checksum and else ignores it, as it does reserved bits', () => {
    const { bytes, words, start, end } = guard(
      packet(gre.GRE_TEB, PAYLOAD, { checksum: true, reserved1: 0x1234, key: 1, flags: 0x03f8 }),
    );
    assert.equal(gre.checkGre(bytes, start, end), FORWARD);
    assert.equal(gre.checkGreChecksum(bytes, words, start, end), FORWARD);
    assert.equal(gre.greKey(bytes, start, gre.greFlags(bytes, start)), 1);
  });

  it('sees a checksum that is wrong, wherever the damage is', () => {
    for (const at of [3, 4, 8, 12, 20]) {
      const octets = packet(gre.GRE_TEB, PAYLOAD, { checksum: true, key: 1 });
      octets[at]! ^= 0x40;
      const { bytes, words, start, end } = guard(octets);
      assert.equal(gre.checkGreChecksum(bytes, words, start, end), Drop.greChecksumInvalid);
    }
  });

  for (const [what, flags] of [
    ['routing (RFC 1701)', 0x4000],
    ['a strict source route', 0x0800],
    ['recursion of four and more', 0x0400],
    ['version 1 (PPTP)', 0x0001],
  ] as const) {
    it(`refuses ${what}`, () => {
      const octets = packet(0x0800, PAYLOAD, { flags });
      assert.equal(gre.checkGre(octets, 0, octets.length), Drop.greHeaderInvalid);
    });
  }

  it('writes what RFC 2890 draws, and the checksum last', () => {
    const room = new Uint8Array(32).fill(FILLER);
    const flags = gre.GreFlag.checksum | gre.GreFlag.key | gre.GreFlag.sequence;
    gre.writeGre(room, 4, flags, 0x0800, 0x01020304, 0x05060708);
    gre.writeGreChecksum(room, new Int32Array(room.buffer), 4, 20);
    assert.equal(toHex(room), `${'a5'.repeat(4)}b000080037eb00000102030405060708${'a5'.repeat(12)}`);
  });
});

describe('what scapy makes', () => {
  const IP = 14;
  const PAYLOAD_AT = IP + 20;

  it('is read as GRE with checksum, key and sequence number', () => {
    const octets = vector('scapy-gre-all');
    const { bytes, words, start, end } = guard(octets.subarray(PAYLOAD_AT));
    assert.equal(gre.checkGre(bytes, start, end), FORWARD);
    const flags = gre.greFlags(bytes, start);
    assert.equal(gre.checkGreChecksum(bytes, words, start, end), FORWARD);
    assert.deepEqual(
      [gre.greProtocol(bytes, start), gre.greKey(bytes, start, flags), gre.greSequence(bytes, start, flags)],
      [gre.GRE_TEB, 0x0a0b0c0d, 7],
    );
    const rest = toHex(octets.subarray(PAYLOAD_AT + gre.greHeaderOctets(flags)));
    assert.equal(rest, toHex(vector('scapy-etherip').subarray(PAYLOAD_AT + 2)), 'the frame in it');
  });

  it('is what is written here', () => {
    const octets = vector('scapy-gre-all').subarray(PAYLOAD_AT);
    const room = Uint8Array.from(octets).fill(FILLER, 0, 16);
    const flags = gre.GreFlag.checksum | gre.GreFlag.key | gre.GreFlag.sequence;
    const padded = new Uint8Array((room.length + 3) & ~3);
    padded.set(room);
    gre.writeGre(padded, 0, flags, gre.GRE_TEB, 0x0a0b0c0d, 7);
    gre.writeGreChecksum(padded, new Int32Array(padded.buffer), 0, room.length);
    assert.equal(toHex(padded.subarray(0, room.length)), toHex(octets));
  });

  it('is read as EtherIP', () => {
    const { bytes, start, end } = guard(vector('scapy-etherip').subarray(PAYLOAD_AT));
    assert.equal(etherip.checkEtherIp(bytes, start, end), FORWARD);
    const room = new Uint8Array(2);
    etherip.writeEtherIp(room, 0, etherip.EtherIpForm.rfc);
    assert.equal(toHex(room), toHex(vector('scapy-etherip').subarray(PAYLOAD_AT, PAYLOAD_AT + 2)));
  });
});

describe('NVGRE', () => {
  it('has a VSID of 24 bits and the flow ID behind it', () => {
    const room = new Uint8Array(12).fill(FILLER);
    nvgre.writeNvgre(room, 2, 0xabcdef, 0x42);
    assert.equal(toHex(room), 'a5a520006558abcdef42a5a5');
    assert.equal(nvgre.nvgreVsid(gre.greKey(room, 2, gre.greFlags(room, 2))), 0xabcdef);
  });

  it('has a key, and neither checksum nor sequence number', () => {
    assert.equal(nvgre.flagsAreNvgre(0x2000), true);
    for (const flags of [0x0000, 0xa000, 0x3000, 0x8000]) assert.equal(nvgre.flagsAreNvgre(flags), false);
  });
});

describe('EtherIP', () => {
  for (const header of ['3000', '0300', '3fff', 'f3ff', '33 00']) {
    it(`takes ${header}`, () => {
      const { bytes, start, end } = guard(fromHex(header));
      assert.equal(etherip.checkEtherIp(bytes, start, end), FORWARD);
      assert.equal(etherip.checkEtherIp(bytes, start, end - 1), Drop.etherIpVersionInvalid);
    });
  }

  it('refuses every other version', () => {
    for (let first = 0; first < 256; first++) {
      if (first >>> 4 === 3 || (first & 15) === 3) continue;
      assert.equal(etherip.checkEtherIp(Uint8Array.of(first, 0), 0, 2), Drop.etherIpVersionInvalid);
    }
  });

  it('writes either form', () => {
    const room = new Uint8Array(4).fill(FILLER);
    etherip.writeEtherIp(room, 1, etherip.EtherIpForm.rfc);
    assert.equal(toHex(room), 'a53000a5');
    etherip.writeEtherIp(room, 1, etherip.EtherIpForm.lowNibble);
    assert.equal(toHex(room), 'a50300a5');
  });
});
