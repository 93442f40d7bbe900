import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Query, QueryVerdict, readQuery } from '../../../src/dns/query.ts';
import { typeOf } from '../../../src/dns/record-types.ts';
import { compileNames } from '../../../src/gtm/compile-names.ts';
import type { WideIp } from '../../../src/gtm/description.ts';
import { OctetStore } from '../../../src/gtm/octet-store.ts';
import { columnOf, NameFinding, WideIpFinder } from '../../../src/gtm/wide-ip-names.ts';
import { nameOf } from '../../support/dns.ts';
import { wideIpOf } from '../../support/wide-ips.ts';

/** A query with a name as it stands on the wire. */
function queryFor(name: Uint8Array, type: number): Query {
  const octets = Uint8Array.of(0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name, type >>> 8, type & 255, 0, 1);
  const query = new Query();
  assert.equal(readQuery(octets, 0, octets.length, query), QueryVerdict.question);
  return query;
}

/** Who answers a question: `TYPE DOMAIN`, `exists` or `nothing`. */
function finderOf(wideIps: readonly WideIp[]): (name: string | Uint8Array, type?: string) => string {
  const store = new OctetStore();
  const names = compileNames(wideIps, store);
  const finder = new WideIpFinder({ names, octets: store.share() });
  return (name, type = 'A') => {
    const number = typeOf(type)!;
    const query = queryFor(typeof name === 'string' ? nameOf(name) : name, number);
    const found = finder.find(query, columnOf(number));
    if (found === NameFinding.nothing) return 'nothing';
    return found === NameFinding.exists ? 'exists' : `${wideIps[found]!.type} ${wideIps[found]!.domain}`;
  };
}

describe('the names of wide IPs', () => {
  it('are found whatever the case of their letters, each for the type of the wide IP', () => {
    const find = finderOf([
      wideIpOf('a', 'www.example.com', []),
      wideIpOf('aaaa', 'www.example.com', []),
      wideIpOf('mx', 'mail.example.com', []),
      wideIpOf('naptr', 'sip.example.com', []),
      wideIpOf('srv', '_sip._udp.example.com', []),
    ]);
    assert.equal(find('www.example.com'), 'a www.example.com');
    assert.equal(find('WWW.eXample.cOm'), 'a www.example.com');
    assert.equal(find('www.example.com', 'AAAA'), 'aaaa www.example.com');
    assert.equal(find('mail.example.com', 'MX'), 'mx mail.example.com');
    assert.equal(find('sip.example.com', 'NAPTR'), 'naptr sip.example.com');
    assert.equal(find('_sip._udp.example.com', 'SRV'), 'srv _sip._udp.example.com');
    assert.equal(find('www.example.com', 'ANY'), 'a www.example.com');
    for (const type of ['MX', 'CNAME', 'TXT', 'SOA']) assert.equal(find('www.example.com', type), 'exists');
    assert.equal(find('mail.example.com'), 'exists');
  });

  it('have others above them, up to the root, which exist', () => {
    const find = finderOf([wideIpOf('a', 'a.b.example.com', []), wideIpOf('a', '*.w.example.net', [])]);
    for (const name of ['b.example.com', 'example.com', 'com', 'w.example.net', 'example.net', 'net', '.']) {
      assert.equal(find(name), 'exists', name);
    }
    for (const name of ['c.a.b.example.com', 'x.example.com', 'b.example.org', 'v.example.net']) {
      assert.equal(find(name), 'nothing', name);
    }
  });

  it('have aliases, which do not take the name of another wide IP', () => {
    const find = finderOf([
      wideIpOf('a', 'www.example.com', [], { aliases: ['Web.example.com', 'own.example.com', '*.alias.example.com'] }),
      wideIpOf('a', 'own.example.com', []),
    ]);
    assert.equal(find('web.example.com'), 'a www.example.com');
    assert.equal(find('any.alias.example.com'), 'a www.example.com');
    assert.equal(find('own.example.com'), 'a own.example.com');
  });

  it('of type cname answer every question, but after a wide IP of the type of the question', () => {
    const find = finderOf([wideIpOf('cname', 'x.example.com', []), wideIpOf('aaaa', 'x.example.com', [])]);
    for (const type of ['A', 'CNAME', 'MX', 'TXT']) assert.equal(find('x.example.com', type), 'cname x.example.com');
    assert.equal(find('x.example.com', 'AAAA'), 'aaaa x.example.com');
    assert.equal(find('x.example.com', 'ANY'), 'aaaa x.example.com');
  });
});

describe('patterns of names', () => {
  it('stand for any characters, also dots, and for exactly one', () => {
    const find = finderOf([
      wideIpOf('a', '*.example.com', []),
      wideIpOf('a', 'w?w.example.net', []),
      wideIpOf('a', 'a*b*c.*.org', []),
      wideIpOf('a', 'x.**.y', []),
    ]);
    for (const [name, expected] of [
      ['a.example.com', 'a *.example.com'],
      ['A.B.Example.COM', 'a *.example.com'],
      ['example.com', 'exists'],
      ['wexample.com', 'nothing'],
      ['www.example.net', 'a w?w.example.net'],
      ['w.w.example.net', 'a w?w.example.net'],
      ['ww.example.net', 'nothing'],
      ['wwww.example.net', 'nothing'],
      ['abc.x.org', 'a a*b*c.*.org'],
      ['a1bb2c.x.y.org', 'a a*b*c.*.org'],
      ['a.b.c.d.org', 'a a*b*c.*.org'],
      ['acb.x.org', 'nothing'],
      ['x.z.y', 'a x.**.y'],
      ['x..y'.replace('..', '.'), 'nothing'],
      ['.', 'exists'],
    ] as const) {
      assert.equal(find(name), expected, name);
    }
  });

  it('take no dot within a label for one between labels', () => {
    const find = finderOf([wideIpOf('a', '*.b.example.com', [])]);
    const inside = Uint8Array.of(3, 0x61, 0x2e, 0x62, ...nameOf('example.com'));
    assert.equal(find(inside), 'nothing');
    assert.equal(find('a.b.example.com'), 'a *.b.example.com');
  });

  it('go by the longest text, then by fewer wildcards, and names go before all of them', () => {
    const find = finderOf([
      wideIpOf('a', '*', []),
      wideIpOf('a', '*.example.com', []),
      wideIpOf('a', 'www*.example.com', []),
      wideIpOf('a', 'w*w*.example.com', []),
      wideIpOf('a', '*.www?example.com', []),
      wideIpOf('a', 'www1.example.com', []),
    ]);
    assert.equal(find('www1.example.com'), 'a www1.example.com');
    assert.equal(find('www2.example.com'), 'a www*.example.com');
    assert.equal(find('wxw.example.com'), 'a w*w*.example.com');
    assert.equal(find('xyz.example.com'), 'a *.example.com');
    // 16 literal characters against 12, though it ends in less.
    assert.equal(find('x.www.example.com'), 'a *.www?example.com');
    assert.equal(find('example.org'), 'a *');
    assert.equal(find('example.com'), 'a *');
  });

  it('have types of their own; a name that has no wide IP of the type is looked for among them', () => {
    const find = finderOf([
      wideIpOf('a', 'www.example.com', []),
      wideIpOf('a', 'w*.example.com', []),
      wideIpOf('aaaa', '*.example.com', []),
      wideIpOf('cname', 'ww*.example.com', []),
    ]);
    assert.equal(find('www.example.com', 'AAAA'), 'aaaa *.example.com');
    // Beside its address it cannot be an alias.
    assert.equal(find('www.example.com', 'MX'), 'exists');
    assert.equal(find('wwx.example.com'), 'cname ww*.example.com');
    assert.equal(find('wx.example.com'), 'a w*.example.com');
    assert.equal(find('wx.example.com', 'MX'), 'exists');
  });
});
