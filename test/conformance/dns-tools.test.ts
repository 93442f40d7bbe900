// beside others
// What dig, kdig and drill make of our answers: one table of questions with what each of the tools shall print of them.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { buildZoneTable } from '../../src/dns/zone-builder.ts';
import { OneListener } from '../support/dns-engine.ts';
import { zoneOf } from '../support/zones.ts';

const PORT = 5350;

const ZONE = `$TTL 300
@        IN SOA   ns1 hostmaster 7 7200 600 1209600 60
@        IN NS    ns1
@        IN NS    ns2.example.net.
@        IN MX    10 mail
@        IN CAA   0 issue "ca.example.net"
ns1      IN A     192.0.2.53
mail     IN A     192.0.2.25
mail     IN AAAA  2001:db8::25
www      IN CNAME web
web      IN A     192.0.2.80
out      IN CNAME www.example.net.
*.wild   IN TXT   "a wildcard"
a.b.ent  IN A     192.0.2.1
sub      IN NS    ns.sub
ns.sub   IN A     192.0.2.54
sub      IN DS    12345 13 2 ${'AB'.repeat(32)}
old      IN DNAME new
x.new    IN A     192.0.2.99
_sip._udp IN SRV  10 20 5060 mail
phone    IN NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:info@example.com!" .
host     IN HINFO "PC" "Linux"
ptr      IN PTR   www
_443._tcp.web IN TLSA 3 1 1 ${'CD'.repeat(32)}
key      IN SSHFP 4 2 ${'EF'.repeat(32)}
svc      IN HTTPS 1 . alpn="h2,h3"
odd      IN TYPE65280 \\# 3 010203
`;

type Expectation = {
  readonly ask: readonly [name: string, type: string];
  readonly rcode: 'NOERROR' | 'NXDOMAIN' | 'REFUSED';
  /** What the answer has, each as a piece of a line. */
  readonly answer?: readonly string[];
  readonly authority?: readonly string[];
  /** Whether we have authority for it; default true. */
  readonly isReferral?: true;
};

const SOA = 'SOA ns1.example.com. hostmaster.example.com. 7 7200 600 1209600 60';
const EXPECTATIONS: Readonly<Record<string, Expectation>> = {
  'an address': { ask: ['web', 'A'], rcode: 'NOERROR', answer: ['A 192.0.2.80'] },
  'both kinds of address': { ask: ['mail', 'AAAA'], rcode: 'NOERROR', answer: ['AAAA 2001:db8::25'] },
  'an alias': { ask: ['www', 'A'], rcode: 'NOERROR', answer: ['CNAME web.example.com.', 'A 192.0.2.80'] },
  'an alias that leads out': { ask: ['out', 'A'], rcode: 'NOERROR', answer: ['CNAME www.example.net.'] },
  'no such data': { ask: ['web', 'MX'], rcode: 'NOERROR', answer: [], authority: [SOA] },
  'no such name': { ask: ['none', 'A'], rcode: 'NXDOMAIN', answer: [], authority: [SOA] },
  'an empty non-terminal': { ask: ['b.ent', 'A'], rcode: 'NOERROR', answer: [], authority: [SOA] },
  'a wildcard': { ask: ['any.wild', 'TXT'], rcode: 'NOERROR', answer: ['TXT "a wildcard"'] },
  'a wildcard without the type': { ask: ['any.wild', 'A'], rcode: 'NOERROR', answer: [], authority: [SOA] },
  'a delegation': {
    ...{ ask: ['deep.sub', 'A'], rcode: 'NOERROR', answer: [] },
    ...{ authority: ['NS ns.sub.example.com.'], isReferral: true },
  },
  'the DS of a delegation': { ask: ['sub', 'DS'], rcode: 'NOERROR', answer: ['DS 12345 13 2'] },
  'a DNAME': {
    ask: ['x.old', 'A'],
    rcode: 'NOERROR',
    answer: ['DNAME new.example.com.', 'CNAME x.new.example.com.', 'A 192.0.2.99'],
  },
  'servers of the zone': { ask: ['', 'NS'], rcode: 'NOERROR', answer: ['NS ns1.example.com.', 'NS ns2.example.net.'] },
  'the SOA': { ask: ['', 'SOA'], rcode: 'NOERROR', answer: [SOA] },
  'a mail server': { ask: ['', 'MX'], rcode: 'NOERROR', answer: ['MX 10 mail.example.com.'] },
  'an authority for certificates': { ask: ['', 'CAA'], rcode: 'NOERROR', answer: ['CAA 0 issue "ca.example.net"'] },
  'a service': { ask: ['_sip._udp', 'SRV'], rcode: 'NOERROR', answer: ['SRV 10 20 5060 mail.example.com.'] },
  'a rule of rewriting': { ask: ['phone', 'NAPTR'], rcode: 'NOERROR', answer: ['NAPTR 100 10 "u" "E2U+sip"'] },
  'a pointer': { ask: ['ptr', 'PTR'], rcode: 'NOERROR', answer: ['PTR www.example.com.'] },
  'a kind of machine': { ask: ['host', 'HINFO'], rcode: 'NOERROR', answer: ['HINFO "PC" "Linux"'] },
  'a certificate': { ask: ['_443._tcp.web', 'TLSA'], rcode: 'NOERROR', answer: ['TLSA 3 1 1'] },
  'a key of SSH': { ask: ['key', 'SSHFP'], rcode: 'NOERROR', answer: ['SSHFP 4 2'] },
  'a type that nobody knows': { ask: ['odd', 'TYPE65280'], rcode: 'NOERROR', answer: ['TYPE65280 \\# 3 010203'] },
  'what is not ours': { ask: ['www.elsewhere.net.', 'A'], rcode: 'REFUSED', answer: [] },
};

type Printed = { rcode: string; flags: string[]; answer: string[]; authority: string[] };
type Tool = (name: string, type: string) => string;

const TOOLS: Readonly<Record<string, Tool>> = {
  dig: (name, type) =>
    execFileSync('dig', ['+time=5', '+tries=1', '-p', String(PORT), '@127.0.0.1', name, type], { encoding: 'utf8' }),
  kdig: (name, type) =>
    execFileSync('kdig', ['+timeout=5', '+retry=0', '-p', String(PORT), '@127.0.0.1', name, type], {
      encoding: 'utf8',
    }),
  // drill ends with a status of its own for some answers.
  drill: (name, type) =>
    spawnSync('drill', ['-p', String(PORT), name, '@127.0.0.1', type], { encoding: 'utf8' }).stdout,
};

/** What the three print alike: a header with status and flags, sections with a title each, records by line. */
function readPrinted(text: string): Printed {
  const section = (title: string): string[] => {
    const lines = text.split('\n');
    const start = lines.findIndex((line) => new RegExp(`^;; ${title} SECTION:`).test(line));
    if (start < 0) return [];
    const rest = lines.slice(start + 1);
    const end = rest.findIndex((line) => line.trim() === '' || line.startsWith(';;'));
    return rest
      .slice(0, end < 0 ? undefined : end)
      .filter((line) => !line.startsWith(';') && line.trim() !== '')
      .map((line) => line.replace(/\s+/g, ' '));
  };
  const rcode = /(?:status|rcode): ([A-Z]+)/.exec(text)?.[1] ?? 'none';
  const flags = /flags: ([a-z ]+)/i.exec(text)?.[1] ?? '';
  return { rcode, flags: flags.trim().split(/\s+/), answer: section('ANSWER'), authority: section('AUTHORITY') };
}

const listener = new OneListener();
before(() =>
  listener.serve({ family: 4, address: '127.0.0.1', port: PORT }, { unhandled: 'reject', udpOctets: 1232 }, [
    buildZoneTable(zoneOf(ZONE, 'example.com.')),
  ]),
);
after(() => listener.stop());

for (const [tool, run] of Object.entries(TOOLS)) {
  describe(`what ${tool} prints`, () => {
    for (const [what, expectation] of Object.entries(EXPECTATIONS)) {
      it(`of ${what}`, () => {
        const { ask, rcode, answer = [], authority, isReferral } = expectation;
        const [relative, type] = ask;
        const name = relative.endsWith('.') ? relative : `${relative}${relative === '' ? '' : '.'}example.com.`;
        const text = run(name, type);
        const printed = readPrinted(text);
        assert.equal(printed.rcode, rcode, text);
        const isAuthoritative = rcode !== 'REFUSED' && isReferral !== true;
        assert.equal(printed.flags.includes('aa'), isAuthoritative, text);
        assertLines(printed.answer, answer, text);
        if (authority !== undefined) assertLines(printed.authority, authority, text);
      });
    }
  });
}

/** As many lines as expected, and each of those has its piece. */
function assertLines(lines: readonly string[], expected: readonly string[], text: string): void {
  assert.equal(lines.length, expected.length, text);
  for (const piece of expected) {
    const isThere = lines.some((line) => line.toLowerCase().includes(` ${piece.toLowerCase()}`));
    assert.ok(isThere, `${piece} in\n${text}`);
  }
}
