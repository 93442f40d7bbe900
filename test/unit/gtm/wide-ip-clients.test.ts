import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encode, type Answer } from 'dns-packet';
import { ZoneFinding } from '../../../src/dns/reply.ts';
import type { PoolMode, TopologyRecord, WideIp } from '../../../src/gtm/description.ts';
import { WideIpBit } from '../../../src/gtm/state-layout.ts';
import {
  answer,
  describeGtm,
  Health,
  NAME,
  octetsOf,
  poolOf,
  POOLS,
  rigOf,
  wideIpOf,
  WideIpRig,
} from '../../support/wide-ips.ts';

describe('persistence of a wide IP', () => {
  const persistence = { ipv4Bits: 24, ipv6Bits: 56, ttl: 100 };
  const pools = [
    poolOf('a', '/Common/p1', ['192.0.2.1', '192.0.2.2', '192.0.2.3'], { preferred: 'round-robin' }),
    poolOf('a', '/Common/last', ['192.0.2.9']),
  ];
  const lastResort = { type: 'a', pool: '/Common/last' } as const;
  const rigWith = (settings: { drainPersistentRequests?: boolean } = {}, changes: Partial<WideIp> = {}): WideIpRig =>
    new WideIpRig(
      describeGtm([wideIpOf('a', NAME, ['/Common/p1'], { persistence, lastResort, ...changes })], pools, { settings }),
    );

  it('sends the clients of a network where one of them was sent, for as long as it says', () => {
    const rig = rigWith();
    assert.deepEqual(rig.ask(NAME), answer('192.0.2.1'));
    rig.sender.addresses = octetsOf('198.51.100.99');
    assert.deepEqual(rig.ask(NAME), answer('192.0.2.1'));
    rig.sender.addresses = octetsOf('198.51.101.99');
    assert.deepEqual(rig.ask(NAME), answer('192.0.2.2'));
    rig.sender.addresses = octetsOf('198.51.100.7');
    rig.sender.now += 99;
    assert.deepEqual(rig.ask(NAME), answer('192.0.2.1'));
    // Counted from the first answer.
    rig.sender.now += 1;
    assert.deepEqual(rig.ask(NAME), answer('192.0.2.3'));
    assert.deepEqual(rig.counted(NAME), { requests: 5, resolutions: 5, preferred: 3, persisted: 2 });
  });

  it('ends when the member is down, and lasts when it is only switched off, if that is wanted', () => {
    const rig = rigWith();
    rig.ask(NAME);
    rig.set('192.0.2.1', Health.disabled);
    assert.deepEqual(rig.ask(NAME), answer('192.0.2.1'));
    rig.set('192.0.2.1', Health.down);
    assert.deepEqual(rig.ask(NAME), answer('192.0.2.2'));
    const hard = rigWith({ drainPersistentRequests: false });
    hard.ask(NAME);
    hard.set('192.0.2.1', Health.disabled);
    assert.deepEqual(hard.ask(NAME), answer('192.0.2.2'));
  });

  it('knows members of the pool of last resort, and none of pools that the wide IP has no more', () => {
    const rig = rigWith();
    rig.set('192.0.2.1', Health.down).set('192.0.2.2', Health.down).set('192.0.2.3', Health.down);
    assert.deepEqual(rig.ask(NAME), answer('192.0.2.9'));
    rig.set('192.0.2.1', Health.up);
    assert.deepEqual(rig.ask(NAME), answer('192.0.2.9'));
    const after = new WideIpRig(describeGtm([wideIpOf('a', NAME, ['/Common/p1'], { persistence })], pools), rig);
    assert.deepEqual(after.ask(NAME), answer('192.0.2.1'));
  });

  it('is that of the application where the wide IP has none', () => {
    const application = {
      name: '/Common/app',
      wideIps: [{ type: 'a', name: `/Common/${NAME}` }],
      dependencyLevel: 'none',
      persistence,
      disabledContexts: [],
    } as const;
    const wideIp = wideIpOf('a', NAME, ['/Common/p1']);
    const rig = new WideIpRig(describeGtm([wideIp], pools, { applications: [application] }));
    assert.deepEqual(rig.ask(NAME), answer('192.0.2.1'));
    assert.deepEqual(rig.ask(NAME), answer('192.0.2.1'));
    assert.deepEqual(rig.counted(NAME), { requests: 2, resolutions: 2, preferred: 1, persisted: 1 });
  });
});

describe('a pool of an application', () => {
  it('is another one than the same pool of other wide IPs', () => {
    const application = {
      name: '/Common/app',
      wideIps: [{ type: 'a', name: '/Common/in.example.com' }],
      dependencyLevel: 'none',
      persistence: undefined,
      disabledContexts: [],
    } as const;
    const wideIps = [wideIpOf('a', 'in.example.com', ['/Common/p1']), wideIpOf('a', 'out.example.com', ['/Common/p1'])];
    const rig = new WideIpRig(describeGtm(wideIps, [POOLS[0]!], { applications: [application] }));
    const { pools, members, wideIps: entries } = rig.index;
    assert.deepEqual(
      pools.map(({ pool, application: of, firstMember, members: count }) => [pool.name, of?.name, firstMember, count]),
      [
        ['/Common/p1', undefined, 0, 2],
        ['/Common/p1', '/Common/app', 2, 2],
      ],
    );
    assert.deepEqual(
      entries.map(({ pools: own }) => own),
      [[1], [0]],
    );
    assert.deepEqual(
      members.map(({ pool }) => pool),
      [0, 0, 1, 1],
    );
    // Only the application's first member is down.
    rig.writer.set(rig.memory.layout.membersAt + 2, Health.down);
    rig.writer.commit();
    assert.deepEqual(rig.ask('in.example.com'), ['NOERROR aa', 'an in.example.com 30 A 192.0.2.2']);
    assert.deepEqual(rig.ask('out.example.com'), ['NOERROR aa', 'an out.example.com 30 A 192.0.2.1']);
  });
});

describe('a wide IP that its application takes down', () => {
  const lastResort = { type: 'a', pool: '/Common/last' } as const;
  const persistence = { ipv4Bits: 32, ipv6Bits: 128, ttl: 100 };

  it('is not answered by its pools, nor by what clients were sent to, but by that of last resort', () => {
    const pools = [...POOLS, poolOf('a', '/Common/last', ['192.0.2.9'])];
    const rig = rigOf({ persistence, lastResort }, pools);
    assert.deepEqual(rig.ask(NAME), answer('192.0.2.1'));
    rig.writer.set(rig.memory.layout.wideIpsAt, WideIpBit.enabled);
    rig.writer.commit();
    assert.deepEqual(rig.ask(NAME), answer('192.0.2.9'));
    rig.writer.set(rig.memory.layout.wideIpsAt, WideIpBit.enabled | WideIpBit.available);
    rig.writer.commit();
    assert.deepEqual(rig.ask(NAME), answer('192.0.2.9'));
  });
});

describe('the place of a client', () => {
  const topology = [
    ['192.0.2.0/24', '/Common/p1'],
    ['198.51.100.0/24', '/Common/p2'],
  ].map(([subnet, pool], order) => ({
    name: `r${order}`,
    ldns: { isNegated: false, kind: 'subnet', value: subnet! },
    server: { isNegated: false, kind: 'pool', value: pool! },
    score: 10,
    order,
  })) satisfies TopologyRecord[];
  const rigWith = (prefersClientSubnet: boolean, poolMode: PoolMode = 'topology'): WideIpRig => {
    const wideIp = wideIpOf('a', NAME, ['/Common/p1', '/Common/p2'], { poolMode, prefersClientSubnet });
    return new WideIpRig(describeGtm([wideIp], POOLS, { topology }));
  };
  /** A question with the client subnet 192.0.2.0/24, or another prefix of it. */
  const withSubnet = (bits: number): Uint8Array => {
    const octets = Uint8Array.of(0, 1, bits, 0, ...[192, 0, 2].slice(0, Math.ceil(bits / 8)));
    const option = { code: 8, data: Buffer.from(octets) };
    return encode({
      type: 'query',
      questions: [{ type: 'A', name: NAME }],
      additionals: [{ type: 'OPT', name: '.', udpPayloadSize: 1232, flags: 0, options: [option] } as unknown as Answer],
    });
  };

  it('is that of the resolver, or of the client subnet where the wide IP prefers that', () => {
    assert.deepEqual(rigWith(true).ask(NAME), answer('192.0.2.3'));
    const [, line] = rigWith(true).askOctets(withSubnet(24));
    assert.equal(line, `an ${NAME} 30 A 192.0.2.1`);
    assert.equal(rigWith(false).askOctets(withSubnet(24))[1], `an ${NAME} 30 A 192.0.2.3`);
    assert.equal(rigWith(true).askOctets(withSubnet(0))[1], `an ${NAME} 30 A 192.0.2.3`);
  });

  it('is said in the reply only where the answer depends on it', () => {
    for (const [rig, bits, expected] of [
      [rigWith(true), 24, 24],
      [rigWith(true), 23, 23],
      [rigWith(true), 0, 0],
      [rigWith(false), 24, 0],
      [rigWith(true, 'round-robin'), 24, 0],
    ] as const) {
      rig.askOctets(withSubnet(bits));
      assert.equal(rig.reply.scopeBits, expected);
    }
  });
});

describe('a reply of a wide IP', () => {
  it('says for the rate limit what makes answers alike: the wide IP, and whether it has one', () => {
    const rig = rigOf({ aliases: ['*.example.org'], failure: { rcode: 3, ttl: 0 } });
    rig.ask('a.example.org');
    const { foundHash, finding } = rig.reply;
    rig.ask('b.example.org');
    assert.deepEqual([rig.reply.foundHash, rig.reply.finding], [foundHash, finding]);
    assert.equal(finding, ZoneFinding.records);
    rig.set('', Health.down).ask('b.example.org');
    assert.deepEqual([rig.reply.foundHash, rig.reply.finding], [foundHash, ZoneFinding.noName]);
  });

  it('wants the name servers beside it unless it is to be minimal', () => {
    for (const minimalResponse of [true, false]) {
      const rig = rigOf({ minimalResponse, failure: { rcode: 3, ttl: 0 } });
      rig.ask(NAME);
      assert.equal(rig.reply.wantsAuthority, !minimalResponse);
      rig.set('', Health.down).ask(NAME);
      assert.equal(rig.reply.wantsAuthority, false);
    }
  });
});
