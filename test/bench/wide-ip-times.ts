// What wide IPs cost, without a network: to compile a large configuration, to find a name, to answer. Run from what is built:
//
//   node dist/test/bench/wide-ip-times.js

import { MessageWriter } from '../../src/dns/message-writer.ts';
import { Query, readQuery } from '../../src/dns/query.ts';
import { Reply } from '../../src/dns/reply.ts';
import { compileWideIps } from '../../src/gtm/compile-wide-ips.ts';
import type { GtmPool, WideIp } from '../../src/gtm/description.ts';
import { queryOf } from '../support/dns.ts';
import { describeGtm, poolOf, wideIpOf, WideIpRig } from '../support/wide-ips.ts';

const WIDE_IPS = 10_000;
const REFERENCES = 40;
const MEMBERS_OF_A_POOL = 40;
const ROUNDS = 7;
const CALLS = 200_000;

function addressOf(index: number): string {
  return `10.${(index >>> 16) & 255}.${(index >>> 8) & 255}.${index & 255}`;
}

/** 10,000 wide IPs, each of 40 pools of 40 members: 400,000 members in all. */
function largeDescription(): [WideIp[], GtmPool[]] {
  const pools = Array.from({ length: WIDE_IPS }, (_, pool) =>
    poolOf(
      'a',
      `/Common/pool${pool}`,
      Array.from({ length: MEMBERS_OF_A_POOL }, (__, member) => addressOf(pool * MEMBERS_OF_A_POOL + member)),
    ),
  );
  const wideIps = Array.from({ length: WIDE_IPS }, (_, number) =>
    wideIpOf(
      'a',
      `www${number}.example.com`,
      Array.from({ length: REFERENCES }, (__, place) => `/Common/pool${(number + place * 97) % WIDE_IPS}`),
    ),
  );
  return [wideIps, pools];
}

/** Nanoseconds of CPU that this process has had: others on the machine do not count. */
function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return 1000 * (user + system);
}

/** The least of several rounds, in nanoseconds a call. */
function time(call: () => void): number {
  const rounds = Array.from({ length: ROUNDS }, () => {
    const start = cpuTime();
    for (let index = 0; index < CALLS; index++) call();
    return (cpuTime() - start) / CALLS;
  });
  return Math.min(...rounds);
}

function timeAnswer(what: string, rig: WideIpRig, name: string, type = 'A'): void {
  const octets = queryOf({ name, type });
  const query = new Query();
  const reply = new Reply();
  const means = { writer: new MessageWriter(), limit: 1232, isStream: false };
  const read = time(() => readQuery(octets, 0, octets.length, query));
  const whole = time(() => {
    readQuery(octets, 0, octets.length, query);
    rig.answerer.answer(query, reply, means, rig.sender);
  });
  console.log(`${what}: ${(whole - read).toFixed(0)} ns, and ${read.toFixed(0)} ns to read the query`);
}

const [wideIps, pools] = largeDescription();
const description = describeGtm(wideIps, pools);
for (let round = 0; round < 3; round++) {
  const start = cpuTime();
  const { index, tables } = compileWideIps(description);
  const seconds = (cpuTime() - start) / 1e9;
  console.log(
    `compiled ${index.wideIps.length} wide IPs, ${tables.references.length / 4} references, ${index.members.length} members: ${seconds.toFixed(2)} s`,
  );
}
const four = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4'];
for (const mode of ['round-robin', 'global-availability', 'ratio', 'static-persistence'] as const) {
  const rig = new WideIpRig(
    describeGtm(
      [wideIpOf('a', 'www.example.com', ['/Common/p'])],
      [poolOf('a', '/Common/p', four, { preferred: mode })],
    ),
  );
  timeAnswer(`one pool of four members, ${mode}`, rig, 'www.example.com');
}
const large = new WideIpRig(description);
timeAnswer('40 pools of 40 members among 10,000 wide IPs', large, 'www777.example.com');
timeAnswer('no such name', large, 'nothing.example.org');
const patterns = new WideIpRig(
  describeGtm([wideIpOf('a', '*.example.com', []), wideIpOf('a', 'w?w.example.net', [])], []),
);
timeAnswer('no such name, with patterns', patterns, 'www.test.example.org');
