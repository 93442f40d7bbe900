// The wide IPs of the DNS benchmarks: 4 members each, with what every mode goes by known of all of them.

import type { WideIpData } from '../../src/assembly/dnsd/source-data.ts';
import {
  type GtmDescription,
  MEMBER_MODES,
  type MemberMode,
  type TopologyRecord,
  virtualServerKey,
} from '../../src/gtm/description.ts';
import { newFacts, pathKey } from '../../src/gtm/facts.ts';
import { description, member, pool, server, virtualServer, wideIp } from '../support/gtm-description.ts';
import { liveWideIps } from '../support/wide-ip-data.ts';
import { memberAddress, WEIGHTS } from './dns-scene.ts';
import { ORIGIN } from './dns-zone.ts';

const PREFIXES = 1000;
const QOS = {
  rtt: 50,
  hitRatio: 5,
  kilobytesPerSecond: 3,
  packetRate: 1,
  hops: 1,
  topology: 1,
  vsCapacity: 1,
  vsScore: 1,
};
const CLIENTS = ['127.0.0.1', '192.0.2.2'];
const NO_MODES: readonly MemberMode[] = ['none', 'drop-packet', 'return-to-dns'];

const datacenterName = (index: number): string => `/Common/dc${index}`;
const serverName = (index: number): string => `/Common/s${index}`;
const keyOf = (index: number): string => virtualServerKey(serverName(index), 'web');

/** A thousand subnets, the clients' among them, each with a score for each datacenter. */
function topology(): TopologyRecord[] {
  const subnets = Array.from({ length: PREFIXES - 2 }, (_, index) => `10.${index >>> 8}.${index & 255}.0/24`);
  return [...subnets, '127.0.0.0/8', '192.0.2.0/24'].flatMap((subnet, index) => {
    const datacenter = datacenterName(index % WEIGHTS.length);
    return {
      name: `ldns: subnet ${subnet} server: datacenter ${datacenter}`,
      ldns: { isNegated: false, kind: 'subnet', value: subnet },
      server: { isNegated: false, kind: 'datacenter', value: datacenter },
      ...{ score: 10, order: index },
    };
  });
}

function describe(modes: readonly MemberMode[], count: number, hasPersistence: boolean): GtmDescription {
  const members = WEIGHTS.map((ratio, index) => member(keyOf(index), { ratio, order: index }));
  const names = Array.from({ length: count }, (_, index) => `${index}`);
  return description({
    datacenters: WEIGHTS.map((_, index) => ({ name: datacenterName(index), enabled: true })),
    servers: WEIGHTS.map((_, index) =>
      server(serverName(index), datacenterName(index), {
        virtualServers: [
          virtualServer('web', { address: Uint8Array.from(memberAddress(index).split('.').map(Number)) }),
        ],
      }),
    ),
    pools: names.map((name, index) =>
      pool('a', `/Common/p${name}`, {
        members,
        preferred: modes[index % modes.length]!,
        alternate: 'none',
        fallbackIp: Uint8Array.of(10, 9, 0, 9),
        qos: { ...QOS, lcs: 0 },
      }),
    ),
    wideIps: names.map((name, index) =>
      wideIp('a', `w${name}.${ORIGIN}`, {
        pools: [{ pool: `/Common/p${name}`, order: 0, ratio: 1 }],
        persistence: hasPersistence && index % 4 === 0 ? { ipv4Bits: 32, ipv6Bits: 128, ttl: 3600 } : undefined,
      }),
    ),
    topology: topology(),
  });
}

/** `text`: what wide IPs go by, and how many there are, as `Scene.wideIps` has it. */
export function benchWideIps(text: string): WideIpData | undefined {
  const [by = '', count = '0'] = text.split(' ');
  if (by === '') return undefined;
  const isMix = by === 'mix';
  const modes = isMix ? MEMBER_MODES.filter((mode) => !NO_MODES.includes(mode)) : [by as MemberMode];
  const facts = newFacts();
  const expires = Math.floor(Date.now() / 1000) + 3600;
  for (const place of WEIGHTS.keys()) {
    const load = { connections: 10 + place, packetsPerSecond: 100 + place, kilobytesPerSecond: 50 + place };
    facts.virtualServers.set(keyOf(place), { status: 'available', ...load, capacity: 10 * (place + 1), score: place });
    facts.servers.set(serverName(place), { status: 'available', cpu: 20 + place });
    for (const client of CLIENTS) {
      const datacenter = datacenterName(place);
      const path = { client, datacenter, roundTripTime: 1000 + place, hops: 3 + place, completionRate: 900 + place };
      facts.paths.set(pathKey(client, datacenter), { ...path, expires });
    }
  }
  return liveWideIps(describe(modes, Number(count), isMix), facts).data;
}
