// Listeners, DNS profiles and zones: what is accepted, what is refused, and what is made of it.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { emptyConfiguration } from '../../../src/config/configuration.ts';
import { loadText } from '../../../src/config/load-text.ts';
import { printConfiguration } from '../../../src/config/print.ts';
import { TmshSession } from '../../support/tmsh-session.ts';

const load = (text: string) => loadText(text, emptyConfiguration(), { file: 'test' });

const SOUND = '@/soa { data { "ns1 host 1 7200 600 86400 300" } } @/ns { data { ns1 } } ns1/a { data { 192.0.2.53 } }';
const zone = (more = '', name = 'example.com'): string => `gtm zone ${name} { records { ${SOUND} ${more} } }`;

/** As a device writes it, with what it has and this version has not. */
const PASTED = `gtm listener /Common/dns_tcp {
    address 10.1.1.1
    ip-protocol tcp
    mask 255.255.255.255
    port 53
    profiles {
        /Common/dns { }
        /Common/tcp { }
    }
    source-address-translation {
        type automap
    }
    translate-address disabled
    translate-port disabled
    vlans-disabled
}
gtm listener /Common/dns_udp {
    address 10.1.1.1
    ip-protocol udp
    mask 255.255.255.255
    port 53
    profiles {
        /Common/custom_dns { }
        /Common/udp_gtm_dns { }
    }
    rules {
        /Common/refuse_any
    }
    source-address-translation {
        type automap
    }
    vlans {
        /Common/external
    }
    vlans-enabled
}
ltm profile dns /Common/custom_dns {
    app-service none
    cache none
    defaults-from /Common/dns
    enable-dns-express no
    process-rd no
    unhandled-query-action reject
}
`;

describe('gtm listener', () => {
  it('of a device loads, and is the same after save and load', () => {
    const loaded = load(PASTED);
    const view = loaded.configuration.views.get('gtm listener /Common/dns_tcp')!.properties;
    assert.deepEqual(
      [view.address, view.port, view['ip-protocol'], view.enabled, view.profiles, view.engine],
      ['10.1.1.1', 53, 'tcp', true, { '/Common/dns': {}, '/Common/tcp': {} }, 'socket'],
    );
    const profile = loaded.configuration.views.get('ltm profile dns /Common/custom_dns')!.properties;
    assert.deepEqual(
      [profile['process-rd'], profile['unhandled-query-action'], profile['allow-clients'], profile['max-udp-size']],
      [false, 'reject', ['all'], 1232],
    );
    const texts = loaded.warnings.map(({ text }) => text);
    assert.deepEqual(
      texts.map((text) => /: ([a-z-]+) is kept, but has no effect/.exec(text)?.[1] ?? text),
      ['enable-dns-express', 'rules', 'vlans', 'vlans-enabled'],
    );
    const saved = printConfiguration(loaded.configuration, '1');
    assert.equal(printConfiguration(load(saved).configuration, '1'), saved);
    assert.match(saved, /source-address-translation \{\n {8}type automap/);
  });

  it('takes its address from its name, ports by name, and all addresses of a family', async () => {
    const session = new TmshSession();
    await session.run(
      'create gtm listener 192.0.2.1 port domain',
      'create gtm listener any4 address 0.0.0.0',
      'create gtm listener any6 address ::',
      'create gtm listener other address 192.0.2.1 ip-protocol tcp profiles add { dns tcp }',
    );
    const listed = await session.run('list gtm listener one-line');
    assert.match(listed, /gtm listener 192\.0\.2\.1 \{ address 192\.0\.2\.1 \}/);
    assert.match(listed, /gtm listener any4 \{ address any \}/);
    assert.match(listed, /gtm listener any6 \{ address any6 \}/);
    assert.match(listed, /profiles \{ dns \{ \} tcp \{ \} \}/);
  });

  const refused: readonly [string, RegExp][] = [
    [
      'create gtm listener b address 192.0.2.1',
      /Listener \(\/Common\/b\): listener \(\/Common\/a\) has 192\.0\.2\.1 port 53 \(udp\) already/,
    ],
    ['create gtm listener b address 192.0.2.1%7', /192\.0\.2\.1%7|route domain/i],
    [
      'create gtm listener b address 192.0.2.2 ip-protocol tcp engine ring',
      /engine ring does not go with ip-protocol tcp/,
    ],
    ['create gtm listener b address any engine ring', /engine ring does not go with address any/],
    ['create gtm listener b address 224.0.0.1', /must be an address of one host, not "224\.0\.0\.1"/],
    ['create gtm listener b port 53', /must have a value for address/],
    ['create gtm listener b address 192.0.2.2 port 0', /port must be a port from 1 to 65535/],
    [
      'create gtm listener b address 192.0.2.2 profiles add { tcp }',
      /none of its profiles \(\/Common\/tcp\) is a DNS profile/,
    ],
    ['create gtm listener b address 192.0.2.2 profiles add { dnss }', /none of its profiles \(\/Common\/dnss\)/],
    [
      'create gtm listener b address 192.0.2.2 profiles add { dns p }',
      /\/Common\/dns and \/Common\/p are two DNS profiles/,
    ],
    ['modify gtm listener a address 192.0.2.9', /address/],
    [
      'delete ltm profile dns p',
      /DNS profile \(\/Common\/p\) cannot be deleted because it is in use by a Listener \(\/Common\/a\)/,
    ],
    ['delete ltm profile dns dns', /part of the system/],
    [
      'modify ltm profile dns p local-bind-address 192.0.2.1',
      /local-bind-address 192\.0\.2\.1 port 53 .* is the listener itself/,
    ],
  ];
  for (const [command, message] of refused) {
    it(`refuses ${command}`, async () => {
      const session = new TmshSession();
      await session.run('create ltm profile dns p', 'create gtm listener a address 192.0.2.1 profiles add { p }');
      assert.match((await session.refusal(command)) ?? 'accepted', message);
    });
  }

  it('may stand beside one for all addresses, one of the other protocol, a disabled one, and one elsewhere', async () => {
    const session = new TmshSession();
    await session.run(
      'create net route-domain 7 id 7',
      'create gtm listener a address 192.0.2.1',
      'create gtm listener b address any',
      'create gtm listener c address 192.0.2.1 ip-protocol tcp',
      'create gtm listener d address 192.0.2.1 disabled',
      'create gtm listener e address 192.0.2.1%7',
      'create gtm listener f address 192.0.2.1 port 5353',
    );
    assert.match((await session.refusal('modify gtm listener d enabled'))!, /listener \(\/Common\/a\) has/);
    assert.match((await session.refusal('delete net route-domain 7')) ?? 'accepted', /in use by a Listener/);
  });

  it('warns of what is kept without effect', () => {
    const texts = (text: string) => load(text).warnings.map((warning) => warning.text);
    assert.deepEqual(texts('gtm listener a { address 192.0.2.0 mask 255.255.255.0 }'), [
      'Listener (/Common/a): mask 255.255.255.0 is kept, but has no effect: 192.0.2.0 alone is listened on.',
    ]);
    assert.deepEqual(texts('gtm listener a { address any mask any }\ngtm listener b { address any6 mask any6 }'), []);
    assert.deepEqual(texts('gtm listener a { address 192.0.2.0 profiles { dns { } my-tcp { } } }'), [
      'Listener (/Common/a): /Common/my-tcp is no DNS profile: kept, but without effect.',
    ]);
  });

  it('in a partition is in its default route domain', async () => {
    const session = new TmshSession();
    await session.run(
      'create net route-domain 7 id 7',
      'create auth partition Other default-route-domain 7',
      'create gtm listener /Other/a address 192.0.2.1',
      'create gtm listener /Other/b address any',
    );
    const { views } = session.configuration;
    assert.equal(views.get('gtm listener /Other/a')?.properties.address, '192.0.2.1%7');
    assert.equal(views.get('gtm listener /Other/b')?.properties.address, 'any%7');
  });
});

describe('ltm profile dns', () => {
  it('makes networks of clients, and tells everybody from nobody', async () => {
    const session = new TmshSession();
    const clients = async (value: string) => {
      await session.run(`modify ltm profile dns p allow-clients ${value}`);
      return session.configuration.views.get('ltm profile dns /Common/p')!.properties['allow-clients'];
    };
    await session.run('create ltm profile dns p');
    assert.deepEqual(await clients('replace-all-with { 192.0.2.77/24 2001:DB8::1 10.0.0.1/255.0.0.0 }'), [
      '192.0.2.0/24',
      '2001:db8::1/128',
      '10.0.0.0/8',
    ]);
    assert.deepEqual(await clients('none'), []);
    assert.deepEqual(await clients('all'), ['all']);
    assert.deepEqual(await clients('default'), ['all']);
    for (const value of ['{ 10.0.0.0%5/8 }', '{ localhost }', '{ all }']) {
      assert.match(
        (await session.refusal(`modify ltm profile dns p allow-clients replace-all-with ${value}`))!,
        /must be all, none/,
      );
    }
  });

  it('takes what it does not say from another one', async () => {
    const session = new TmshSession();
    await session.run(
      'modify ltm profile dns dns nsid here',
      'create ltm profile dns a defaults-from dns response-rate-limit 50',
      'create ltm profile dns b defaults-from a response-rate-limit-slip 3',
    );
    const { properties } = session.configuration.views.get('ltm profile dns /Common/b')!;
    assert.deepEqual(
      [properties.nsid, properties['response-rate-limit'], properties['response-rate-limit-slip']],
      ['here', 50, 3],
    );
  });

  it('refuses what cannot be, and warns of what means nothing alone', async () => {
    const session = new TmshSession();
    for (const [value, message] of [
      ['local-bind-address 0.0.0.0', /must be an address that a server can have/],
      ['local-bind-address 127.0.0.1%1', /without a route domain/],
      [`nsid ${'n'.repeat(256)}`, /at most 255 octets/],
      ['enable-cache yes', /enable-cache yes needs a cache/],
      ['max-udp-size 511', /from 512 to 4096/],
    ] as const) {
      assert.match((await session.refusal(`create ltm profile dns p ${value}`)) ?? 'accepted', message);
    }
    const warnings = load('ltm profile dns p { local-bind-port 54 response-rate-limit-slip 1 }').warnings;
    assert.deepEqual(
      warnings.map(({ text }) => text.replace('DNS profile (/Common/p): ', '')),
      [
        'local-bind-port has no effect without local-bind-address.',
        'response-rate-limit-slip has no effect without response-rate-limit.',
      ],
    );
  });
});

describe('gtm zone', () => {
  it('is made record by record in one command, changed, and the same after save and load', async () => {
    const session = new TmshSession();
    await session.run(`create ${zone('www/A { data { 192.0.2.1 192.0.2.2 } ttl 60 }')}`);
    await session.run('modify gtm zone example.com records add { t/txt { data { "\\"a; \\\\\\"b\\\\\\"\\" c" } } }');
    await session.run('modify gtm zone example.com records modify { www/a { data add { 192.0.2.3 } } }');
    const { properties } = session.configuration.views.get('gtm zone /Common/example.com')!;
    const { records } = properties as { records: Record<string, unknown> };
    assert.deepEqual(records['www/a'], { data: ['192.0.2.1', '192.0.2.2', '192.0.2.3'], ttl: 60 });
    assert.deepEqual(records['t/txt'], { data: ['"a; \\"b\\"" c'] });
    const saved = printConfiguration(session.configuration, '1');
    assert.equal(printConfiguration(load(saved).configuration, '1'), saved);
  });

  const refused: readonly [string, string, RegExp][] = [
    [
      'an SOA of two',
      'example.com./SOA { data { "ns1 h 1 2 3 4 5" } }',
      /record example\.com\.\/soa: means the same as @\/soa/,
    ],
    [
      'a CNAME beside other data',
      'www/a { data { 192.0.2.1 } } www/cname { data { ns1 } }',
      /record www\/cname: www\.example\.com\. CNAME: other records of the name beside a CNAME/,
    ],
    [
      'two CNAMEs',
      'www/cname { data { ns1 ns2 } }',
      /record www\/cname: www\.example\.com\. CNAME: there can be one only/,
    ],
    [
      'an owner out of the zone',
      'www.example.net./a { data { 192.0.2.1 } }',
      /record www\.example\.net\.\/a: www\.example\.net\. is not in the zone example\.com\./,
    ],
    ['bad RDATA', 'www/a { data { 192.0.2 } }', /record www\/a, data "192\.0\.2": /],
    [
      'a text behind RDATA',
      'www/a { data { "192.0.2.1 2" } }',
      /record www\/a, data "192\.0\.2\.1 2": text behind the record: "2"/,
    ],
    [
      'a comment',
      't/txt { data { "v=DKIM1; k=rsa" } }',
      /record t\/txt, data "v=DKIM1; k=rsa": a semicolon begins a comment/,
    ],
    ['a line end', 't/txt { data { "a\nb" } }', /there is a line end in it/],
    [
      'one set under two spellings',
      'www/a { data { 192.0.2.1 } } WWW/a { data { 192.0.2.1 } }',
      /record WWW\/a: means the same as www\/a/,
    ],
    [
      'one set under two names',
      'www/a { data { 192.0.2.1 } } www.example.com./a { data { 192.0.2.1 } }',
      /record www\.example\.com\.\/a: means the same as www\/a/,
    ],
    ['no data', 'www/a { }', /record www\/a: has no data/],
    ['an unknown type', 'www/x { data { 1 } }', /unknown type "x"/],
    ['a type of questions', 'www/any { data { 1 } }', /must have a type of data, which ANY is not/],
    ['a bad owner', 'a..b/a { data { 192.0.2.1 } }', /a label of the name is empty/],
    ['no slash', 'www { data { 192.0.2.1 } }', /must be an owner and a type, as in www\/a/],
  ];
  for (const [what, records, message] of refused) {
    it(`refuses ${what}`, async () => {
      const refusal = await new TmshSession().refusal(`create ${zone(records)}`);
      assert.match(refusal ?? 'accepted', message);
    });
  }

  const unmade: readonly [string, RegExp][] = [
    ['create gtm zone example.com', /Zone \(\/Common\/example\.com\) has neither records nor a file/],
    ['create gtm zone example.com { file a records { @/ns { data { ns1.example.net. } } } }', /has records and a file/],
    ['create gtm zone example.com { records { @/ns { data { ns1.example.net. } } } }', /example\.com\. has no SOA/],
    ['create gtm zone example.com { records { @/soa { data { "ns1 h 1 2 3 4 5" } } } }', /example\.com\. has no NS/],
    ['create gtm zone example..com file a', /"example\.\.com" is not the name of a zone: a label of the name is empty/],
    ['create gtm zone example.com file a/', /must be the path of a file/],
  ];
  for (const [command, message] of unmade) {
    it(`refuses ${command}`, async () => {
      assert.match((await new TmshSession().refusal(command)) ?? 'accepted', message);
    });
  }

  it('tells up to twenty errors and three warnings, and how many more there are', async () => {
    const broken = Array.from({ length: 30 }, (_, index) => `h${index}/a { data { x } }`).join(' ');
    assert.match((await new TmshSession().refusal(`create ${zone(broken)}`))!, /10 more of them/);
    const lame = Array.from({ length: 5 }, (_, index) => `h${index}/mx { data { "1 gone" } }`).join(' ');
    const texts = load(zone(lame)).warnings.map(({ text }) => text);
    assert.equal(texts.length, 4);
    assert.match(texts[0]!, /record h0\/mx: h0\.example\.com\. MX: gone\.example\.com\. has no address/);
    assert.match(texts[3]!, /2 more of them/);
  });

  it('has its origin for itself, unless it is disabled', async () => {
    const session = new TmshSession();
    await session.run('create gtm zone example.com file a', 'create gtm zone sub.example.com file b');
    assert.match(
      (await session.refusal('create gtm zone Example.COM file c'))!,
      /zone \(\/Common\/example\.com\) answers example\.com\. already/,
    );
    await session.run('create gtm zone Example.COM { file c disabled }');
    await session.run('create gtm zone . file root');
  });

  it('that did not change is not read again', async () => {
    const session = new TmshSession();
    await session.run(
      `create ${zone(Array.from({ length: 3000 }, (_, index) => `h${index}/a { data { 192.0.2.1 } }`).join(' '))}`,
    );
    const start = process.cpuUsage();
    for (let round = 0; round < 20; round++) await session.run(`modify ltm profile dns dns description d${round}`);
    const { user } = process.cpuUsage(start);
    assert.ok(user < 400_000, `${user} µs for 20 changes`);
  });
});
