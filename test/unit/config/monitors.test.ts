// Monitors, rules over them, and what they watch: files of a device, values that are refused, and names that follow.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { emptyConfiguration, isBuiltIn } from '../../../src/config/configuration.ts';
import { loadText } from '../../../src/config/load-text.ts';
import { parseMonitorDestination } from '../../../src/config/monitor-kinds.ts';
import { MONITOR_PATHS, readMonitorRule } from '../../../src/config/monitor-rule.ts';
import { OBJECT_TYPES, findObjectType, typesOf } from '../../../src/config/object-types.ts';
import { printConfiguration } from '../../../src/config/print.ts';
import { openSecret } from '../../../src/config/secret-box.ts';
import { GTM_MONITORS, LTM_MONITORS } from '../../../src/config/types/monitors.ts';
import { formatAddress } from '../../../src/core/address.ts';
import { TmshSession } from '../../support/tmsh-session.ts';

const FILE = readFileSync('test/fixtures/bigip/monitors.conf', 'utf8');

const load = (text: string) => loadText(text, emptyConfiguration(), { file: 'f' });

describe('types of monitors', () => {
  it('are those that rules may name, and healthd gets them', () => {
    assert.deepEqual(
      GTM_MONITORS.map(({ path }) => path),
      MONITOR_PATHS.gtm,
    );
    assert.deepEqual(
      LTM_MONITORS.map(({ path }) => path),
      MONITOR_PATHS.ltm,
    );
    const paths = [...MONITOR_PATHS.gtm, ...MONITOR_PATHS.ltm, 'ltm node', 'ltm pool', 'ltm virtual'];
    const more = [
      'gtm server',
      'gtm pool a',
      'gtm pool aaaa',
      'gtm global-settings general',
      'net self',
      'net vlan-group',
    ];
    const given = typesOf('healthd');
    for (const path of [...paths, ...more]) assert.ok(given.includes(path), path);
    for (const path of MONITOR_PATHS.gtm) assert.ok(!typesOf('dnsd').includes(path), path);
  });

  it('have a monitor each that is always there, with the times of the module', async () => {
    const session = new TmshSession();
    for (const path of [...MONITOR_PATHS.gtm, ...MONITOR_PATHS.ltm]) {
      const name = `/Common/${path.split(' ')[2]!.replaceAll('-', '_')}`;
      assert.ok(isBuiltIn(findObjectType(path)!, name), `${path} ${name}`);
      const { interval, timeout } = session.configuration.views.get(`${path} ${name}`)!.properties;
      const expected = path === 'gtm monitor bigip' ? [30, 90] : path.startsWith('gtm') ? [30, 120] : [5, 16];
      assert.deepEqual([interval, timeout], expected, path);
      assert.match((await session.refusal(`delete ${path} ${name}`))!, /cannot be deleted/);
    }
  });

  it('say each property once: those of one name are read alike in both modules', () => {
    for (const type of GTM_MONITORS) {
      const other = findObjectType(type.path.replace('gtm', 'ltm'));
      for (const [name, { kind }] of Object.entries(other === undefined ? {} : type.properties)) {
        const twin = other!.properties[name]?.kind;
        if (twin === undefined || name === 'defaults-from') continue;
        assert.deepEqual(
          [kind.shape, 'expects' in kind && kind.expects],
          [twin.shape, 'expects' in twin && twin.expects],
          `${type.path} ${name}`,
        );
      }
    }
  });

  it('give values to those that inherit from them, in chains', async () => {
    const session = new TmshSession();
    await session.run(
      'create ltm monitor http a { interval 10 timeout 31 recv up send "GET /a" }',
      'create ltm monitor http b { defaults-from a recv down }',
      'modify ltm monitor http a interval 7',
    );
    const { properties } = session.configuration.views.get('ltm monitor http /Common/b')!;
    assert.deepEqual(
      [properties.interval, properties.timeout, properties.recv, properties.send],
      [7, 31, 'down', 'GET /a'],
    );
    assert.match((await session.refusal('delete ltm monitor http a'))!, /in use by a Monitor \(\/Common\/b\)/);
    assert.match(
      (await session.refusal('modify ltm monitor http a defaults-from b'))!,
      /defaults-from leads back to itself/,
    );
    assert.match(
      (await session.refusal('modify ltm monitor http a timeout 7'))!,
      /interval 7 must be less than timeout 7/,
    );
  });

  it('share a name space in a module, and none with the other', async () => {
    const session = new TmshSession();
    await session.run('create gtm monitor http m', 'create ltm monitor tcp m');
    assert.match(
      (await session.refusal('create gtm monitor tcp m'))!,
      /01020066:3: The requested Monitor \(\/Common\/m\) already exists in partition Common[^]*gtm monitor (?:http|tcp) and a gtm monitor (?:http|tcp) cannot share/,
    );
  });

  it('keep passwords sealed', async () => {
    const session = new TmshSession();
    await session.run('create gtm monitor http m username u password "s3cret word"');
    const sealed = session.configuration.objects.get('gtm monitor http /Common/m')!.own.password as string;
    assert.ok(sealed.startsWith('$M$'));
    assert.deepEqual(openSecret(sealed), { text: 's3cret word' });
    assert.ok(!(await session.run('list gtm monitor http m')).includes('s3cret'));
  });
});

describe('a file of a device with monitors, nodes, pools and virtual servers', () => {
  const loaded = load(FILE);
  const saved = printConfiguration(loaded.configuration, '1');

  it('is saved as it was, but for its header', () => {
    // Objects come in the order of their types.
    const stanzas = (text: string) => text.slice(text.search(/^[gl]tm /m)).split(/^(?=[gl]tm )/m);
    assert.deepEqual(stanzas(saved).sort(), stanzas(FILE).sort());
    assert.equal(printConfiguration(load(saved).configuration, '1'), saved);
  });

  it('has rules over monitors of other types, which are kept without effect', () => {
    const rules = loaded.unknown.filter(({ text }) => text.includes(': monitor ')).map(({ text }) => text);
    assert.deepEqual(rules, [
      'ltm pool /Common/app_pool members /Common/2001:db8:7::13.8080: monitor /Common/mysql: ltm monitor mysql /Common/mysql is not known in this version',
      'ltm pool /Common/mixed_pool: monitor min 2 of { /Common/tcp /Common/smtp /Common/probe }: ltm monitor smtp /Common/smtp is not known in this version',
    ]);
    const pool = loaded.configuration.views.get('ltm pool /Common/mixed_pool')!;
    assert.equal(pool.properties.monitor, undefined);
  });

  it('a monitor of another type is foreign by its stanza, one that is nowhere is an error', () => {
    const pool = 'ltm pool /Common/p {\n    members { }\n    monitor /Common/mine\n}\n';
    assert.equal(load(`ltm monitor sip /Common/mine { }\n${pool}`).unknown.length, 2);
    assert.throws(() => load(pool), /01020036:3: The requested Monitor \(\/Common\/mine\) was not found/);
  });
});

describe('a rule over monitors', () => {
  it('says how many of whom', () => {
    assert.deepEqual(readMonitorRule('/Common/a'), { atLeast: 1, names: ['/Common/a'] });
    assert.deepEqual(readMonitorRule('/Common/a and /Common/b'), { atLeast: 2, names: ['/Common/a', '/Common/b'] });
    assert.deepEqual(readMonitorRule('min 1 of { /Common/min /Common/of }'), {
      atLeast: 1,
      names: ['/Common/min', '/Common/of'],
    });
    for (const none of ['none', 'default']) assert.deepEqual(readMonitorRule(none), { atLeast: 0, names: [] });
  });

  it('names what is there, by short names of the folder or of /Common', async () => {
    const session = new TmshSession();
    await session.run(
      'create auth partition Other',
      'cd /Other',
      'create ltm monitor tcp here',
      'create ltm pool p { members { 10.1.1.1:80 } monitor here and http }',
    );
    const rule = session.configuration.objects.get('ltm pool /Other/p')!.own.monitor;
    assert.equal(rule, '/Other/here and /Common/http');
    assert.match(await session.run('list ltm pool p monitor'), /monitor here and \/Common\/http/);
    const refused = (await session.refusal('modify ltm pool p monitor nowhere'))!;
    assert.match(refused, /The requested Monitor \(\/Other\/nowhere\) was not found/);
    assert.match(refused, /list ltm monitor shows those that exist/);
    assert.match(await session.run('list ltm monitor'), /ltm monitor tcp here/);
  });

  it('follows a monitor to another name, and keeps it from deletion', async () => {
    const session = new TmshSession();
    await session.run(
      'create ltm monitor tcp one',
      'create ltm pool p { members { 10.1.1.1:80 { monitor min 1 of { one tcp } } } monitor one and http }',
      'create gtm monitor tcp one',
      'mv ltm monitor tcp one two',
    );
    const { own } = session.configuration.objects.get('ltm pool /Common/p')!;
    assert.equal(own.monitor, '/Common/two and /Common/http');
    assert.deepEqual(own.members, { '/Common/10.1.1.1:80': { monitor: 'min 1 of { /Common/two /Common/tcp }' } });
    assert.match((await session.refusal('delete ltm monitor tcp two'))!, /in use by a Pool \(\/Common\/p\)/);
    await session.run('delete gtm monitor tcp one');
  });

  for (const [rule, why] of [
    ['min 3 of { http tcp }', /must ask for 1 to 2 of its 2 monitors/],
    ['min 0 of { http tcp }', /must ask for 1 to 2/],
    ['http and http', /must name each monitor once: \/Common\/http stands in it twice/],
    ['min 1 of { }', /must name a monitor/],
  ] as const) {
    it(`cannot be ${rule}`, async () => {
      assert.match((await new TmshSession().refusal(`create ltm pool p monitor ${rule}`))!, why);
    });
  }
});

const SERVER =
  'create gtm server s { datacenter d devices { s { addresses { 192.0.2.1 } } } product generic-host virtual-servers { v { destination 192.0.2.1:0 } } }';

/** What is set up first, the command, and the message; a warning where that is what it begins with. */
const REFUSED: [string, string[], RegExp][] = [
  [
    'create gtm monitor http m interval 120',
    [],
    /Monitor \(\/Common\/m\): interval 120 must be less than timeout 120[^]* here 361\./,
  ],
  ['create ltm monitor http m up-interval 16', [], /up-interval 16 must be less than timeout 16/],
  ['create gtm monitor tcp m probe-timeout 121', [], /probe-timeout 121 must be less than timeout 120/],
  [
    'create gtm monitor icmp m { probe-attempts 100 probe-interval 2 }',
    [],
    /Warning: .*takes up to 203 s, longer than timeout 120/,
  ],
  ['create ltm monitor tcp m recv "("', [], /recv must be a regular expression/],
  ['create ltm monitor tcp m recv "(a+)+b"', [], /recv must have no repetition within a repetition/],
  [
    'create ltm monitor http m { reverse enabled recv a recv-disable b }',
    [],
    /recv-disable does not go with reverse enabled/,
  ],
  ['create ltm monitor http m reverse enabled', [], /reverse enabled needs recv/],
  ['create ltm monitor http m recv-disable a', [], /Warning: .*recv-disable has no effect without recv/],
  [
    'create ltm monitor gateway-icmp m transparent enabled',
    [],
    /transparent enabled needs an address in destination, not \*:\*/,
  ],
  ['create ltm monitor http m destination 192.0.2.1:*', [], /destination must be \*:\*, a port as in/],
  ['create ltm monitor http m destination 192.0.2.1', [], /destination must be/],
  ['create ltm monitor http m destination *:0', [], /destination must be/],
  ['create ltm monitor http m destination 224.0.0.1:80', [], /must be an address that a host can have/],
  ['create ltm monitor http m destination 2001:db8::1:80', [], /destination must be/],
  ['create ltm monitor icmp m destination *:80', [], /destination must be \*, or an IP address/],
  ['create ltm monitor external m run probe', [], /run must be an absolute path/],
  ['create ltm monitor external m run /Common/probe', [], /Warning: .*looks like a file object of a BIG-IP/],
  [
    'create ltm monitor external m user-defined PATH /tmp',
    [],
    /user-defined must be the name of a variable and its value/,
  ],
  ['create ltm monitor external m user-defined a-b 1', [], /must be the name of a variable/],
  ['create ltm monitor dns m', [], /must have a value for qname/],
  [
    'create ltm monitor dns m { qname www.example.com recv 2001:db8::1 }',
    [],
    /recv is no address that qtype a asks for/,
  ],
  ['create ltm monitor virtual-location m', [], /must have a value for pool/],
  ['create ltm monitor https m cert /etc/c.pem', [], /cert needs key/],
  ['create ltm monitor tcp m flap-hold 5', [], /Warning: .*flap-hold has no effect without flap-changes/],
  [
    'create ltm node n { address 10.1.1.1 monitor http }',
    [],
    /Node \(\/Common\/n\): monitor \/Common\/http probes the port of what it watches, and there is none/,
  ],
  ['create ltm node n', [], /must have a value for address/],
  [
    'create ltm node n address 10.1.1.1',
    ['create ltm node m address 10.1.1.1'],
    /node \(\/Common\/m\) has address 10\.1\.1\.1 already/,
  ],
  ['modify ltm node n address 10.1.1.2', ['create ltm node n address 10.1.1.1'], /address cannot be changed/],
  [
    'create ltm node n { address 10.1.1.1 monitor l }',
    ['create ltm pool p', 'create ltm monitor virtual-location l pool p'],
    /watches pools, no nodes/,
  ],
  [
    'create ltm pool p { members { 10.1.1.1:0 } monitor tcp }',
    [],
    /member \/Common\/10\.1\.1\.1:0: monitor \/Common\/tcp probes the port/,
  ],
  [
    'create ltm pool p { members { n:80 { address 10.1.1.2 } } }',
    ['create ltm node n address 10.1.1.1'],
    /has the address 10\.1\.1\.2, but its node has 10\.1\.1\.1/,
  ],
  ['create ltm pool p members { n:80 }', [], /member \/Common\/n:80 has no address/],
  [
    'delete ltm node n',
    ['create ltm node n address 10.1.1.1', 'create ltm pool p members { n:80 }'],
    /Node \(\/Common\/n\) cannot be deleted because it is in use by a Pool/,
  ],
  ['create ltm virtual v { destination 10.1.1.1:80 pool p }', [], /The requested Pool \(\/Common\/p\) was not found/],
  [
    'create ltm virtual v destination any:any',
    ['create ltm virtual w destination 0.0.0.0:0'],
    /virtual server \(\/Common\/w\) has destination/,
  ],
  [
    'modify gtm server s monitor http',
    ['create gtm datacenter d', SERVER],
    /Server \(\/Common\/s\) virtual server v: monitor \/Common\/http probes the port/,
  ],
  [
    'modify gtm server s monitor bigip',
    ['create gtm datacenter d', SERVER],
    /Warning: .*asks the server over iQuery, which product generic-host does not speak/,
  ],
  [
    'create gtm pool a p { members { s:v } monitor bigip }',
    ['create gtm datacenter d', SERVER],
    /Warning: .*watches servers, and says nothing of members/,
  ],
];

describe('what does not go together', () => {
  for (const [command, before, expected] of REFUSED) {
    it(command, async () => {
      const session = new TmshSession();
      await session.run(...before);
      const isWarning = expected.source.startsWith('Warning');
      const said = isWarning ? await session.run(command) : ((await session.refusal(command)) ?? 'accepted');
      assert.match(said, expected);
    });
  }
});

describe('a node', () => {
  it('gives members their address, and its name: they follow it', async () => {
    const session = new TmshSession();
    await session.run(
      'create ltm node 10.1.1.1',
      'create ltm node a address 10.1.1.2',
      'create ltm pool p members { a:80 }',
    );
    assert.equal(session.configuration.views.get('ltm node /Common/10.1.1.1')!.properties.address, '10.1.1.1');
    await session.run('mv ltm node a b');
    assert.deepEqual(Object.keys(session.configuration.views.get('ltm pool /Common/p')!.properties.members!), [
      '/Common/b:80',
    ]);
  });
});

describe('variables of an external monitor', () => {
  it('stand on lines of their own, are set one by one, and taken away', async () => {
    const session = new TmshSession();
    const own = () => session.configuration.objects.get('ltm monitor external /Common/m')!.own['user-defined'];
    await session.run('create ltm monitor external m { run /bin/true user-defined A 1 user-defined B "two words" }');
    assert.deepEqual(own(), ['A 1', 'B "two words"']);
    await session.run('modify ltm monitor external m user-defined A 3');
    assert.deepEqual(own(), ['A 3', 'B "two words"']);
    assert.match(
      await session.run('list ltm monitor external m'),
      /\n {4}user-defined A 3\n {4}user-defined B "two words"\n/,
    );
    await session.run('modify ltm monitor external m user-defined A none');
    assert.deepEqual(own(), ['B "two words"']);
    assert.match((await session.refusal('modify ltm monitor external m user-defined A none'))!, /\(A\) was not found/);
    await session.run('modify ltm monitor external m user-defined none');
    assert.deepEqual(own() ?? [], []);
  });
});

describe('the destination of a monitor', () => {
  for (const [text, address, port] of [
    ['*:*', undefined, undefined],
    ['*', undefined, undefined],
    ['*:80', undefined, 80],
    ['*.80', undefined, 80],
    ['*:http', undefined, 80],
    ['192.0.2.1:80', '192.0.2.1', 80],
    ['192.0.2.1:*', '192.0.2.1', undefined],
    ['192.0.2.1', '192.0.2.1', undefined],
    ['192.0.2.1%3:80', '192.0.2.1%3', 80],
    ['2001:db8::1.80', '2001:db8::1', 80],
    ['2001:db8::1', '2001:db8::1', undefined],
  ] as const) {
    it(text, () => {
      const parsed = parseMonitorDestination(text)!;
      assert.deepEqual([parsed.address && formatAddress(parsed.address), parsed.port], [address, port]);
    });
  }
});

describe('names of types', () => {
  it('lie within one module each', () => {
    const monitors = OBJECT_TYPES.filter(({ path }) => path.includes(' monitor '));
    assert.equal(monitors.length, 20);
    for (const { path, nameSpace } of monitors) assert.equal(nameSpace, path.split(' ').slice(0, 2).join(' '));
  });
});
