// Encapsulation over IPv6 by words and by octets: the same packet wherever in memory the frame lies, with the right checksum.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import type { AddressWords } from '../../src/core/address.ts';
import { FORWARD } from '../../src/core/drop-reason.ts';
import { Arena } from '../../src/packet/arena.ts';
import { Frame } from '../../src/packet/frame.ts';
import { TunnelEndpoint } from '../../src/tunnel/endpoint.ts';
import { udpService } from '../../src/tunnel/service.ts';
import { TOS_PRESERVE, Tunnel, TunnelKind, UdpChecksum } from '../../src/tunnel/tunnel.ts';
import { encapsulateVxlanIpv6, prepareVxlanIpv6 } from '../../src/tunnel/vxlan-ipv6.ts';
import { checkIpv6, ipv6PseudoHeaderSum, ipv6TrafficClass } from '../../src/wire/ipv6.ts';
import { checkUdp, checkUdpChecksum, udpHasChecksum, udpOctets } from '../../src/wire/udp.ts';
import { checkVxlan, vxlanVni } from '../../src/wire/vxlan.ts';
import { addressAt, FILLER } from '../support/octets.ts';

const HEADROOM = 128;
const OUTER_OCTETS = 70;
const IP = 14;
const UDP = 54;
const VXLAN = 62;

const i32 = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff });
const address = fc.tuple(fc.constant(0x2001_0db8), i32, i32, i32).map((words): AddressWords => words);

it('is right and the same at every place', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 14, maxLength: 200 }),
      fc.record({
        local: address,
        remote: address,
        key: fc.nat(0xffffff),
        port: fc.integer({ min: 1, max: 65535 }),
        ttl: fc.integer({ min: 1, max: 255 }),
        tos: fc.constantFrom(TOS_PRESERVE, 0, 0x28, 0xff),
        checksum: fc.boolean(),
      }),
      (inner, { local, remote, key, port, ttl, tos, checksum }) => {
        const spec = {
          ...{
            kind: TunnelKind.vxlan,
            member: 0,
            name: 'vx',
            local,
            remote,
            key,
            service: udpService(port),
            ttl,
            tos,
            mtu: 1500,
            learnsEndpoints: false,
          },
          ...{
            sourcePortMin: 49_152,
            sourcePortMax: 65_535,
            receives: true,
            sends: true,
            usesPathMtu: true,
            mssClamp: 0,
          },
          udpChecksum: checksum ? UdpChecksum.always : UdpChecksum.never,
        };
        const endpoint = new TunnelEndpoint(0, new Tunnel(0, spec, 0), remote);
        prepareVxlanIpv6(endpoint, 0x0200, 1, 0x0200, 2);
        const packets = [0, 1, 2, 3].map((offset) => {
          const arena = new Arena(new ArrayBuffer(1024));
          arena.bytes.fill(FILLER);
          const frame = new Frame();
          frame.start = HEADROOM + offset;
          frame.end = frame.start + inner.length;
          arena.bytes.set(inner, frame.start);
          encapsulateVxlanIpv6(arena, frame, endpoint);
          assert.equal(frame.start, HEADROOM + offset - OUTER_OCTETS);
          assert.equal(arena.bytes[frame.start - 1], FILLER, 'an octet in front of the headers was written');
          assert.equal(frame.ownUdp, checksum ? 1 : 0);
          return { arena, start: frame.start, octets: arena.bytes.slice(frame.start, frame.end) };
        });
        for (const { octets } of packets) assert.deepEqual(octets, packets[0]!.octets);
        const { arena, start, octets } = packets[2]!;
        const { bytes, words } = arena;
        const end = start + octets.length;
        assert.equal(checkIpv6(bytes, start + IP, end), FORWARD);
        assert.equal(checkUdp(bytes, start + UDP, end), FORWARD);
        assert.equal(udpOctets(bytes, start + UDP), end - start - UDP);
        assert.equal(udpHasChecksum(bytes, start + UDP), checksum);
        const pseudo = ipv6PseudoHeaderSum(bytes, start + IP, 17, end - start - UDP);
        assert.equal(checkUdpChecksum(bytes, words, start + UDP, pseudo), FORWARD);
        assert.equal(checkVxlan(bytes, start + VXLAN, end), FORWARD);
        assert.equal(vxlanVni(bytes, start + VXLAN), key);
        assert.deepEqual([addressAt(bytes, start + IP + 8), addressAt(bytes, start + IP + 24)], [local, remote]);
        if (tos !== TOS_PRESERVE) assert.equal(ipv6TrafficClass(bytes, start + IP) & ~3, tos & ~3);
        assert.deepEqual(octets.subarray(OUTER_OCTETS), inner);
      },
    ),
    { numRuns: 2000 },
  );
});
