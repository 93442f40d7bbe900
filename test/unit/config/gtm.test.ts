// Wide IPs and what belongs to them as objects of the configuration: their grammar, and what is refused, with the words.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { diffObjects } from '../../../src/config/change.ts';
import { emptyConfiguration } from '../../../src/config/configuration.ts';
import { loadText } from '../../../src/config/load-text.ts';
import { printConfiguration } from '../../../src/config/print.ts';
import { TmshSession } from '../../support/tmsh-session.ts';

const FILE = readFileSync('test/fixtures/bigip/wide-ips.conf', 'utf8');

describe('a file of a device with wide IPs', () => {
  const loaded = loadText(FILE, emptyConfiguration(), { file: 'wide-ips.conf' });
  const saved = printConfiguration(loaded.configuration, '1');

  it('loads, and nothing of it is unknown but what every object may have', () => {
    assert.deepEqual(
      loaded.unknown.map(({ text }) => text),
      [
        'gtm link /Common/fra-uplink: monitor /Common/bigip_link: gtm monitor bigip-link /Common/bigip_link is not known in this version',
        'gtm server /Common/lb-fra: property "metadata" is not known',
      ],
    );
  });

  it('is the same after save and load', () => {
    const again = loadText(saved, emptyConfiguration());
    assert.equal(printConfiguration(again.configuration, '1'), saved);
    assert.deepEqual(
      [...again.configuration.views].sort(([a], [b]) => (a < b ? -1 : 1)),
      [...loaded.configuration.views].sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  });

  it('says everything that it said, but for defaults', () => {
    const defaults =
      /^ *(?:product bigip|order 0|member-order 0|topology-longest-match yes|disabled|order 0|monitor default)$/;
    const lines = new Map<string, number>();
    const note = (text: string, by: number): void => {
      for (const line of text.split('\n')) {
        const word = line
          .trim()
          .replace(/\{ \}$/, '{')
          .replace(':https', ':443');
        lines.set(word, (lines.get(word) ?? 0) + by);
      }
    };
    note(FILE, 1);
    note(saved, -1);
    const lost = [...lines].filter(([line, count]) => count > 0 && !defaults.test(line) && line !== '}' && line !== '');
    assert.deepEqual(lost, [['#TMSH-VERSION: 16.1.3', 1]]);
  });
});

const NETWORK = [
  'create gtm datacenter east',
  'create gtm server web { datacenter east devices add { web { addresses add { 192.0.2.1 } } } virtual-servers add { http { destination 192.0.2.80:80 } /Common/v6 { destination 2001:db8::80.80 } } }',
  'create gtm pool a p { members add { web:http } }',
  'create gtm pool aaaa p { members add { web:/Common/v6 } }',
  'create gtm pool cname c { members add { www.example.net { static-target yes } } }',
  'create gtm wideip a www.example.com { pools add { p } aliases add { web.example.com } }',
];

async function network(...more: string[]): Promise<TmshSession> {
  const session = new TmshSession();
  for (const command of [...NETWORK, ...more]) await session.run(command);
  return session;
}

describe('names', () => {
  it('are per type: two wide IPs, and two pools, of one name stand beside each other', async () => {
    const session = await network('create gtm wideip aaaa www.example.com { pools add { p } }');
    assert.equal(
      await session.run('list gtm wideip one-line'),
      'gtm wideip a www.example.com { aliases { web.example.com } pools { p { } } }\ngtm wideip aaaa www.example.com { pools { p { } } }\n',
    );
    await session.run('delete gtm wideip a www.example.com', 'delete gtm pool a p');
    assert.equal(
      await session.run('list gtm wideip one-line'),
      'gtm wideip aaaa www.example.com { pools { p { } } }\n',
    );
    assert.match(await session.run('list gtm pool one-line'), /^gtm pool aaaa p \{ .*\}\ngtm pool cname c \{ .*\}\n$/);
  });

  it('with a star mean the object that has it, and several where there is none', async () => {
    const session = await network('create gtm wideip a *.example.com', 'create gtm wideip a w?.example.com');
    await session.run('modify gtm wideip a *.example.com description one');
    assert.equal(
      await session.run('list gtm wideip a *.example.com description one-line'),
      'gtm wideip a *.example.com { description one }\n',
    );
    await session.run('delete gtm wideip a *.example.com');
    assert.equal((await session.run('list gtm wideip a *.example.com')).match(/^gtm wideip/gm)?.length, 2);
    await session.run('delete gtm wideip a w?.example.com');
    assert.equal((await session.run('list gtm wideip a')).match(/^gtm wideip/gm)?.length, 1);
  });

  it('of pools follow a new name of theirs, or of a server, wherever they are', async () => {
    const session = await network(
      'create gtm topology ldns: country DE server: pool p score 5',
      'modify gtm wideip a www.example.com last-resort-pool aaaa p',
      'mv gtm server web lb',
      'mv gtm pool aaaa p p6',
    );
    assert.equal(await session.run('list gtm pool a one-line'), 'gtm pool a p { members { lb:http { } } }\n');
    assert.match(await session.run('list gtm wideip a one-line'), /last-resort-pool aaaa p6 pools \{ p \{ \} \}/);
    assert.equal(
      await session.run('list gtm topology one-line'),
      'gtm topology ldns: country DE server: pool p6 { score 5 }\n',
    );
  });

  it('of records are written with several words, in one canonical way', async () => {
    const session = await network(
      'create gtm topology ldns: not subnet 10.1.2.3/8 server: datacenter /Common/east { score 3 }',
    );
    const name = 'ldns: not subnet 10.0.0.0/8 server: datacenter east';
    assert.equal(await session.run('list gtm topology one-line'), `gtm topology ${name} { score 3 }\n`);
    await session.run(`modify gtm topology ${name} order 4`);
    assert.equal(await session.run(`list gtm topology ${name} order one-line`), `gtm topology ${name} { order 4 }\n`);
    await session.run(`modify gtm topology "${name}" order 5`);
    assert.equal(await session.run('list gtm topology order one-line'), `gtm topology ${name} { order 5 }\n`);
    const edited = await session.run(`edit gtm topology ${name}`);
    assert.equal(edited, `gtm topology ${name.replace('east', '/Common/east')} {\n    order 5\n    score 3\n}\n`);
    await session.run(`delete gtm topology { ${name} }`);
    assert.equal(await session.run('list gtm topology'), '');
  });

  it('in another folder are those of the folder, or of /Common where it has none', async () => {
    const session = await network('create auth partition Shop', 'cd /Shop');
    await session.run('create gtm pool a own { members add { web:http } }');
    await session.run('create gtm wideip a shop.example.com { pools add { own p } last-resort-pool a own }');
    await session.run('create gtm topology ldns: country DE server: pool own');
    await session.run('create gtm topology ldns: country DE server: pool p');
    await session.run('cd /Common');
    const wideIp = await session.run('list gtm wideip a /Shop/shop.example.com one-line');
    assert.match(wideIp, /last-resort-pool a \/Shop\/own pools \{ \/Shop\/own \{ \} p \{ \} \}/);
    assert.match(await session.run('list gtm pool a /Shop/own one-line'), /members \{ web:http \{ \} \}/);
    const topology = await session.run('list gtm topology one-line');
    assert.match(topology, /server: pool p \{ \}\n/);
    assert.match(topology, /server: pool \/Shop\/own \{ \}\n/);
  });
});

describe('members of a region', () => {
  it('are added, modified and taken away as they are written', async () => {
    const session = await network(
      'create gtm region r { region-members add { continent eu not country us { } subnet 192.0.2.9/24 { } isp "A B" } }',
    );
    const list = 'list gtm region r one-line';
    const all =
      'gtm region r { region-members { continent EU { } not country US { } subnet 192.0.2.0/24 { } isp "A B" { } } }\n';
    assert.equal(await session.run(list), all);
    await session.run('modify gtm region r region-members delete { not country US isp "A B" }');
    await session.run('modify gtm region r region-members add { datacenter east }');
    assert.equal(
      await session.run(list),
      'gtm region r { region-members { continent EU { } subnet 192.0.2.0/24 { } datacenter east { } } }\n',
    );
    await session.run('modify gtm region r region-members delete { all }');
    assert.equal(await session.run(list), 'gtm region r { }\n');
  });
});

describe('members without an order', () => {
  it('stand as they are written, and another order is a change', async () => {
    const session = await network('modify gtm server web virtual-servers add { second { destination 192.0.2.81:80 } }');
    await session.run('modify gtm pool a p members add { web:second }');
    const before = session.configuration.views;
    await session.run('modify gtm pool a p members replace-all-with { web:second web:http }');
    const changes = diffObjects(before, session.configuration.views);
    assert.deepEqual(
      changes.map((change) => [change.action, change.object.name, change.action === 'modify' ? change.changed : []]),
      [['modify', '/Common/p', ['members']]],
    );
    const reordered = session.configuration.views;
    await session.run('modify gtm pool a p members replace-all-with { web:second web:http }');
    assert.deepEqual(diffObjects(reordered, session.configuration.views), []);
  });
});

/** What is set up besides, the command, and what it says. */
const REFUSED: [string, string[], string, RegExp][] = [
  [
    'a server in a datacenter that is not there',
    [],
    'create gtm server s { datacenter west devices add { s { addresses add { 192.0.2.2 } } } }',
    /01020036:3: The requested Data Center \(\/Common\/west\) was not found\./,
  ],
  [
    'a server without an address',
    [],
    'create gtm server s { datacenter east devices add { s { } } }',
    /Server \(\/Common\/s\) has no address\.[^]*Write devices \{ NAME \{ addresses/,
  ],
  [
    'a server whose name has a colon',
    [],
    'create gtm server s:1 { datacenter east }',
    /"\/Common\/s:1" is not a valid Server name: the name of a server holds no :\./,
  ],
  [
    'a virtual server without a destination',
    [],
    'modify gtm server web virtual-servers add { v }',
    /virtual server v must have a value for destination\./,
  ],
  [
    'an address of IPv6 with a colon before its port',
    [],
    'modify gtm server web virtual-servers add { v { destination 2001:db8::1:80 } }',
    /destination must be an address and a port, as in 192\.0\.2\.1:443 or 2001:db8::1\.443, not "2001:db8::1:80"\./,
  ],
  [
    'a dependency on a virtual server that is not there',
    [],
    'modify gtm server web virtual-servers modify { http { depends-on add { web:nix } } }',
    /The requested virtual server \(nix\) was not found on Server \(\/Common\/web\): virtual server http of/,
  ],
  [
    'a member of a server that is not there',
    [],
    'modify gtm pool a p members add { nix:http }',
    /01020036:3: The requested Server \(\/Common\/nix\) was not found\./,
  ],
  [
    'a member that its server does not have',
    [],
    'modify gtm pool a p members add { web:nix }',
    /01020036:3: The requested virtual server \(nix\) was not found on Server \(\/Common\/web\): it is a member of Pool A \(\/Common\/p\)\./,
  ],
  [
    'to take a virtual server away that is a member',
    [],
    'modify gtm server web virtual-servers delete { http }',
    /virtual server \(http\) was not found[^]*To take the member away: modify gtm pool a \/Common\/p members delete \{ \/Common\/web:http \}/,
  ],
  [
    'a member with an address of the other family',
    [],
    'modify gtm pool a p members add { web:/Common/v6 }',
    /Pool A \(\/Common\/p\): member \/Common\/web:\/Common\/v6 has the address 2001:db8::80\.80, which is none of IPv4\.[^]*pool of type aaaa/,
  ],
  [
    'a virtual server that changes its family below a pool',
    [],
    'modify gtm server web virtual-servers modify { http { destination 2001:db8::1.80 } }',
    /Pool A \(\/Common\/p\): member \/Common\/web:http has the address 2001:db8::1\.80, which is none of IPv4\./,
  ],
  [
    'a fallback address of the other family',
    [],
    'modify gtm pool a p fallback-ip 2001:db8::1',
    /Pool A \(\/Common\/p\): fallback-ip 2001:db8::1 is no address of IPv4 that can be answered\./,
  ],
  [
    'none as the first mode',
    [],
    'modify gtm pool a p load-balancing-mode none',
    /load-balancing-mode must be completion-rate, .* or virtual-server-score, not "none"\./,
  ],
  [
    'an alternate mode that needs what is measured of paths',
    [],
    'modify gtm pool a p alternate-mode lowest-round-trip-time',
    /alternate-mode must be drop-packet, .*, not "lowest-round-trip-time"\./,
  ],
  [
    'more members than 100 per cent',
    [],
    'modify gtm pool a p min-members-up-mode percent min-members-up-value 101',
    /min-members-up-value 101 is more than 100 per cent\./,
  ],
  [
    'a service without a port',
    [],
    'create gtm pool srv s { members add { host.example.com } }',
    /Pool SRV \(\/Common\/s\): member host\.example\.com must have a value for port\./,
  ],
  [
    'a pool of another type',
    [],
    'modify gtm wideip a www.example.com pools add { c }',
    /The requested Pool A \(\/Common\/c\) was not found\./,
  ],
  [
    'a pool of addresses among those of aliases',
    [],
    'modify gtm wideip a www.example.com pools-cname add { p }',
    /The requested Pool CNAME \(\/Common\/p\) was not found\./,
  ],
  [
    'a last resort that is not there',
    [],
    'modify gtm wideip a www.example.com last-resort-pool aaaa nix',
    /The requested Pool AAAA \(\/Common\/nix\) was not found\.[^]*names it as last-resort-pool\./,
  ],
  [
    'a last resort without its name',
    [],
    'modify gtm wideip a www.example.com last-resort-pool a',
    /Syntax Error: a word is missing behind "a"[^]*Expected the name of a Pool A\./,
  ],
  [
    'a name that another wide IP has as an alias',
    [],
    'create gtm wideip a WEB.example.com',
    /Wide IP A \(\/Common\/WEB\.example\.com\): Wide IP A \(\/Common\/www\.example\.com\) answers web\.example\.com already\./,
  ],
  [
    'an alias that is the name itself',
    [],
    'modify gtm wideip a www.example.com aliases add { www.example.COM. }',
    /Wide IP A \(\/Common\/www\.example\.com\) answers www\.example\.com twice\./,
  ],
  [
    'a name with an empty label',
    [],
    'create gtm wideip a www..com',
    /"\/Common\/www\.\.com" is not a valid Wide IP A name: a label of the domain name is empty\./,
  ],
  [
    'a label that is too long',
    [],
    `create gtm wideip a ${'a'.repeat(64)}.com`,
    /is not a valid Wide IP A name: a label of a domain name has at most 63 characters\./,
  ],
  [
    'a name with an underscore where names are strict',
    ['modify gtm global-settings general domain-name-check strict'],
    'create gtm wideip a a_b.example.com',
    /Wide IP A \(\/Common\/a_b\.example\.com\): a domain name holds letters, digits and -, and a_b\.example\.com holds something else\./,
  ],
  [
    'a continent that there is not',
    [],
    'create gtm region r region-members add { continent XX }',
    /region-members must be .*: "XX" must be AF, AN, AS, EU, NA, OC or SA, not "continent XX"\./,
  ],
  [
    'a country of three letters',
    [],
    'create gtm topology ldns: country USA server: pool p',
    /"ldns: country USA server: pool p" is not a valid Topology Record name: .*"USA" must be the two letters of a country/,
  ],
  [
    'a network that is none',
    [],
    'create gtm topology ldns: subnet 10.0.0.0/33 server: pool p',
    /"10\.0\.0\.0\/33" must be a network/,
  ],
  [
    'a topology record of a region that is not there',
    [],
    'create gtm topology ldns: region nix server: pool p',
    /The requested Region \(\/Common\/nix\) was not found\./,
  ],
  [
    'a region in itself',
    ['create gtm region a', 'create gtm region b region-members add { region a }'],
    'modify gtm region a region-members add { not region b }',
    /Region \(\/Common\/a\): region-members leads back to itself: \/Common\/a, \/Common\/b, \/Common\/a\.[^]*region-members delete \{ region \/Common\/b \}/,
  ],
  [
    'to delete a pool that a topology record names',
    ['create gtm pool a q', 'create gtm topology ldns: country DE server: pool q'],
    'delete gtm pool a q',
    /The Pool A \(\/Common\/q\) cannot be deleted because it is in use by a Topology Record \(ldns: country DE server: pool \/Common\/q\)\.[^]*Delete the Topology Record/,
  ],
  [
    'an application of a wide IP that is not there',
    [],
    'create gtm distributed-app app wideips add { mx www.example.com }',
    /The requested Wide IP MX \(\/Common\/www\.example\.com\) was not found\./,
  ],
  [
    'to delete a wide IP of an application',
    ['create gtm distributed-app app wideips add { a www.example.com }'],
    'delete gtm wideip a www.example.com',
    /The Wide IP A \(\/Common\/www\.example\.com\) cannot be deleted because it is in use by a Distributed Application \(\/Common\/app\)\./,
  ],
];

describe('what is refused', () => {
  for (const [what, more, command, expected] of REFUSED) {
    it(what, async () => {
      const session = await network(...more);
      const before = session.configuration;
      assert.match((await session.refusal(command)) ?? 'it was accepted', expected);
      assert.equal(session.configuration, before);
    });
  }
});

describe('a topology record', () => {
  it('that fits no client is warned of', async () => {
    const session = await network();
    const output = await session.run('create gtm topology ldns: datacenter east server: pool p');
    assert.match(output, /^Warning: Topology Record \(.*\): it fits no client: none is in a datacenter\./m);
  });
});
