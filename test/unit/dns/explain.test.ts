import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { explanationText } from '../../../src/assembly/dnsd/explain-text.ts';
import { parsePrefix } from '../../../src/core/address.ts';
import { packPrefixes } from '../../../src/dns/client-list.ts';
import { explain } from '../../../src/dns/explain.ts';
import { nameOf } from '../../../src/dns/name.ts';
import { typeOf } from '../../../src/dns/record-types.ts';
import type { ResponderOptions } from '../../../src/dns/responder-options.ts';
import { buildZoneTable } from '../../../src/dns/zone-builder.ts';
import { ZoneSet } from '../../../src/dns/zone-set.ts';
import { zoneOf } from '../../support/zones.ts';

const zone = (origin: string, text: string) =>
  buildZoneTable(zoneOf(`$TTL 60\n@ SOA ns host 1 1 1 1 60\n@ NS ns.example.net.\n${text}`, origin));
const ZONES = new ZoneSet([
  zone(
    'example.com.',
    `www A 192.0.2.1\nwww A 192.0.2.2\nalias CNAME hop\nhop CNAME www\nout CNAME www.example.org.
*.wild TXT "any"\nsub NS ns.sub\nns.sub A 192.0.2.9\nold DNAME www.example.com.\na.empty A 192.0.2.3\n`,
  ),
  zone('deep.example.com.', 'www A 192.0.2.4\n'),
]);
const OPTIONS: ResponderOptions = { unhandled: 'reject', udpOctets: 1232 };

function textOf(name: string, type: string, options: Partial<ResponderOptions> = {}, wantsRecursion = false): string {
  const client = Uint8Array.of(192, 0, 2, 99);
  const question = { name: nameOf(name), type: typeOf(type)!, client, wantsRecursion, isStream: false };
  return explanationText(explain(ZONES, { ...OPTIONS, ...options }, question));
}

const zoneSteps = (name: string, type: string): string[] =>
  textOf(name, type)
    .split('\n')
    .flatMap((line) => /^zone example\.com\.: (.*)$/.exec(line)?.[1] ?? []);

describe('an explanation', () => {
  it('has every step down to the reply', () => {
    assert.equal(
      textOf('www.example.com.', 'A', {}, true),
      `access list: there is none, so everybody may ask
recursion is desired: that changes nothing (process-rd yes)
wide IPs: there are none
zones: www.example.com. is in example.com.
zone example.com.: www.example.com. has A: 2 records, TTL 60
name server behind: not asked, the zone has the name and what it says is final
unhandled-query-action: not reached
reply: NOERROR aa rd, 76 octets
  answer: www.example.com. 60 A 192.0.2.1
  answer: www.example.com. 60 A 192.0.2.2
  additional: OPT, 1232 octets
`,
    );
  });

  it('says by which rule of the zone', () => {
    const none = 'its closest encloser is';
    const rules: [string, string, string[]][] = [
      [
        ...(['alias.example.com.', 'A'] as const),
        [
          'alias.example.com. is an alias of hop.example.com. (CNAME)',
          'hop.example.com. is an alias of www.example.com. (CNAME)',
          'www.example.com. has A: 2 records, TTL 60',
        ],
      ],
      [
        ...(['out.example.com.', 'A'] as const),
        [
          'out.example.com. is an alias of www.example.org. (CNAME)',
          'www.example.org. is not in this zone: who asks goes on from there',
        ],
      ],
      [
        ...(['x.y.wild.example.com.', 'TXT'] as const),
        [
          `x.y.wild.example.com. does not exist; ${none} wild.example.com., whose wildcard *.wild.example.com. stands for it`,
          'x.y.wild.example.com. has TXT: 1 record, TTL 60',
        ],
      ],
      [
        ...(['host.sub.example.com.', 'A'] as const),
        ['sub.example.com. is delegated to ns.sub.example.com.: a referral'],
      ],
      [
        ...(['x.old.example.com.', 'A'] as const),
        [
          'old.example.com. has a DNAME to www.example.com., which stands for all names below it',
          'x.old.example.com. is an alias of x.www.example.com., made of the DNAME',
          `x.www.example.com. does not exist; ${none} www.example.com., which has no wildcard: NXDOMAIN`,
        ],
      ],
      [
        ...(['empty.example.com.', 'A'] as const),
        ['empty.example.com. has no records, but names below it have (an empty non-terminal): no data'],
      ],
      [...(['www.example.com.', 'MX'] as const), ['www.example.com. exists, with A, but without MX: no data']],
      [...(['www.example.com.', 'ANY'] as const), ['www.example.com. has A; ANY over UDP gets one of them (RFC 8482)']],
    ];
    for (const [name, type, steps] of rules) assert.deepEqual(zoneSteps(name, type), steps);
  });

  it('says which zone, and why not another', () => {
    const line = (text: string, start: string) => text.split('\n').find((each) => each.startsWith(start));
    assert.equal(
      line(textOf('www.deep.example.com.', 'A'), 'zones'),
      'zones: www.deep.example.com. is in deep.example.com., the longest origin; not example.com.',
    );
    assert.equal(
      line(textOf('deep.example.com.', 'DS'), 'zones'),
      'zones: deep.example.com. is an origin, and its DS is in the zone above: example.com. answers',
    );
    const unknown = textOf('www.elsewhere.net.', 'A');
    assert.equal(line(unknown, 'zones'), 'zones: none of the 2 that are served has www.elsewhere.net.');
    assert.equal(line(unknown, 'name server'), 'name server behind: there is none');
    assert.equal(line(unknown, 'unhandled'), 'unhandled-query-action: reject: REFUSED');
    assert.equal(line(unknown, 'reply'), 'reply: REFUSED, 46 octets');
    const behind = textOf('www.elsewhere.net.', 'A', { hasBackend: true });
    assert.equal(line(behind, 'name server'), 'name server behind: is asked, no zone has the name');
    assert.equal(line(behind, 'reply'), 'reply: that of the name server behind');
  });

  it('says who may not ask, and what recursion does', () => {
    const allowedClients = packPrefixes([parsePrefix('198.51.100.0/24')!]);
    assert.equal(
      textOf('www.example.com.', 'A', { allowedClients }),
      `access list: 192.0.2.99 is not on it: REFUSED\nreply: REFUSED, 44 octets\n  additional: OPT, 1232 octets\n`,
    );
    const recursive = textOf('www.example.com.', 'A', { processRd: false, unhandled: 'drop' }, true);
    assert.match(recursive, /^recursion is desired and not processed \(process-rd no\): no source is asked/m);
    assert.match(recursive, /^unhandled-query-action: drop: no reply\nreply: none\n$/m);
  });
});
