// Headers of GRE in all forms and of EtherIP: written by words or by octets, they are the same, right, and touch nothing else.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import type { AddressWords } from '../../src/core/address.ts';
import { FORWARD } from '../../src/core/drop-reason.ts';
import { Arena } from '../../src/packet/arena.ts';
import { Frame } from '../../src/packet/frame.ts';
import { encapsulate, prepareEthernet, prepareSocket } from '../../src/tunnel/encapsulate.ts';
import { TunnelEndpoint } from '../../src/tunnel/endpoint.ts';
import { tunnelHeaderOctets, tunnelOverhead } from '../../src/tunnel/overhead.ts';
import { protocolService } from '../../src/tunnel/service.ts';
import { kindIsLayer3, TOS_PRESERVE, Tunnel, TunnelKind, type TunnelSpec } from '../../src/tunnel/tunnel.ts';
import { checkEtherIp } from '../../src/wire/etherip.ts';
import * as gre from '../../src/wire/gre.ts';
import { checkIpv4, ipv4Destination, ipv4Protocol, ipv4Source, ipv4Tos, ipv4Ttl } from '../../src/wire/ipv4.ts';
import { checkIpv6, ipv6HopLimit, ipv6NextHeader, ipv6TrafficClass } from '../../src/wire/ipv6.ts';
import { nvgreVsid } from '../../src/wire/nvgre.ts';
import { hostFrame, ipv4Packet, ipv6Packet } from '../support/frames.ts';
import { addressAt, FILLER } from '../support/octets.ts';

const HEADROOM = 128;
const IP = 14;

const i32 = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff });
const ipv4Address = i32.map((word): AddressWords => [0, 0, 0, word]);
const ipv6Address = fc.tuple(fc.constant(0x2001_0db8), i32, i32, i32).map((words): AddressWords => words);

const specs = fc
  .record({
    kind: fc.constantFrom(TunnelKind.gre, TunnelKind.teb, TunnelKind.nvgre, TunnelKind.etherip),
    isIpv6: fc.boolean(),
    ends: fc.tuple(ipv4Address, ipv4Address, ipv6Address, ipv6Address),
    key: fc.oneof(fc.constant(0), fc.nat(0xff_ffff), fc.integer({ min: 0x100_0000, max: 0xffff_ffff })),
    ttl: fc.integer({ min: 1, max: 255 }),
    tos: fc.constantFrom(TOS_PRESERVE, 0, 0x28, 0xff),
    sendsChecksum: fc.boolean(),
    sendsSequence: fc.boolean(),
  })
  .map(({ kind, isIpv6, ends, key, ttl, tos, sendsChecksum, sendsSequence }): TunnelSpec => {
    const isPlain = kind === TunnelKind.nvgre || kind === TunnelKind.etherip;
    return {
      ...{ kind, member: 0, name: 't', ttl, tos, mtu: 1500, udpChecksum: 0, sourcePortMin: 0, sourcePortMax: 0 },
      ...{ learnsEndpoints: false, receives: true, sends: true, usesPathMtu: true, mssClamp: 0 },
      local: isIpv6 ? ends[2] : ends[0],
      remote: isIpv6 ? ends[3] : ends[1],
      key: kind === TunnelKind.etherip ? 0 : kind === TunnelKind.nvgre ? key & 0xff_ffff : key,
      service: protocolService(kind === TunnelKind.etherip ? 97 : 47),
      gre: isPlain ? undefined : { sendsChecksum, sendsSequence, verifiesChecksum: false, checksSequence: false },
    };
  });

const octetsOf = fc.uint8Array({ maxLength: 120 }).map((data) => Buffer.from(data));
const frames = octetsOf.map((data) =>
  Buffer.concat([hostFrame('02:aa:00:00:00:01', '02:bb:00:00:00:01', 60, 0xb9), data]),
);
const packets = fc.oneof(
  octetsOf.map((data) =>
    ipv4Packet({ source: '172.16.0.1', destination: '172.16.0.2', protocol: 17, tos: 0xb9 }, data),
  ),
  octetsOf.map((data) =>
    ipv6Packet({ source: 'fd00::1', destination: 'fd00::2', nextHeader: 17, trafficClass: 0xb9 }, data),
  ),
);

/** The same frame at each remainder modulo 4, encapsulated. */
function encapsulated(inner: Buffer, endpoint: TunnelEndpoint): { octets: Uint8Array; arena: Arena; start: number }[] {
  return [0, 1, 2, 3].map((offset) => {
    const arena = new Arena(new ArrayBuffer(1024));
    arena.bytes.fill(FILLER);
    const frame = new Frame();
    frame.start = HEADROOM + offset;
    frame.end = frame.start + inner.length;
    arena.bytes.set(inner, frame.start);
    endpoint.nextSequence = -1;
    encapsulate(arena, frame, endpoint);
    assert.equal(frame.start, HEADROOM + offset - endpoint.outerOctets);
    assert.equal(frame.end, HEADROOM + offset + inner.length);
    assert.ok(
      arena.bytes.subarray(0, frame.start).every((octet) => octet === FILLER),
      'in front of the headers',
    );
    assert.ok(
      arena.bytes.subarray(frame.end).every((octet) => octet === FILLER),
      'behind the frame',
    );
    return { octets: arena.bytes.slice(frame.start, frame.end), arena, start: frame.start };
  });
}

function assertTunnelHeader(
  spec: TunnelSpec,
  { bytes, words }: Arena,
  at: number,
  end: number,
  inner: Uint8Array,
): void {
  if (spec.kind === TunnelKind.etherip) {
    assert.equal(checkEtherIp(bytes, at, end), FORWARD);
    return;
  }
  assert.equal(gre.checkGre(bytes, at, end), FORWARD);
  const flags = gre.greFlags(bytes, at);
  const hasKey = spec.key !== 0 || spec.kind === TunnelKind.nvgre;
  assert.equal((flags & gre.GreFlag.key) !== 0, hasKey);
  const key = hasKey ? gre.greKey(bytes, at, flags) : 0;
  assert.equal(spec.kind === TunnelKind.nvgre ? nvgreVsid(key) : key >>> 0, spec.key);
  assert.equal((flags & gre.GreFlag.checksum) !== 0, spec.gre?.sendsChecksum === true);
  if ((flags & gre.GreFlag.checksum) !== 0) assert.equal(gre.checkGreChecksum(bytes, words, at, end), FORWARD);
  assert.equal((flags & gre.GreFlag.sequence) !== 0, spec.gre?.sendsSequence === true);
  if ((flags & gre.GreFlag.sequence) !== 0) assert.equal(gre.greSequence(bytes, at, flags), -1);
  const carried = inner[0]! >>> 4 === 6 ? 0x86dd : 0x0800;
  assert.equal(gre.greProtocol(bytes, at), kindIsLayer3(spec.kind) ? carried : gre.GRE_TEB);
}

const cases = specs.chain((spec) =>
  fc.tuple(fc.constant(spec), kindIsLayer3(spec.kind) ? packets : frames, fc.boolean()),
);

it('is right and the same at every place', () => {
  fc.assert(
    fc.property(cases, ([spec, inner, isSocket]) => {
      const tunnel = new Tunnel(0, spec, 0);
      const endpoint = new TunnelEndpoint(0, tunnel, spec.remote!);
      endpoint.egress = isSocket ? -1 : 3;
      if (isSocket) prepareSocket(endpoint);
      else prepareEthernet(endpoint, 0x0200, 1, 0x0200, 2);
      const results = encapsulated(inner, endpoint);
      for (const { octets } of results) assert.deepEqual(octets, results[0]!.octets);
      const { arena, start, octets } = results[2]!;
      const { bytes } = arena;
      const end = start + octets.length;
      const header = end - inner.length - tunnelHeaderOctets(spec);
      assertTunnelHeader(spec, arena, header, end, inner);
      assert.deepEqual(octets.subarray(octets.length - inner.length), new Uint8Array(inner));
      if (isSocket) {
        assert.equal(header, start);
        return;
      }
      const innerEthernet = kindIsLayer3(spec.kind) ? 0 : 14;
      assert.equal(octets.length - inner.length - IP + innerEthernet, tunnelOverhead(spec, tunnel.isIpv6));
      const protocol = spec.kind === TunnelKind.etherip ? 97 : 47;
      const ip = start + IP;
      const tos = spec.tos === TOS_PRESERVE ? 0xb9 : (spec.tos & 0xfc) | 1;
      if (tunnel.isIpv6) {
        assert.equal(checkIpv6(bytes, ip, end), FORWARD);
        assert.deepEqual([ipv6NextHeader(bytes, ip), ipv6HopLimit(bytes, ip)], [protocol, spec.ttl]);
        assert.deepEqual([addressAt(bytes, ip + 8), addressAt(bytes, ip + 24)], [spec.local, spec.remote]);
        assert.equal(ipv6TrafficClass(bytes, ip), tos);
      } else {
        assert.equal(checkIpv4(bytes, ip, end), FORWARD);
        assert.deepEqual([ipv4Protocol(bytes, ip), ipv4Ttl(bytes, ip)], [protocol, spec.ttl]);
        assert.deepEqual([ipv4Source(bytes, ip), ipv4Destination(bytes, ip)], [spec.local[3], spec.remote![3]]);
        assert.equal(ipv4Tos(bytes, ip), tos);
      }
    }),
    { numRuns: 3000 },
  );
});

it('counts what the header leaves of the MTU', () => {
  const gre28 = { sendsChecksum: false, sendsSequence: false, verifiesChecksum: false, checksSequence: false };
  const all = { ...gre28, sendsChecksum: true, sendsSequence: true };
  const of = (kind: TunnelKind, key: number, options = gre28): number[] =>
    [false, true].map((isIpv6) => tunnelOverhead({ kind, key, gre: options }, isIpv6));
  assert.deepEqual(of(TunnelKind.vxlan, 7), [50, 70]);
  assert.deepEqual(of(TunnelKind.gre, 0), [24, 44]);
  assert.deepEqual(of(TunnelKind.gre, 7), [28, 48]);
  assert.deepEqual(of(TunnelKind.gre, 7, all), [36, 56]);
  assert.deepEqual(of(TunnelKind.teb, 0), [38, 58]);
  assert.deepEqual(of(TunnelKind.teb, 7), [42, 62]);
  assert.deepEqual(of(TunnelKind.teb, 0, all), [46, 66]);
  assert.deepEqual(of(TunnelKind.nvgre, 0), [42, 62]);
  assert.deepEqual(of(TunnelKind.etherip, 0), [36, 56]);
});
