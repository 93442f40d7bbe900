import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { GtmPool, WideIp } from '../../../src/gtm/description.ts';
import { describeGtm, Health, memberOf, NAME, poolOf, rigOf, wideIpOf, WideIpRig } from '../../support/wide-ips.ts';

describe('records of a wide IP', () => {
  const all = new WideIpRig(
    describeGtm(
      [
        wideIpOf('a', 'x.example.com', ['/Common/a']),
        wideIpOf('aaaa', 'x.example.com', ['/Common/aaaa']),
        wideIpOf('cname', 'alias.example.com', ['/Common/cname']),
        wideIpOf('mx', 'x.example.com', ['/Common/mx']),
        wideIpOf('naptr', 'x.example.com', ['/Common/naptr']),
        wideIpOf('srv', '_sip._udp.example.com', ['/Common/srv']),
      ],
      [
        poolOf('a', '/Common/a', ['192.0.2.1'], { ttl: 0 }),
        poolOf('aaaa', '/Common/aaaa', ['2001:db8:0:0:0:0:0:1'], { ttl: 4_000_000 }),
        poolOf('cname', '/Common/cname', ['Target.Example.ORG.', 'second.example.org'], { maxAnswersReturned: 2 }),
        poolOf('mx', '/Common/mx', [memberOf('mail.example.com', 0, { priority: 5 }), 'mail.example.net'], {
          maxAnswersReturned: 2,
        }),
        poolOf('naptr', '/Common/naptr', ['_sip._udp.example.com']),
        poolOf('srv', '/Common/srv', [memberOf('sip.example.com', 0, { priority: 1, weight: 0, port: 5060 })]),
      ],
    ),
  );

  for (const [type, name, ...records] of [
    ['A', 'x.example.com', 'x.example.com 0 A 192.0.2.1'],
    ['AAAA', 'x.example.com', 'x.example.com 4000000 AAAA 2001:db8::1'],
    // An owner has one CNAME, whatever the pool says.
    ['CNAME', 'alias.example.com', 'alias.example.com 30 CNAME Target.Example.ORG'],
    ['TXT', 'alias.example.com', 'alias.example.com 30 CNAME Target.Example.ORG'],
    ['MX', 'x.example.com', 'x.example.com 30 MX 5 mail.example.com', 'x.example.com 30 MX 10 mail.example.net'],
    ['NAPTR', 'x.example.com', 'x.example.com 30 NAPTR 1 2 S SIP+D2U  _sip._udp.example.com'],
    ['SRV', '_sip._udp.example.com', '_sip._udp.example.com 30 SRV 1 0 5060 sip.example.com'],
  ] as const) {
    it(`of type ${type} are what dns-packet takes them for: ${name}`, () => {
      assert.deepEqual(all.ask(name, type), ['NOERROR aa', ...records.map((record) => `an ${record}`)]);
    });
  }

  it('that have no room leave the message truncated, with none of them', () => {
    const members = Array.from({ length: 40 }, (_, index) => `192.0.2.${index}`);
    const rig = rigOf({}, [poolOf('a', '/Common/p1', members, { maxAnswersReturned: 40 })]);
    // 12 of header, 21 of question, 16 each.
    assert.deepEqual(rig.ask(NAME, 'A', 12 + 21 + 40 * 16 - 1), ['NOERROR aa tc']);
    assert.equal(rig.ask(NAME, 'A', 12 + 21 + 40 * 16).length, 1 + 40);
    assert.deepEqual(rig.counted(NAME), { requests: 2, resolutions: 2, preferred: 2 });
  });
});

describe('a wide IP that is an alias', () => {
  const A1 = poolOf('a', '/Common/a1', ['192.0.2.1'], { ttl: 7 });
  const cnamePool = (name: string, ...members: Parameters<typeof poolOf>[2]): GtmPool =>
    poolOf('cname', `/Common/${name}`, members);

  it('is followed from wide IP to wide IP in one reply', () => {
    const rig = new WideIpRig(
      describeGtm(
        [
          wideIpOf('cname', 'a.example.com', ['/Common/c1']),
          wideIpOf('a', 'b.example.com', ['cname /Common/c2', '/Common/a1']),
          wideIpOf('a', '*.c.example.net', ['/Common/a1']),
        ],
        [A1, cnamePool('c1', 'B.example.com'), cnamePool('c2', 'any.c.example.net')],
      ),
    );
    const rest = ['an B.example.com 30 CNAME any.c.example.net', 'an any.c.example.net 7 A 192.0.2.1'];
    assert.deepEqual(rig.ask('A.example.com'), ['NOERROR aa', 'an A.example.com 30 CNAME B.example.com', ...rest]);
    // No wide IP has AAAA there.
    assert.deepEqual(rig.ask('a.example.com', 'AAAA'), ['NOERROR aa', 'an a.example.com 30 CNAME B.example.com']);
    for (const type of ['CNAME', 'ANY']) {
      assert.deepEqual(rig.ask('a.example.com', type), ['NOERROR aa', 'an a.example.com 30 CNAME B.example.com']);
    }
    assert.deepEqual(rig.counted('b.example.com'), { requests: 1, resolutions: 1, preferred: 1 });
    rig.set('any.c.example.net', Health.down);
    assert.deepEqual(rig.ask('b.example.com'), ['NOERROR aa', 'an b.example.com 7 A 192.0.2.1']);
  });

  it('is not followed from a member that is static', () => {
    const target = memberOf('b.example.com', 0, { isStatic: true });
    const wideIps = [
      wideIpOf('cname', 'a.example.com', ['/Common/c1']),
      wideIpOf('a', 'b.example.com', ['/Common/a1']),
    ];
    const rig = new WideIpRig(describeGtm(wideIps, [A1, cnamePool('c1', target)]));
    assert.deepEqual(rig.ask('a.example.com'), ['NOERROR aa', 'an a.example.com 30 CNAME b.example.com']);
  });

  it('leaves what its target has no records for to the next question', () => {
    for (const changes of [
      { failure: { rcode: 3, ttl: 60 } },
      { pools: [{ pool: '/Common/drop', order: 0, ratio: 1 }] },
    ] satisfies Partial<WideIp>[]) {
      const wideIps = [wideIpOf('cname', 'a.example.com', ['/Common/c1']), wideIpOf('a', 'b.example.com', [], changes)];
      const drop = poolOf('a', '/Common/drop', ['192.0.2.1'], { preferred: 'drop-packet' });
      const rig = new WideIpRig(describeGtm(wideIps, [drop, cnamePool('c1', 'b.example.com')]));
      assert.deepEqual(rig.ask('a.example.com'), ['NOERROR aa', 'an a.example.com 30 CNAME b.example.com']);
      rig.disableWideIp('b.example.com');
      assert.deepEqual(rig.ask('a.example.com'), ['NOERROR aa', 'an a.example.com 30 CNAME b.example.com']);
    }
  });

  it('that comes back to itself is followed once around', () => {
    const next = (from: string, to: string, pool: string): [WideIp, GtmPool] => [
      wideIpOf('cname', from, [`/Common/${pool}`]),
      cnamePool(pool, to),
    ];
    const links = [
      next('a.example.com', 'b.example.com', 'c1'),
      next('b.example.com', 'a.example.com', 'c2'),
      next('self.example.com', 'self.example.com', 'c3'),
    ];
    const rig = new WideIpRig(
      describeGtm(
        links.map(([wideIp]) => wideIp),
        links.map(([, pool]) => pool),
      ),
    );
    assert.deepEqual(rig.ask('a.example.com'), [
      'NOERROR aa',
      'an a.example.com 30 CNAME b.example.com',
      'an b.example.com 30 CNAME a.example.com',
    ]);
    assert.deepEqual(rig.ask('self.example.com'), ['NOERROR aa', 'an self.example.com 30 CNAME self.example.com']);
  });

  it('is followed over eight links, and not further', () => {
    const chain = Array.from({ length: 12 }, (_, link) => ({
      wideIp: wideIpOf('cname', `n${link}.example.com`, [`/Common/c${link}`]),
      pool: cnamePool(`c${link}`, `n${link + 1}.example.com`),
    }));
    const rig = new WideIpRig(
      describeGtm(
        chain.map(({ wideIp }) => wideIp),
        chain.map(({ pool }) => pool),
      ),
    );
    const lines = rig.ask('n0.example.com');
    assert.equal(lines.length, 1 + 1 + 8);
    assert.equal(lines.at(-1), 'an n8.example.com 30 CNAME n9.example.com');
    assert.deepEqual(rig.ask('n0.example.com', 'A', 200), ['NOERROR aa tc']);
  });
});
