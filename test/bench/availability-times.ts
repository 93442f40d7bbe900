// What it costs that something is known of a virtual server, with 10,000 wide IPs of 40 pools each. Run from what is built:
//
//   node dist/test/bench/availability-times.js

import { Availability } from '../../src/gtm/availability.ts';
import { compileWideIps } from '../../src/gtm/compile-wide-ips.ts';
import { virtualServerKey } from '../../src/gtm/description.ts';
import { type FactChange, type FactStatus, memberKey, newFacts } from '../../src/gtm/facts.ts';
import { newStateMemory, StateReader, StateWriter } from '../../src/gtm/state-journal.ts';
import * as make from '../support/gtm-description.ts';

const WIDE_IPS = 10_000;
const POOLS_OF_A_WIDE_IP = 40;
const POOLS = 10_000;
const VIRTUAL_SERVERS_OF_A_SERVER = 100;
const CHANGES = 50_000;

/** `members` in each pool; each virtual server is in `shares` pools. */
function describe(members: number, shares: number) {
  const count = (POOLS * members) / shares;
  const key = (number: number): string =>
    virtualServerKey(`/Common/s${Math.floor(number / VIRTUAL_SERVERS_OF_A_SERVER)}`, `v${number}`);
  const servers = Array.from({ length: count / VIRTUAL_SERVERS_OF_A_SERVER }, (_, server) =>
    make.server(`/Common/s${server}`, '/Common/d', {
      virtualServers: Array.from({ length: VIRTUAL_SERVERS_OF_A_SERVER }, (__, number) =>
        make.virtualServer(`v${server * VIRTUAL_SERVERS_OF_A_SERVER + number}`),
      ),
    }),
  );
  const pools = Array.from({ length: POOLS }, (_, pool) =>
    make.pool('a', `/Common/p${pool}`, {
      members: Array.from({ length: members }, (__, place) => make.member(key((pool * members + place) % count))),
    }),
  );
  const wideIps = Array.from({ length: WIDE_IPS }, (_, number) =>
    make.wideIp('a', `w${number}.test`, {
      pools: Array.from({ length: POOLS_OF_A_WIDE_IP }, (__, place) => ({
        ...{ pool: `/Common/p${(number + place * 97) % POOLS}`, order: place, ratio: 1 },
      })),
    }),
  );
  const datacenters = [{ name: '/Common/d', enabled: true }];
  return { key, count, compiled: compileWideIps(make.description({ datacenters, servers, pools, wideIps })) };
}

/** Nanoseconds of CPU that this process has had: others on the machine do not count. */
function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return 1000 * (user + system);
}

function measure(what: string, members: number, shares: number): void {
  const { key, count, compiled } = describe(members, shares);
  const writer = new StateWriter(newStateMemory(compiled.tables.layout));
  const first = cpuTime();
  const availability = new Availability(compiled.index, writer, newFacts());
  const built = (cpuTime() - first) / 1e6;
  availability.start();
  const all = (cpuTime() - first) / 1e6;
  const reader = new StateReader(writer.memory);
  const status = (change: number): FactStatus => ((change / count) & 1 ? 'available' : 'offline');
  const runOf = (changeOf: (change: number) => FactChange): number => {
    const start = cpuTime();
    for (let change = 0; change < CHANGES; change++) {
      availability.apply(changeOf(change));
      writer.commit();
      reader.catchUp();
    }
    return (cpuTime() - start) / CHANGES;
  };
  const run = (facts: (change: number) => object): number =>
    runOf((change) => ({ kind: 'virtual-server', key: key((change * 7) % count), facts: facts(change) }));
  const ofMember = (change: number): FactChange => {
    const [pool, place] = [change % POOLS, Math.floor(change / POOLS) % members];
    const member = memberKey('a', `/Common/p${pool}`, key((pool * members + place) % count));
    return { kind: 'member', key: member, facts: { status: status(change) } };
  };
  const toggled = run((change) => ({ status: status(change) }));
  const loaded = run((change) => ({ status: 'available', connections: change }));
  const mapped = cpuTime();
  availability.graph.memberNumbers();
  const map = (cpuTime() - mapped) / 1e6;
  const own = runOf(ofMember);
  const share = (10_000 * toggled) / 1e7;
  console.log(`${what}: all anew ${all.toFixed(0)} ms, of which ${built.toFixed(0)} are edges`);
  console.log(
    `  up or down: ${(toggled / 1000).toFixed(1)} µs a change, 10,000 a second are ${share.toFixed(1)} % of a core`,
  );
  console.log(
    `  a member by itself: ${(own / 1000).toFixed(1)} µs a change; ${map.toFixed(0)} ms to find members by name, once`,
  );
  console.log(`  connections: ${(loaded / 1000).toFixed(1)} µs a change`);
}

measure('one member in each pool, so that its 40 wide IPs change', 1, 1);
measure('40 members in each pool, each virtual server in 1', 40, 1);
measure('40 members in each pool, each virtual server in 40', 40, 40);
