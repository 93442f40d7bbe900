import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Query, QueryVerdict, readQuery } from '../../../src/dns/query.ts';
import {
  type GtmDescription,
  type GtmPool,
  MEMBER_MODES,
  POOL_MODES,
  type WideIp,
} from '../../../src/gtm/description.ts';
import { explainWideIp, type WideIpExplanation } from '../../../src/gtm/explain-wide-ip.ts';
import { type Facts, newFacts } from '../../../src/gtm/facts.ts';
import { queryOf } from '../../support/dns.ts';
import { describeGtm, memberOf, NAME, newRandom, poolOf, wideIpOf, WideIpRig } from '../../support/wide-ips.ts';

/** Facts in which these virtual servers are offline, and all have metrics. */
function factsOf(down: readonly string[], isMeasured = true): Facts {
  const facts = newFacts();
  for (let number = 1; number < 10; number++) {
    const address = `192.0.2.${number}`;
    const metrics = {
      connections: number,
      packetsPerSecond: 9 - number,
      kilobytesPerSecond: number % 3,
      capacity: number,
    };
    facts.virtualServers.set(`/Common/s:${address}`, {
      status: down.includes(address) ? 'offline' : 'available',
      ...(isMeasured ? { ...metrics, score: number * 7 } : {}),
    });
  }
  if (isMeasured) facts.servers.set('/Common/s', { cpu: 20 });
  return facts;
}

function explain(rig: WideIpRig, facts: Facts, name = NAME, type = 'A'): WideIpExplanation {
  const octets = queryOf({ name, type });
  const query = new Query();
  assert.equal(readQuery(octets, 0, octets.length, query), QueryVerdict.question);
  const present = { memory: rig.memory, facts, persistence: rig.persistence, newRandom };
  return explainWideIp(rig.compiled, present, query, rig.sender);
}

/** What the rig answers, as an explanation has it. */
function answered(rig: WideIpRig, name = NAME): { verdict: string; records: string[] } {
  const [head, ...lines] = rig.ask(name);
  const records = lines.map((line) => line.replace(/^an (\S+)/, '$1.').replace(/(CNAME .*)$/, '$1.'));
  return { verdict: head!.split(' ')[0]!, records };
}

const FALLBACKS = ['global-availability', 'return-to-dns', 'fallback-ip', 'none'] as const;
const VERDICTS = ['none', 'NOERROR', 'dropped', 'passed'];

describe('the explanation of a wide IP', () => {
  it('says by which name, from which pools and members, by which modes, and what else would be', () => {
    const pools = [
      poolOf('a', '/Common/p0', ['192.0.2.9']),
      poolOf('a', '/Common/p1', ['192.0.2.1', '192.0.2.2', memberOf('/Common/s:192.0.2.3', 2, { enabled: false })], {
        preferred: 'lowest-round-trip-time',
        alternate: 'ratio',
      }),
    ];
    const description = describeGtm(
      [wideIpOf('a', 'www.example.com', ['/Common/p0', '/Common/p1'], { aliases: ['w*.example.org'] })],
      pools,
    );
    const facts = factsOf(['192.0.2.9', '192.0.2.1']);
    const rig = new WideIpRig(description, undefined, facts);
    assert.deepEqual(explain(rig, facts, 'web.example.org'), {
      verdict: 1,
      rcode: 0,
      answers: ['web.example.org. 30 A 192.0.2.2'],
      steps: [
        'wide IPs: a /Common/www.example.com answers: web.example.org. is like w*.example.org, the most specific pattern of those that it is like',
        'wide IP a /Common/www.example.com: has the name',
        'pool a /Common/p0: is not available: of its 1 members none may be chosen, or too few',
        'pool a /Common/p1: is available: 1 of its 3 members may be chosen',
        'pool a /Common/p1: could be chosen, place 1',
        'pool a /Common/p1: global-availability chooses it among those that are available',
        'pool a /Common/p1: by its preferred mode, lowest-round-trip-time',
        'member /Common/s:192.0.2.1: is offline: only a fallback mode may choose it',
        'member /Common/s:192.0.2.2: is available',
        'member /Common/s:192.0.2.3: is disabled, and not to be chosen',
        'member /Common/s:192.0.2.2: nobody knows what lowest-round-trip-time goes by',
        'pool a /Common/p1: lowest-round-trip-time has nobody to choose',
        'pool a /Common/p1: by its alternate mode, ratio',
        'member /Common/s:192.0.2.2: could be chosen, ratio 1',
        'member /Common/s:192.0.2.2: ratio chooses it',
        'if /Common/s:192.0.2.2 went down: the next source would be asked',
      ],
    });
  });

  it('says that no wide IP has a name, or none of the type', () => {
    const rig = new WideIpRig(describeGtm([wideIpOf('a', NAME, [])], []), undefined, newFacts());
    assert.deepEqual(explain(rig, newFacts(), 'other.example.com').steps, [
      'wide IPs: none of 1 has other.example.com., or a name below it',
    ]);
    assert.deepEqual(explain(rig, newFacts(), NAME, 'MX').steps, [
      `wide IPs: ${NAME}. exists, but none answers such a question for it: the next source is asked`,
    ]);
  });

  it('changes nothing: neither turns, nor chance, nor who is remembered', () => {
    const persistence = { ipv4Bits: 32, ipv6Bits: 128, ttl: 100 };
    const pools = [poolOf('a', '/Common/p1', ['192.0.2.1', '192.0.2.2'], { preferred: 'round-robin' })];
    const facts = factsOf([]);
    const rig = new WideIpRig(
      describeGtm([wideIpOf('a', NAME, ['/Common/p1'], { persistence })], pools),
      undefined,
      facts,
    );
    const before = structuredClone(facts);
    for (let round = 0; round < 3; round++) explain(rig, facts);
    assert.deepEqual(rig.persistence.list(0), []);
    assert.deepEqual(facts, before);
    assert.deepEqual(rig.counted(NAME), {});
    assert.deepEqual(answered(rig).records, [`${NAME}. 30 A 192.0.2.1`]);
    assert.ok(
      explain(rig, facts).steps.includes(
        'persistence: the client was sent to /Common/s:192.0.2.1 before, and is again',
      ),
    );
  });

  const conditions: readonly (readonly [
    what: string,
    down: readonly string[],
    isMeasured: boolean,
    Partial<WideIp>?,
  ])[] = [
    ['all available', [], true],
    ['nothing measured', [], false],
    ['one down', ['192.0.2.1'], true],
    ['a pool down', ['192.0.2.1', '192.0.2.2', '192.0.2.3'], true],
    ['all down', Array.from({ length: 9 }, (_, index) => `192.0.2.${index + 1}`), true],
    [
      'all down, with a failure reply',
      Array.from({ length: 9 }, (_, index) => `192.0.2.${index + 1}`),
      true,
      { failure: { rcode: 0, ttl: 9 } },
    ],
    [
      'the last resort left',
      ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4', '192.0.2.5'],
      true,
      { lastResort: { type: 'a', pool: '/Common/last' } },
    ],
  ];
  for (const poolMode of POOL_MODES) {
    for (const [what, down, isMeasured, changes] of poolMode === 'global-availability'
      ? conditions
      : [conditions[2]!]) {
      it(`is what is answered, and what would be without a member: pools by ${poolMode}, ${what}`, () => {
        for (const preferred of MEMBER_MODES) {
          if (preferred === 'none') continue;
          for (const fallback of FALLBACKS.slice(
            0,
            poolMode === 'global-availability' && what === 'all down' ? 4 : 1,
          )) {
            const pool = (name: string, ...members: string[]): GtmPool =>
              poolOf('a', name, members, {
                preferred,
                fallback,
                fallbackIp: Uint8Array.of(203, 0, 113, 1),
                maxAnswersReturned: 2,
              });
            const description = describeGtm(
              [wideIpOf('a', NAME, ['/Common/p1', '/Common/p2'], { poolMode, ...changes })],
              [
                pool('/Common/p1', '192.0.2.1', '192.0.2.2', '192.0.2.3'),
                pool('/Common/p2', '192.0.2.4', '192.0.2.5'),
                pool('/Common/last', '192.0.2.6'),
              ],
            );
            checkAgreement(description, down, isMeasured, `${preferred}, ${fallback}`);
          }
        }
      });
    }
  }
});

function checkAgreement(description: GtmDescription, down: readonly string[], isMeasured: boolean, what: string): void {
  const facts = factsOf(down, isMeasured);
  const rig = new WideIpRig(description, undefined, facts);
  const { steps, verdict, answers } = explain(rig, facts);
  const real = answered(rig);
  assert.equal(VERDICTS[verdict], real.verdict, what);
  assert.deepEqual(
    answers,
    real.records.filter((record) => !record.includes('SOA')),
    what,
  );
  for (const step of steps) {
    const [, address, then] = /^if \/Common\/s:(\S+) went down: (.*)$/.exec(step) ?? [];
    if (address === undefined) continue;
    const without = answered(new WideIpRig(description, undefined, factsOf([...down, address], isMeasured)));
    const expected = without.records.length > 0 ? without.records.join(', ') : ENDS[without.verdict];
    assert.equal(then === 'the same' ? answers.join(', ') : then, expected, `${what}: ${step}`);
  }
}

const ENDS: Record<string, string> = { dropped: 'no reply', passed: 'the next source would be asked' };
