// What the objects of wide IPs come to as plain data: test/fixtures/bigip/wide-ips.conf, property by property.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { describeGtm } from '../../../../src/assembly/dnsd/gtm-description.ts';
import type { ObjectsOf } from '../../../../src/assembly/dnsd/gtm-description.ts';
import { emptyConfiguration } from '../../../../src/config/configuration.ts';
import type { Configuration } from '../../../../src/config/configuration.ts';
import { loadText } from '../../../../src/config/load-text.ts';
import type { GtmDescription, PoolMember, WideIp } from '../../../../src/gtm/description.ts';
import { TmshSession } from '../../../support/tmsh-session.ts';

const TEXT = readFileSync('test/fixtures/bigip/wide-ips.conf', 'utf8');

function descriptionOf({ views }: Configuration): GtmDescription {
  const objectsOf = ((type: { path: string }) =>
    [...views.values()].filter((object) => object.type === type.path)) as unknown as ObjectsOf;
  return describeGtm(objectsOf);
}

const described = descriptionOf(loadText(TEXT, emptyConfiguration()).configuration);

const NO_LIMITS = { connections: undefined, bitsPerSecond: undefined, packetsPerSecond: undefined };
const ADDRESS_80 = Uint8Array.of(198, 51, 100, 80);
const ADDRESS_81 = Uint8Array.of(198, 51, 100, 81);

/** A member of a pool whose properties are as no one has written them. */
const member = (name: string, order: number, more: Partial<PoolMember> = {}): PoolMember => ({
  name,
  enabled: true,
  order,
  ratio: 1,
  limits: NO_LIMITS,
  dependsOn: [],
  hasMonitor: false,
  isStatic: false,
  priority: 0,
  weight: 0,
  port: 0,
  naptr: { order: 0, preference: 0, flags: '', service: '' },
  ...more,
});

const pool = (type: string, name: string) =>
  described.pools.find((each) => each.type === type && each.name === `/Common/${name}`)!;
const wideIp = (type: string, name: string): WideIp =>
  described.wideIps.find((each) => each.type === type && each.name === `/Common/${name}`)!;

describe('wide IPs as plain data', () => {
  it('settings of all three objects', () => {
    assert.deepEqual(described.settings, {
      verifyVsAvailability: false,
      respectFallbackDependency: true,
      ignorePathTtl: true,
      pathTtl: 600,
      topologyLongestMatch: false,
      topologyAllowZeroScores: true,
      staticPersistIpv4Bits: 24,
      staticPersistIpv6Bits: 56,
      drainPersistentRequests: false,
      wideIpZoneNameserver: 'ns1.example.org',
      qosFactors: {
        rtt: 10_000,
        hops: 50,
        hitRatio: 10_000,
        kilobytesPerSecond: 1_000_000,
        packetRate: 10_000,
        topology: 10,
        vsCapacity: 1,
        vsScore: 1,
        lcs: 1,
      },
    });
  });

  it('datacenters and servers, with limits that count and those that do not', () => {
    assert.deepEqual(described.datacenters, [
      { name: '/Common/frankfurt', enabled: true },
      { name: '/Common/oslo', enabled: false },
    ]);
    const [dns, server] = described.servers;
    assert.deepEqual(dns?.virtualServers, []);
    assert.equal(server?.name, '/Common/lb-fra');
    assert.equal(server.datacenter, '/Common/frankfurt');
    assert.equal(server.hasMonitor, true);
    assert.deepEqual(server.limits, { ...NO_LIMITS, cpuUsage: 90, memoryAvailable: undefined });
    assert.deepEqual(server.virtualServers, [
      {
        name: '/Common/shop_vs',
        address: ADDRESS_80,
        port: 443,
        enabled: true,
        limits: { ...NO_LIMITS, bitsPerSecond: 1_000_000 },
        dependsOn: [],
        translation: { address: '10.0.0.80', port: 8443 },
        hasMonitor: true,
      },
      {
        name: '/Common/shop6_vs',
        address: Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0x51, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80),
        port: 443,
        enabled: true,
        limits: NO_LIMITS,
        dependsOn: ['/Common/lb-fra:/Common/shop_vs'],
        translation: undefined,
        hasMonitor: true,
      },
      {
        name: 'stand_by',
        address: ADDRESS_81,
        port: 443,
        enabled: false,
        limits: NO_LIMITS,
        dependsOn: [],
        translation: undefined,
        hasMonitor: false,
      },
    ]);
  });

  it('a pool of addresses, its members by order', () => {
    assert.deepEqual(pool('a', 'shop'), {
      type: 'a',
      name: '/Common/shop',
      enabled: true,
      preferred: 'quality-of-service',
      alternate: 'topology',
      fallback: 'fallback-ip',
      fallbackIp: Uint8Array.of(198, 51, 100, 99),
      members: [
        member('/Common/lb-fra:/Common/shop_vs', 0, {
          enabled: false,
          limits: { ...NO_LIMITS, packetsPerSecond: 10 },
          dependsOn: ['/Common/lb-fra:/Common/shop6_vs'],
          hasMonitor: true,
        }),
        member('/Common/lb-fra:stand_by', 1, { ratio: 3, hasMonitor: true }),
      ],
      ttl: 60,
      maxAnswersReturned: 2,
      minMembersUp: { mode: 'percent', value: 50 },
      verifyMemberAvailability: false,
      manualResume: true,
      dynamicRatio: true,
      limits: { ...NO_LIMITS, connections: 100 },
      qos: {
        rtt: 50,
        hops: 4,
        hitRatio: 5,
        kilobytesPerSecond: 3,
        packetRate: 1,
        topology: 0,
        vsCapacity: 0,
        vsScore: 0,
        lcs: 0,
      },
    });
  });

  it('a pool in which nothing was set', () => {
    const { members, qos, ...rest } = pool('aaaa', 'shop');
    assert.deepEqual(members, [member('/Common/lb-fra:/Common/shop6_vs', 0)]);
    assert.equal(qos.lcs, 30);
    assert.deepEqual(rest, {
      type: 'aaaa',
      name: '/Common/shop',
      enabled: true,
      preferred: 'global-availability',
      alternate: 'round-robin',
      fallback: 'return-to-dns',
      fallbackIp: undefined,
      ttl: 30,
      maxAnswersReturned: 1,
      minMembersUp: { mode: 'off', value: 0 },
      verifyMemberAvailability: true,
      manualResume: false,
      dynamicRatio: false,
      limits: NO_LIMITS,
    });
  });

  it('pools of names, with what their records have', () => {
    assert.deepEqual(pool('cname', 'cdn').members, [
      member('shop.cdn.example.com', 0, { isStatic: true }),
      member('other.example.org', 1, { ratio: 2 }),
    ]);
    assert.deepEqual(pool('mx', 'mail').members, [
      member('mx1.example.org', 0, { priority: 10 }),
      member('mx2.example.org', 1, { priority: 20 }),
    ]);
    assert.deepEqual(pool('naptr', 'sip').members, [
      member('_sip._udp.example.org', 0, {
        naptr: { order: 100, preference: 50, flags: 's', service: 'SIP+D2U' },
      }),
    ]);
    assert.deepEqual(pool('srv', 'sip').members, [
      member('sip1.example.org', 0, { port: 5060, priority: 1, weight: 60 }),
    ]);
  });

  it('wide IPs of all types, names in lower case, pools by order', () => {
    assert.equal(described.wideIps.length, 7);
    assert.deepEqual(wideIp('a', 'shop.example.org'), {
      type: 'a',
      name: '/Common/shop.example.org',
      domain: 'shop.example.org',
      aliases: ['www.shop.example.net', 'shop-?.example.net'],
      enabled: true,
      poolMode: 'ratio',
      pools: [{ pool: '/Common/shop', order: 1, ratio: 5 }],
      cnamePools: [{ pool: '/Common/cdn', order: 0, ratio: 1 }],
      lastResort: { type: 'aaaa', pool: '/Common/shop' },
      persistence: { ipv4Bits: 16, ipv6Bits: 128, ttl: 600 },
      minimalResponse: false,
      failure: { rcode: 3, ttl: 0 },
      prefersClientSubnet: true,
      logs: ['pool-selection', 'pool-member-traversal'],
    });
    assert.equal(wideIp('a', '*.shop.example.org').domain, '*.shop.example.org');
    assert.equal(wideIp('aaaa', 'shop.example.org').enabled, false);
  });

  it('a wide IP that replies no failure itself replies what the settings say', () => {
    const { failure, persistence, lastResort, cnamePools, prefersClientSubnet } = wideIp('cname', 'cdn.example.org');
    assert.deepEqual(failure, { rcode: 2, ttl: 30 });
    assert.deepEqual([persistence, lastResort, cnamePools, prefersClientSubnet], [undefined, undefined, [], false]);
  });

  it('regions, topology records and applications', () => {
    assert.deepEqual(described.regions, [
      {
        name: '/Common/europe',
        members: [
          { isNegated: false, kind: 'continent', value: 'EU' },
          { isNegated: true, kind: 'country', value: 'IS' },
          { isNegated: false, kind: 'state', value: 'NO/Oslo' },
          { isNegated: false, kind: 'isp', value: 'Big Net' },
        ],
      },
      {
        name: '/Common/nordic',
        members: [
          { isNegated: false, kind: 'region', value: '/Common/europe' },
          { isNegated: false, kind: 'subnet', value: '2001:db8:600::/40' },
        ],
      },
    ]);
    assert.deepEqual(
      described.topology.find(({ order }) => order === 2),
      {
        name: 'ldns: not subnet 192.0.2.0/24 server: datacenter /Common/oslo',
        ldns: { isNegated: true, kind: 'subnet', value: '192.0.2.0/24' },
        server: { isNegated: false, kind: 'datacenter', value: '/Common/oslo' },
        score: 0,
        order: 2,
      },
    );
    assert.equal(described.topology.find(({ order }) => order === 3)?.score, 1);
    assert.deepEqual(described.applications, [
      {
        name: '/Common/shop',
        wideIps: [
          { type: 'a', name: '/Common/shop.example.org' },
          { type: 'aaaa', name: '/Common/shop.example.org' },
        ],
        dependencyLevel: 'datacenter',
        persistence: { ipv4Bits: 24, ipv6Bits: 128, ttl: 3600 },
        disabledContexts: [{ kind: 'datacenter', name: '/Common/oslo' }],
      },
    ]);
  });

  it('stay the same where nothing changes', async () => {
    const session = new TmshSession();
    session.files.set('own', TEXT);
    await session.run('load sys config');
    const before = descriptionOf(session.configuration);
    await session.run('modify gtm pool mx mail ttl 7');
    const after = descriptionOf(session.configuration);
    assert.deepEqual(
      after.pools.filter((each) => !before.pools.includes(each)).map(({ name, ttl }) => [name, ttl]),
      [['/Common/mail', 7]],
    );
    assert.ok(after.wideIps.every((each, index) => each === before.wideIps[index]));
    assert.ok(after.servers.every((each, index) => each === before.servers[index]));
  });
});
