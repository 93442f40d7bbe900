// What is explained is what is answered: random wide IPs of all modes, with facts of all kinds, and random questions.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Query, QueryVerdict, readQuery } from '../../src/dns/query.ts';
import { explainWideIp } from '../../src/gtm/explain-wide-ip.ts';
import { FACT_STATUSES, type Facts, newFacts } from '../../src/gtm/facts.ts';
import { Random } from '../fuzz/mutator.ts';
import { queryOf } from '../support/dns.ts';
import { ALL_MODES, randomName, randomWideIps } from '../support/random-wide-ips.ts';
import { describeGtm, newRandom, WideIpRig } from '../support/wide-ips.ts';

const SEED = 20_261_130;
const ROUNDS = 30;
const QUESTIONS = 10;
const TYPES = ['A', 'AAAA', 'CNAME', 'MX', 'NAPTR', 'SRV', 'TXT', 'ANY'] as const;
const VERDICTS = ['none', 'answered', 'dropped', 'passed'];

function randomFacts(random: Random, keys: readonly string[]): Facts {
  const facts = newFacts();
  const metric = (): number | undefined => (random.chance(50) ? random.below(5) : undefined);
  for (const key of keys) {
    facts.virtualServers.set(key, {
      status: random.chance(60) ? 'available' : random.pick(FACT_STATUSES),
      ...{ connections: metric(), packetsPerSecond: metric(), kilobytesPerSecond: metric() },
      ...{ capacity: metric(), score: metric() },
    });
  }
  facts.servers.set('/Common/s', { cpu: metric() });
  const path = { client: '198.51.100.7', datacenter: '/Common/dc', expires: 10_000 };
  facts.paths.set(`${path.client} ${path.datacenter}`, {
    ...path,
    ...{ roundTripTime: metric(), hops: metric(), completionRate: metric() },
  });
  return facts;
}

it('what is explained is what a random wide IP answers', () => {
  const random = new Random(SEED);
  const seen: Record<string, number> = { none: 0, answered: 0, dropped: 0, passed: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    const { wideIps, pools } = randomWideIps(random, ALL_MODES);
    const description = describeGtm(wideIps, pools);
    const keys = description.servers[0]!.virtualServers.map(({ name }) => `/Common/s:${name}`);
    const facts = randomFacts(random, keys);
    for (let count = 0; count < QUESTIONS; count++) {
      const name = random.chance(70) ? random.pick(wideIps).domain.replace(/[*?]/g, 'a') : randomName(random);
      const type = random.pick(TYPES);
      const octets = queryOf({ name, type });
      const query = new Query();
      assert.equal(readQuery(octets, 0, octets.length, query), QueryVerdict.question);
      // Turns and chance are at their start in both.
      const rig = new WideIpRig(description, undefined, facts);
      const present = { memory: rig.memory, facts, persistence: rig.persistence, newRandom };
      const { verdict, answers, steps } = explainWideIp(rig.compiled, present, query, rig.sender);
      const [head, ...lines] = rig.ask(name, type, 65_535);
      const about = `round ${round}: ${name} ${type}\n${steps.join('\n')}`;
      seen[VERDICTS[verdict]!]!++;
      assert.equal(VERDICTS[verdict], head!.endsWith(' aa') ? 'answered' : head, about);
      // Owner, TTL and type; how data is printed is not the same thing everywhere.
      const records = lines
        .filter((line) => line.startsWith('an '))
        .map((line) => line.split(' ').slice(1, 4).join(' '));
      assert.deepEqual(
        answers.map((line) => line.split(' ').slice(0, 3).join(' ').replace('. ', ' ')),
        records,
        about,
      );
    }
  }
  for (const [verdict, count] of Object.entries(seen)) assert.ok(count > 5, `${verdict}: ${count}`);
});
