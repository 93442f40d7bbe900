// Super-frames that leave a tunnel behind outer headers, for the port to have them cut, and when they are cut here instead.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Column } from '../../../src/core/counters.ts';
import { FrameBatch, Gso } from '../../../src/packet/frame.ts';
import type { Tap } from '../../../src/pipeline/tap.ts';
import { protocolService } from '../../../src/tunnel/service.ts';
import { TunnelKind, type TunnelSpec, UdpChecksum } from '../../../src/tunnel/tunnel.ts';
import { IpProtocol } from '../../../src/wire/ipv4.ts';
import { naiveChecksum } from '../../support/naive-checksum.ts';
import { Id, memberRow, Rig, type RigOptions, words } from '../../support/dataplane-rig.ts';
import { transportFrame } from '../../support/transport-frames.ts';

const GSO_SIZE = 1400;
const PAYLOAD_OCTETS = 5000;
const SEGMENTS = 4;
const HEADER_OCTETS = 14 + 20 + 20;
const OUTER_OCTETS = { 4: 50, 6: 70 } as const;
const LOCAL_6 = '2001:db8:9::1';
const REMOTE_6 = '2001:db8:9::2';

const WATCHING: Tap = { passing: true, dropped: false, recordPass: () => undefined, recordDrop: () => undefined };

function rigOf(options: RigOptions, outer: 4 | 6 = 4, udpChecksum: UdpChecksum = UdpChecksum.always): Rig {
  const rig = Rig.withTunnel({ cutsTunnelled: true, ...options });
  if (outer === 6) {
    const self = { name: 'wan6', domain: Id.wanDomain, words: words(LOCAL_6), isIpv6: true, prefixBits: 64 };
    const neighbour = { domain: Id.wanDomain, address: words(REMOTE_6), mac: { high: 0x02ee, low: 2 } };
    rig.apply({ op: 'set-self', spec: self }, { op: 'set-static-neighbour', spec: neighbour });
  } else {
    rig.resolveRemote();
  }
  const ends = outer === 6 ? { local: words(LOCAL_6), remote: words(REMOTE_6) } : {};
  rig.apply(rig.tunnelMember(Id.vx1, { tunnel: { ...ends, udpChecksum } }));
  rig.received(0);
  return rig;
}

/** A super-frame of TCP comes in by port 1. */
function send(rig: Rig, sequence = 1000): void {
  const { octets, transportAt } = transportFrame({
    ...{ family: 4, protocol: 'tcp', tags: [], ipOptions: new Uint8Array(), identification: 7, sequence, flags: 0x10 },
    ...{ tcpOptions: new Uint8Array(), payload: new Uint8Array(PAYLOAD_OCTETS).fill(9), checksum: 'partial' },
  });
  // To a station behind the tunnel, not to the bridge itself.
  octets[5] = 9;
  // DF, so that no segment is fragmented.
  octets[20]! |= 0x40;
  octets.fill(0, 24, 26);
  Buffer.from(octets.buffer, octets.byteOffset).writeUInt16BE(naiveChecksum(octets.subarray(14, 34)), 24);
  rig.apply(rig.station(Id.bridgeDomain, '02:00:00:00:00:09', Id.vx1));
  const frame = rig.pool.acquire(octets.length)!;
  rig.arena.bytes.set(octets, frame.start);
  frame.end = frame.start + octets.length;
  frame.gsoType = Gso.tcp4;
  frame.gsoSize = GSO_SIZE;
  frame.checksumStart = frame.start + transportAt;
  frame.checksumOffset = 16;
  const batch = new FrameBatch();
  batch.push(frame);
  rig.far(1).transmit(batch, () => assert.fail('refused'));
  rig.pool.release(frame);
  rig.dataplane.breath();
}

type Left = { octets: Buffer; gsoType: number; inner: number; checksum: number };

/** What has left by port 0: offsets from the start of each frame. */
function left(rig: Rig): Left[] {
  const batch = new FrameBatch();
  rig.far(0).receive(batch);
  return batch.frames.slice(0, batch.length).map(({ start, end, gsoType, innerStart, checksumStart }) => ({
    octets: Buffer.from(rig.arena.bytes.slice(start, end)),
    gsoType,
    inner: innerStart === 0 ? 0 : innerStart - start,
    checksum: checksumStart === 0 ? 0 : checksumStart - start,
  }));
}

describe('a super-frame', () => {
  for (const outer of [4, 6] as const) {
    for (const udpChecksum of [UdpChecksum.never, UdpChecksum.always]) {
      it(`leaves whole over IPv${outer}, ${udpChecksum === UdpChecksum.never ? 'without checksum' : 'the sum of the pseudo-header as checksum'}`, () => {
        const rig = rigOf({}, outer, udpChecksum);
        send(rig);
        const [frame, ...more] = left(rig);
        assert.ok(frame !== undefined && more.length === 0);
        const { octets, gsoType, inner, checksum } = frame;
        const innerAt = OUTER_OCTETS[outer];
        assert.deepEqual([gsoType, inner, checksum], [Gso.tcp4, innerAt, innerAt + 34]);
        assert.equal(octets.length, innerAt + HEADER_OCTETS + PAYLOAD_OCTETS);
        const udp = innerAt - 16;
        const udpOctets = octets.length - udp;
        assert.equal(octets.readUInt16BE(udp + 4), udpOctets);
        const addresses = octets.subarray(outer === 4 ? 26 : 22, udp);
        const pseudo = Buffer.concat([addresses, Buffer.from([0, 17, udpOctets >> 8, udpOctets & 255])]);
        const sum = 0xffff - naiveChecksum(pseudo);
        assert.equal(octets.readUInt16BE(udp + 6), udpChecksum === UdpChecksum.never ? 0 : sum);
        assert.deepEqual(rig.drops(), {});
      });
    }
  }

  const gre = { sendsChecksum: false, verifiesChecksum: false, sendsSequence: false, checksSequence: false };
  const direct = (kind: TunnelKind, change: Partial<TunnelSpec> = {}): Rig => {
    const rig = rigOf({});
    const service = protocolService(kind === TunnelKind.etherip ? IpProtocol.etherip : IpProtocol.gre);
    rig.apply(rig.tunnelMember(Id.vx1, { tunnel: { kind, service, key: 0, gre, ...change } }));
    send(rig);
    return rig;
  };
  const types = (rig: Rig): number[] => left(rig).map(({ gsoType }) => gsoType);

  it('leaves whole in GRE for frames and in EtherIP', () => {
    for (const kind of [TunnelKind.teb, TunnelKind.nvgre, TunnelKind.etherip]) {
      const rig = direct(kind);
      assert.deepEqual(types(rig), [Gso.tcp4]);
      assert.deepEqual(rig.drops(), {});
    }
  });

  it('is cut here where its packets have a checksum or number of their own, or may be fragmented', () => {
    const changes: Partial<TunnelSpec>[] = [
      { gre: { ...gre, sendsChecksum: true } },
      { gre: { ...gre, sendsSequence: true } },
      { usesPathMtu: false },
    ];
    for (const change of changes) {
      assert.deepEqual(types(direct(TunnelKind.teb, change)), Array<number>(SEGMENTS).fill(Gso.none));
    }
  });

  it('counts as the frames that it becomes', () => {
    const rig = rigOf({});
    send(rig);
    const row = memberRow(Id.vx1);
    assert.equal(rig.counters.read(row, Column.outFrames), SEGMENTS);
    assert.equal(rig.counters.read(row, Column.outOctets), SEGMENTS * HEADER_OCTETS + PAYLOAD_OCTETS);
  });

  const assertCut = (rig: Rig): void => {
    const frames = left(rig);
    assert.deepEqual(
      frames.map(({ octets, gsoType, inner, checksum }) => [octets.length, gsoType, inner, checksum]),
      [1400, 1400, 1400, 800].map((octets) => [OUTER_OCTETS[4] + HEADER_OCTETS + octets, 0, 0, 0]),
    );
    assert.deepEqual(rig.drops(), {});
  };

  it('is cut here for a port that takes none', () => {
    const rig = rigOf({ cutsTunnelled: false });
    send(rig);
    assertCut(rig);
  });

  it('is cut here while somebody captures', () => {
    const rig = rigOf({ tap: WATCHING });
    send(rig);
    assertCut(rig);
  });

  it('is cut here while it waits for its next hop', () => {
    const rig = Rig.withTunnel({ cutsTunnelled: true });
    send(rig);
    rig.received(0);
    rig.resolveRemote();
    rig.dataplane.breath();
    assertCut(rig);
    send(rig);
    assert.deepEqual(
      left(rig).map(({ gsoType }) => gsoType),
      [Gso.tcp4],
    );
  });

  it('is cut when its segments are larger than the tunnel carries, and they are dropped', () => {
    const rig = rigOf({});
    rig.apply(rig.tunnelMember(Id.vx1, { tunnel: { mtu: 1400 } }));
    send(rig);
    assert.equal(left(rig).length, 1);
    assert.deepEqual(rig.drops(), { 'tunnel-mtu-exceeded': SEGMENTS - 1 });
  });
});
