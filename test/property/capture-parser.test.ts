// Capture files: what is written is read back whatever the form, in pieces or whole; no octets make the parser throw, run
// for ever, or point outside the window.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CaptureParser, CaptureStep, MAX_RECORD_OCTETS } from '../../src/wire/capture-parser.ts';
import {
  enhancedPacketOctets,
  LinkType,
  pcapngInterface,
  pcapngPacket,
  pcapngSectionHeader,
  writeEnhancedPacket,
} from '../../src/wire/pcapng.ts';

type Packet = { seconds: number; nanoseconds: number; octets: Uint8Array; original: number; linkType: number };
type Form = { format: 'pcap' | 'pcapng'; littleEndian: boolean; nanoseconds: boolean };

const form: fc.Arbitrary<Form> = fc.record({
  format: fc.constantFrom('pcap' as const, 'pcapng' as const),
  littleEndian: fc.boolean(),
  nanoseconds: fc.boolean(),
});
const packet: fc.Arbitrary<Packet> = fc
  .record({
    seconds: fc.nat(0xffff_ffff),
    nanoseconds: fc.nat(999_999_999),
    octets: fc.uint8Array({ maxLength: 80 }),
    cut: fc.nat(3),
  })
  .map(({ cut, ...rest }) => ({ ...rest, original: rest.octets.length + cut, linkType: LinkType.ethernet }));

class Writer {
  readonly #octets: number[] = [];
  readonly #littleEndian: boolean;

  constructor(littleEndian: boolean) {
    this.#littleEndian = littleEndian;
  }
  number(value: bigint | number, octets: number): this {
    const digits = Array.from({ length: octets }, (_, index) => Number((BigInt(value) >> BigInt(8 * index)) & 0xffn));
    this.#octets.push(...(this.#littleEndian ? digits : digits.reverse()));
    return this;
  }
  bytes(octets: Iterable<number>): this {
    this.#octets.push(...octets);
    return this;
  }
  pad(): this {
    while (this.#octets.length % 4 !== 0) this.#octets.push(0);
    return this;
  }
  get octets(): number[] {
    return this.#octets;
  }
}

function pcap({ littleEndian, nanoseconds }: Form, packets: readonly Packet[]): Uint8Array {
  const file = new Writer(littleEndian);
  file
    .number(nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4, 4)
    .number(2, 2)
    .number(4, 2)
    .number(0, 8)
    .number(262144, 4);
  file.number(LinkType.ethernet, 4);
  for (const { seconds, nanoseconds: part, octets, original } of packets) {
    file.number(seconds, 4).number(nanoseconds ? part : Math.floor(part / 1000), 4);
    file.number(octets.length, 4).number(original, 4).bytes(octets);
  }
  return Uint8Array.from(file.octets);
}

function pcapng({ littleEndian, nanoseconds }: Form, packets: readonly Packet[]): Uint8Array {
  const file = new Writer(littleEndian);
  const block = (type: number, fill: (body: Writer) => void): void => {
    const body = new Writer(littleEndian);
    fill(body);
    body.pad();
    const length = body.octets.length + 12;
    file.number(type, 4).number(length, 4).bytes(body.octets).number(length, 4);
  };
  block(0x0a0d0d0a, (body) => body.number(0x1a2b3c4d, 4).number(1, 2).number(0, 2).number(-1n, 8));
  block(1, (body) => {
    body.number(LinkType.ethernet, 2).number(0, 2).number(0, 4);
    if (nanoseconds) body.number(9, 2).number(1, 2).bytes([9, 0, 0, 0]).number(0, 4);
  });
  block(0x8000_0001, (body) => body.bytes([1, 2, 3, 4, 5]));
  for (const { seconds, nanoseconds: part, octets, original } of packets) {
    const time = BigInt(seconds) * (nanoseconds ? 10n ** 9n : 10n ** 6n);
    const ticks = time + BigInt(nanoseconds ? part : Math.floor(part / 1000));
    block(6, (body) => {
      body
        .number(0, 4)
        .number(ticks >> 32n, 4)
        .number(ticks & 0xffff_ffffn, 4);
      body.number(octets.length, 4).number(original, 4).bytes(octets);
    });
  }
  return Uint8Array.from(file.octets);
}

const fileOf = (of: Form, packets: readonly Packet[]): Uint8Array =>
  of.format === 'pcap' ? pcap(of, packets) : pcapng(of, packets);

/** Reads a file through a window that grows by `piece` octets at a time. */
function readAll(file: Uint8Array, piece: number): { packets: Packet[]; end: 'whole' | 'cut' | 'broken' } {
  const parser = new CaptureParser();
  const packets: Packet[] = [];
  // Nothing behind the window may be read: those octets are others than the file has there.
  const window = new Uint8Array(file.length + 64).fill(0xa5);
  let at = 0;
  let end = 0;
  for (;;) {
    const step = parser.next(window, at, end);
    assert.ok(parser.consumed >= at && parser.consumed <= end);
    at = parser.consumed;
    if (step === CaptureStep.broken) {
      assert.notEqual(parser.problem, '');
      return { packets, end: 'broken' };
    }
    if (step === CaptureStep.packet) {
      const { octetsAt, octets, seconds, nanoseconds, originalOctets, linkType } = parser;
      assert.ok(octetsAt >= 0 && octets >= 0 && octetsAt + octets <= end);
      const copy = window.slice(octetsAt, octetsAt + octets);
      packets.push({ seconds, nanoseconds, octets: copy, original: originalOctets, linkType });
    } else if (end === file.length) {
      return { packets, end: at === end && parser.isBetweenRecords ? 'whole' : 'cut' };
    } else {
      const next = Math.min(file.length, end + piece);
      window.set(file.subarray(end, next), end);
      end = next;
    }
  }
}

const asWritten = ({ nanoseconds }: Form, packets: readonly Packet[]): Packet[] =>
  packets.map((each) => ({
    ...each,
    nanoseconds: nanoseconds ? each.nanoseconds : Math.floor(each.nanoseconds / 1000) * 1000,
  }));

describe('capture files', () => {
  it('are read back, in both formats, orders and resolutions, whole and in pieces', () => {
    fc.assert(
      fc.property(form, fc.array(packet, { maxLength: 6 }), fc.integer({ min: 1, max: 200 }), (of, packets, piece) => {
        const { packets: read, end } = readAll(fileOf(of, packets), piece);
        assert.equal(end, 'whole');
        assert.deepEqual(read, asWritten(of, packets));
      }),
      { numRuns: 2000 },
    );
  });

  it('that are cut anywhere give the packets before the cut', () => {
    fc.assert(
      fc.property(form, fc.array(packet, { minLength: 1, maxLength: 4 }), fc.nat(), (of, packets, cut) => {
        const file = fileOf(of, packets);
        const { packets: read, end } = readAll(file.subarray(0, cut % file.length), 64);
        assert.notEqual(end, 'broken');
        assert.deepEqual(read, asWritten(of, packets).slice(0, read.length));
        assert.ok(read.length < packets.length);
      }),
      { numRuns: 2000 },
    );
  });

  it('with changed octets, or of any octets, neither throw nor reach outside', () => {
    const change = fc.tuple(fc.nat(), fc.nat(255));
    fc.assert(
      fc.property(
        form,
        fc.array(packet, { maxLength: 4 }),
        fc.array(change, { maxLength: 6 }),
        (of, packets, changes) => {
          const file = fileOf(of, packets);
          for (const [at, value] of changes) file[at % file.length] = value;
          readAll(file, 50);
        },
      ),
      { numRuns: 5000 },
    );
    fc.assert(
      fc.property(
        fc.constantFrom('', 'd4c3b2a1', 'a1b23c4d', '0a0d0d0a'),
        fc.uint8Array({ maxLength: 200 }),
        (magic, rest) => {
          readAll(Uint8Array.from([...Buffer.from(magic, 'hex'), ...rest]), 7);
        },
      ),
      { numRuns: 5000 },
    );
  });

  it('have the time of any resolution and offset, as exact as that is', () => {
    const resolution = fc.oneof(
      fc.nat(9).map((exponent) => ({ octet: exponent, units: 10n ** BigInt(exponent) })),
      fc.nat(32).map((exponent) => ({ octet: 0x80 | exponent, units: 2n ** BigInt(exponent) })),
    );
    fc.assert(
      fc.property(
        fc.boolean(),
        resolution,
        fc.bigInt(0n, 2n ** 62n),
        fc.integer(),
        (littleEndian, { octet, units }, ticks, offset) => {
          fc.pre(ticks / units < 2n ** 40n);
          const file = new Writer(littleEndian);
          file
            .number(0x0a0d0d0a, 4)
            .number(28, 4)
            .number(0x1a2b3c4d, 4)
            .number(1, 2)
            .number(0, 2)
            .number(-1n, 8)
            .number(28, 4);
          file.number(1, 4).number(44, 4).number(1, 2).number(0, 2).number(0, 4);
          file.number(9, 2).number(1, 2).bytes([octet, 0, 0, 0]);
          file
            .number(14, 2)
            .number(8, 2)
            .number(BigInt.asUintN(64, BigInt(offset)), 8)
            .number(0, 4)
            .number(44, 4);
          file
            .number(6, 4)
            .number(32, 4)
            .number(0, 4)
            .number(ticks >> 32n, 4)
            .number(ticks & 0xffff_ffffn, 4);
          file.number(0, 8).number(32, 4);
          const [read] = readAll(Uint8Array.from(file.octets), 1000).packets;
          assert.equal(BigInt(read!.seconds), ticks / units + BigInt(offset));
          assert.equal(BigInt(read!.nanoseconds), ((ticks % units) * 10n ** 9n) / units);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('are written without an allocation as with one', () => {
    fc.assert(
      fc.property(packet, fc.nat(15), ({ seconds, nanoseconds, octets }, at) => {
        const micros = Math.floor(nanoseconds / 1000);
        const into = new Uint8Array(at + enhancedPacketOctets(octets.length) + 8).fill(0xa5);
        const source = Uint8Array.from([1, 2, 3, ...octets, 4, 5]);
        const end = writeEnhancedPacket(into, at, seconds * 1e6 + micros, source, 3, 3 + octets.length, 2);
        const expected = pcapngPacket({
          interfaceId: 0,
          timeNs: BigInt(seconds) * 10n ** 9n + BigInt(micros) * 1000n,
          octets,
          originalOctets: octets.length,
          direction: 2,
          comment: '',
        });
        assert.deepEqual(into.slice(at, end), expected);
        assert.ok(into.subarray(0, at).every((octet) => octet === 0xa5));
        assert.ok(into.subarray(end).every((octet) => octet === 0xa5));
      }),
      { numRuns: 2000 },
    );
  });

  it('of several sections have the interfaces of each', () => {
    const description = (linkType: number): Uint8Array =>
      pcapngInterface({ name: '', description: '', linkType, snaplen: 0 });
    const one = pcapngPacket({
      interfaceId: 0,
      timeNs: 5n,
      octets: Uint8Array.of(1),
      originalOctets: 1,
      direction: 0,
      comment: 'a comment',
    });
    const file = Buffer.concat(
      [LinkType.ethernet, LinkType.raw].flatMap((type) => [pcapngSectionHeader('test'), description(type), one]),
    );
    const { packets } = readAll(file, 1000);
    assert.deepEqual(
      packets.map(({ linkType }) => linkType),
      [LinkType.ethernet, LinkType.raw],
    );
  });

  it('with a record that no window holds are broken, not waited for', () => {
    const head = new Writer(true)
      .number(0xa1b2c3d4, 4)
      .number(2, 2)
      .number(4, 2)
      .number(0, 8)
      .number(0, 4)
      .number(1, 4);
    const file = Uint8Array.from(head.number(0, 8).number(MAX_RECORD_OCTETS, 4).number(MAX_RECORD_OCTETS, 4).octets);
    assert.equal(readAll(file, 1000).end, 'broken');
  });
});
