// time-out: 300 s
// Ten thousand wide IPs of forty pools each behind an engine on sockets, while ten thousand changes of health a second go over: no
// answer is lost, and none is of half a change.

import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { Outcome } from '../../src/dns/outcome.ts';
import { WIDE_IP_COUNTERS, WideIpCounter } from '../../src/gtm/counts.ts';
import { type GtmDescription, virtualServerKey } from '../../src/gtm/description.ts';
import type { FactStatus } from '../../src/gtm/facts.ts';
import { OneListener } from '../support/dns-engine.ts';
import { ask } from '../support/dns-peers.ts';
import { linesOf, queryOf } from '../support/dns.ts';
import { zonesAlone } from '../../src/assembly/dnsd/source-data.ts';
import { liveWideIps } from '../support/wide-ip-data.ts';
import { description, member, pool, server, virtualServer, wideIp } from '../support/gtm-description.ts';

const PORT = 5370;
const WIDE_IPS = 10_000;
const POOLS = 40;
const QUESTIONS = 30_000;
/** Changes a second that have to go over, and those between two looks at what has come. */
const CHANGES_PER_SECOND = 10_000;
const AT_A_TIME = 400;

const SERVER = '/Common/s';
const octets = (first: number, index: number): Uint8Array =>
  Uint8Array.of(first, (index >>> 16) & 255, (index >>> 8) & 255, index & 255);
const keyOf = (side: string, index: number): string => virtualServerKey(SERVER, `${side}${index}`);

/** Each wide IP has a pool of two, of which one is there at any time, in front of others that are never to be asked. */
function describe(): GtmDescription {
  const indexes = Array.from({ length: WIDE_IPS }, (_, index) => index);
  const others = Array.from({ length: POOLS - 1 }, (_, index) => index);
  return description({
    datacenters: [{ name: '/Common/dc', enabled: true }],
    servers: [
      server(SERVER, '/Common/dc', {
        virtualServers: [
          ...indexes.map((index) => virtualServer(`a${index}`, { address: octets(10, index) })),
          ...indexes.map((index) => virtualServer(`b${index}`, { address: octets(11, index) })),
          ...others.map((index) => virtualServer(`o${index}`, { address: octets(12, index) })),
        ],
      }),
    ],
    pools: [
      ...indexes.map((index) =>
        pool('a', `/Common/p${index}`, {
          members: [member(keyOf('a', index)), member(keyOf('b', index), { order: 1 })],
        }),
      ),
      ...others.map((index) => pool('a', `/Common/o${index}`, { members: [member(keyOf('o', index))] })),
    ],
    wideIps: indexes.map((index) =>
      wideIp('a', `w${index}.example.com`, {
        poolMode: 'global-availability',
        pools: [`p${index}`, ...others.map((other) => `o${other}`)].map((name, order) => ({
          ...{ pool: `/Common/${name}`, order, ratio: 1 },
        })),
      }),
    ),
  });
}

const { data, availability, writer } = liveWideIps(describe());
const listener = new OneListener();

function set(side: string, number: number, status: FactStatus): void {
  availability.apply({ kind: 'virtual-server', key: keyOf(side, number), facts: { status } });
}

before(async () => {
  for (let number = 0; number < WIDE_IPS; number++) set('b', number, 'offline');
  writer.commit();
  const sources = { ...zonesAlone([]), wideIps: data };
  await listener.serve(
    { family: 4, address: '127.0.0.1', port: PORT },
    { unhandled: 'reject', udpOctets: 1232 },
    sources,
  );
});
after(() => listener.stop());

it('answers from one side or the other of each change, and loses nothing', async (t) => {
  const numbers = Array.from({ length: QUESTIONS }, (_, question) => (question * 7919) % WIDE_IPS);
  const queries = numbers.map((number) => queryOf({ name: `w${number}.example.com`, type: 'A' }));
  let changes = 0;
  let isDone = false;
  const isB = new Uint8Array(WIDE_IPS);
  const start = performance.now();
  const changing = (async () => {
    for (let number = 0; !isDone; await new Promise((resolve) => setImmediate(resolve))) {
      // No more than what is asked for, so that it is spread over all questions.
      if (changes > (2 * CHANGES_PER_SECOND * (performance.now() - start)) / 1000) continue;
      for (let count = 0; count < AT_A_TIME; count += 2, number = (number + 1) % WIDE_IPS) {
        const [up, down] = isB[number] === 0 ? ['b', 'a'] : ['a', 'b'];
        isB[number]! ^= 1;
        set(down, number, 'offline');
        set(up, number, 'available');
        writer.commit();
        changes += 2;
      }
    }
  })();
  const answers: (Uint8Array | undefined)[] = [];
  // Several times, so that changes go over for seconds.
  for (let round = 0; round < 4; round++) answers.push(...(await ask(PORT, queries, 60_000)));
  isDone = true;
  await changing;
  const seconds = (performance.now() - start) / 1000;
  const rate = Math.round(changes / seconds);
  t.diagnostic(`${answers.length} answers and ${changes} changes in ${seconds.toFixed(1)} s: ${rate} changes a second`);
  assert.equal(answers.length, 4 * QUESTIONS);
  const sides = { a: 0, b: 0 };
  answers.forEach((answer, question) => {
    const number = numbers[question % QUESTIONS]!;
    const [, line] = linesOf(answer!);
    const rest = [...octets(0, number)].slice(1).join('.');
    if (line?.endsWith(` 10.${rest}`) === true) sides.a++;
    else if (line?.endsWith(` 11.${rest}`) === true) sides.b++;
    else assert.fail(`w${number}: ${line}`);
  });
  assert.ok(sides.a > QUESTIONS / 10 && sides.b > QUESTIONS / 10, JSON.stringify(sides));
  assert.equal(listener.counts[Outcome.wideIp], answers.length);
  let resolutions = 0;
  for (let wideIpNumber = 0; wideIpNumber < WIDE_IPS; wideIpNumber++) {
    resolutions += data.counts.wideIps[wideIpNumber * WIDE_IP_COUNTERS + WideIpCounter.resolutions]!;
  }
  assert.equal(resolutions, answers.length);
  assert.ok(rate >= CHANGES_PER_SECOND, `${rate} changes a second`);
});
