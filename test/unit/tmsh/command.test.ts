import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { printConfiguration } from '../../../src/config/print.ts';
import { CommandSplitter, isComplete } from '../../../src/tmsh/split.ts';
import { TmshSession, basicSession } from '../../support/tmsh-session.ts';

function wanVlan(session: TmshSession): unknown {
  return session.configuration.views.get('net vlan /Common/wan')?.properties;
}

describe('tmsh commands', () => {
  it('take braces around the properties, around the name too, or not at all', async () => {
    const forms = [
      'create net vlan v { mtu 1400 interfaces add { 2.1 { tagged } } }',
      'create net vlan { v mtu 1400 interfaces add { 2.1 { tagged } } }',
      'create net vlan v mtu 1400 interfaces replace-all-with { 2.1 { tagged } }',
      'create /net vlan /Common/v mtu 1400 interfaces { 2.1 { tagged } }',
      'tmsh create net vlan v {\n  mtu 1400\n  interfaces add { 2.1 { tagged } }\n}',
    ];
    const texts = new Set<string>();
    for (const form of forms) {
      const session = await basicSession();
      await session.run(form);
      texts.add(await session.run('list net vlan v'));
    }
    assert.deepEqual(
      [...texts],
      [
        'net vlan v {\n    interfaces {\n        2.1 {\n            tagged\n        }\n    }\n    mtu 1400\n    tag 4093\n}\n',
      ],
    );
  });

  it('are at fault where what they make and what is there exclude each other, whatever the names', async () => {
    const session = await basicSession();
    await session.run(
      'create net vlan inside',
      'create net tunnels tunnel m local-address 10.1.1.1 remote-address any key 5 profile vxlan-multipoint',
      'create net route m network 10.9.0.0/16 gw 10.1.1.7',
    );
    for (const [command, expected] of [
      [
        'create net tunnels tunnel a local-address 10.1.1.1 remote-address any key 5 profile vxlan-multipoint',
        /^01070734:3: Configuration error: Tunnel \(\/Common\/a\): tunnel \(\/Common\/m\) already has .*\n.*\n {70}\^/,
      ],
      [
        'create net self 1 address 10.1.1.7/24 vlan inside',
        /Self IP \(\/Common\/1\): the subnet 10\.1\.1\.0\/24 is on \/Common\/wan already, by self IP \(\/Common\/10\.1\.1\.1\/24\)/,
      ],
      [
        'create net route a network 10.9.0.0/16 gw 10.1.1.8',
        /Route \(\/Common\/a\): the network .* has Route \(\/Common\/m\) already/,
      ],
    ] as const)
      assert.match((await session.refusal(command)) ?? 'accepted', expected);
  });

  it('say how to paste what is no command but a part of a file', async () => {
    const session = await basicSession();
    const refusal = await session.refusal('net vlan x { tag 7 }');
    assert.match(refusal!, /unexpected argument "net"\n.*\n\^\n {2}To paste .*: load sys config from-terminal merge$/);
    assert.match((await session.refusal('net vlan x'))!, /A command starts with one of/);
    assert.match((await session.refusal('load sys config from-terminal file x'))!, /file and from-terminal exclude/);
    assert.match((await session.refusal('load sys config from-terminal'))!, /has no text/);
  });

  it('make no object that could not be named alone', async () => {
    const session = await basicSession();
    for (const name of ['all', 'w*', '/Common/*'])
      assert.match(
        (await session.refusal(`create net vlan ${name} tag 7`))!,
        /is not a valid VLAN name: it stands for several/,
      );
    assert.equal(session.configuration.objects.has('net vlan /Common/all'), false);
  });

  it('add, modify, delete and replace items of a list', async () => {
    const session = await basicSession();
    await session.run('create net vlan a', 'create net vlan b', 'create net vlan-group g members add { a b }');
    const members = () => session.configuration.views.get('net vlan-group /Common/g')!.properties.members;
    assert.deepEqual(members(), ['/Common/a', '/Common/b']);
    await session.run('modify net vlan-group g members delete { a }');
    assert.deepEqual(members(), ['/Common/b']);
    await session.run('modify net vlan-group g members replace-all-with { wan }');
    assert.deepEqual(members(), ['/Common/wan']);
    await session.run('modify net vlan-group g members none');
    assert.deepEqual(members(), []);
    assert.match(
      (await session.refusal('modify net vlan-group g members modify { a }'))!,
      /unexpected argument "modify"/,
    );
    assert.match(
      (await session.refusal('modify net vlan-group g members delete { a }'))!,
      /01020036:3: The requested members \(\/Common\/a\)/,
    );
  });

  it('add, modify, delete and replace records, and lists inside them', async () => {
    const session = await basicSession();
    await session.run(
      'create net tunnels tunnel t { local-address 10.1.1.1 profile vxlan-multipoint }',
      'modify net fdb tunnel t records add { ff:ff:ff:ff:ff:ff { endpoints add { 10.0.0.1 10.0.0.2 } } }',
      'modify net fdb tunnel t records add { 00:00:00:00:00:01 { endpoint 10.0.0.1 } }',
      'modify net fdb tunnel t records modify { ff:ff:ff:ff:ff:ff { endpoints add { 10.0.0.3 } endpoints delete { 10.0.0.1 } } }',
      'modify net fdb tunnel t records modify { 0:0:0:0:0:1 { endpoint 10.0.0.3 description "moved away" } }',
    );
    const one = '00:00:00:00:00:01 { description "moved away" endpoint 10.0.0.3 }';
    assert.equal(
      await session.run('list net fdb tunnel t one-line'),
      `net fdb tunnel t { records { ff:ff:ff:ff:ff:ff { endpoints { 10.0.0.2 10.0.0.3 } } ${one} } }\n`,
    );
    await session.run('modify net fdb tunnel t records delete { ff:ff:ff:ff:ff:ff }');
    assert.equal(await session.run('list net fdb tunnel t one-line'), `net fdb tunnel t { records { ${one} } }\n`);
    await session.run('modify net fdb tunnel t records delete { all }');
    assert.equal(await session.run('list net fdb tunnel t'), 'net fdb tunnel t { }\n');
  });

  it('restore defaults and take values away', async () => {
    const session = await basicSession();
    await session.run('modify net vlan wan description "a b"', 'modify net vlan wan mtu default description none');
    assert.equal((wanVlan(session) as { mtu: number }).mtu, 1500);
    assert.ok(!('description' in (wanVlan(session) as object)));
  });

  it('list types, names, wildcards, properties and everything', async () => {
    const session = await basicSession();
    await session.run('create net vlan lan1 description x', 'create net vlan lan2');
    assert.equal(
      await session.run('list net vlan lan* tag'),
      'net vlan lan1 {\n    tag 4093\n}\nnet vlan lan2 {\n    tag 4092\n}\n',
    );
    assert.equal(
      await session.run('list net vlan { lan1 wan } description one-line'),
      'net vlan lan1 { description x }\nnet vlan wan { description none }\n',
    );
    assert.match(
      await session.run('list net interface 1.1 all-properties'),
      /^ {4}description none\n {4}enabled\n {4}device eth1\n {4}adapter packet-ring\n {4}qinq-ethertype 0x8100\n {4}address-owner wideplane$/m,
    );
    const forBigIp = 'net interface 1.1 { }\n# Left out of net interface, as no BIG-IP has it: device\n';
    assert.equal(await session.run('list net interface 1.1 tmos'), forBigIp);
    assert.equal(await session.run('list net interface 1.1 without-extensions'), forBigIp);
    const everything = await session.run('list');
    for (const type of ['net interface 2.1', 'net vlan wan', 'net self 10.1.1.1/24', 'net tunnels vxlan vxlan-gpe']) {
      assert.ok(everything.includes(`${type} `), type);
    }
    assert.ok(!(await session.run('list net tunnels')).includes('net vlan'));
  });

  it('print what load reads', async () => {
    const session = await basicSession();
    const other = new TmshSession();
    other.files.set('own', await session.run('list'));
    await other.run('load sys config');
    assert.equal(printConfiguration(other.configuration, '1'), printConfiguration(session.configuration, '1'));
  });

  it('load, merge and verify files', async () => {
    const session = await basicSession();
    session.files.set('more', 'net vlan more { tag 7 }\nnet vlan wan { mtu 1400 }\nltm rule p { x 1 }\n');
    assert.match(
      await session.run('load sys config file more merge verify'),
      /more:3:1: object "ltm rule p" is of a type that is not known; it is kept/,
    );
    assert.equal(session.configuration.objects.has('net vlan /Common/more'), false);
    await session.run('load sys config file more merge');
    assert.match(
      await session.run('list net vlan one-line'),
      /^net vlan more \{ tag 7 \}\nnet vlan wan \{ interfaces \{ 1\.1 \{ \} \} mtu 1400 tag 4094 \}\n$/,
    );
    session.files.set('bad', 'net vlan x { mtu 1 }\nnet self y { vlan x }\n');
    const before = session.configuration;
    const refusal = (await session.refusal('load sys config file bad'))!;
    assert.match(refusal, /^bad:1:18: 01070734:3: /m);
    assert.match(refusal, /^bad:2:1: 0107028f:3: Self IP \(\/Common\/y\) must have a value for address/m);
    assert.equal(session.configuration, before);
    session.files.set('own', 'net vlan only { tag 1 }\n');
    await session.run('load sys config');
    assert.equal(await session.run('list net vlan one-line'), 'net vlan only { tag 1 }\n');
  });

  it('save to the own file or another one', async () => {
    const session = new TmshSession();
    assert.equal(
      await session.run('save sys config', 'save /sys config file /tmp/x'),
      'Saving running configuration...\n  own\nSaving running configuration...\n  /tmp/x\n',
    );
    assert.deepEqual(session.saved, ['own', '/tmp/x']);
  });

  it('delete by name, by list, by wildcard and all that is ours', async () => {
    const session = await basicSession();
    await session.run(
      'create net vlan a1',
      'create net vlan a2',
      'create net vlan b1',
      'create net vlan b2',
      'create net tunnels vxlan p',
    );
    await session.run(
      'delete net vlan a1',
      'delete net vlan { a2 }',
      'delete net vlan b*',
      'delete net tunnels vxlan all',
    );
    assert.match(await session.run('list net vlan'), /^net vlan wan /);
    assert.equal((await session.run('list net tunnels vxlan')).match(/^net/gm)?.length, 6);
  });

  it('point at what is wrong', async () => {
    const session = await basicSession();
    const cases: [string, RegExp][] = [
      [
        'frobnicate net vlan',
        /^Syntax Error: unexpected argument "frobnicate"\nfrobnicate net vlan\n\^\n {2}A command starts with one of: create,/,
      ],
      [
        'create net vlam x',
        /unexpected argument "vlam"\ncreate net vlam x\n {11}\^\n {2}Expected one of: interface, vlan, tunnels, ipsec, vlan-group, route-domain, self, route, arp, ndp, fdb\./,
      ],
      ['create net vlan', /a VLAN name is missing/],
      [
        'create net vlan x mtu',
        /"mtu" needs a value\ncreate net vlan x mtu\n {18}\^\n {2}Expected an integer from 576 to 9216/,
      ],
      ['create net vlan x mtu {', /"mtu" takes no block/],
      [
        'create net vlan x { foo 1 }',
        /unexpected argument "foo"\ncreate net vlan x \{ foo 1 \}\n {20}\^\n {2}net vlan x takes: auto-lasthop,/,
      ],
      ['create net vlan x { mtu 1500 } extra', /unexpected argument "extra"/],
      ['create net vlan x { mtu 1500', /a \} is missing/],
      ['create net vlan x }', /unexpected argument "\}"/],
      ['create net vlan x interfaces add 1.1', /a \{ is missing behind "interfaces"/],
      ['modify net vlan wan', /one or more properties must be specified/],
      ['modify\tnet vlan wan\tbad', /\n {6}\t {12}\t\^/],
      ['list net vlan nope', /01020036:3: The requested VLAN \(\/Common\/nope\) was not found/],
      ['list net nope', /unexpected argument "nope"/],
      ['show net vlan nope', /01020036:3: The requested VLAN/],
      ['show net', /the command is not complete\nshow net/],
      ['show sys bogus', /unexpected argument "bogus"\nshow sys bogus\n {9}\^\n {2}Expected one of: config/],
      ['save sys', /the command is not complete\nsave sys\n {8}\^\n {2}Expected one of: config/],
      ['save sys config bogus', /unexpected argument "bogus"/],
      ['load sys config bogus', /unexpected argument "bogus"/],
      ['delete net vlan { a', /this brace is never closed/],
    ];
    for (const [command, expected] of cases)
      assert.match((await session.refusal(command)) ?? 'accepted', expected, command);
  });

  it('reset counters of the objects named', async () => {
    const session = await basicSession();
    await session.run('reset-stats net vlan wan', 'reset-stats net vlan');
    assert.deepEqual(session.asked, [
      { type: 'net vlan', names: ['/Common/wan'] },
      { type: 'net vlan', names: undefined },
    ]);
  });
});

// The sample "VXLAN unicast configuration using tmsh" of the manual, line by line as it is printed, the first name's
// missing octet included.
const SAMPLE = ` create net vlan wan {
interfaces add { 1.1 }
mtu 1550
}
create net self 10.1.1./24 {
address 10.1.1.1/24
vlan wan
}
create net tunnels vxlan vxlan-static {
flooding-type none
}
create net tunnels tunnel vxlan5000 {
local-address 10.1.1.1
remote-address any
profile vxlan-static
key 5000
}
create net vlan legacy5000 {
interfaces add { 2.1 }
}
modify net fdb tunnel vxlan5000 {
records add {
00:FF:0A:03:03:02 { endpoint 10.1.2.1 }
00:FF:0A:03:03:03 { endpoint 10.1.3.1 }
}
}
# tmsh modify net fdb tunnel vxlan0 is a comment here
tmsh modify net fdb tunnel vxlan5000 records add {
00:01:02:03:04:05 { endpoint 10.1.1.1 } }
tmsh modify net fdb tunnel vxlan5000 records delete { 00:01:02:03:04:05 }
tmsh create net arp 10.3.3.1 { ip-address 10.3.3.1 mac-address 00:01:02:03:04:05 }
tmsh delete net arp 10.3.3.1
create net arp 10.3.3.2 {
mac-address 00:FF:0A:03:03:02
}
tmsh modify net fdb tunnel vxlan5000 records add { ff:ff:ff:ff:ff:ff
{ endpoints add { 10.1.2.1 10.1.3.1 } } }
tmsh modify net fdb tunnel vxlan5000 records delete { ff:ff:ff:ff:ff:ff }
`;

/** The rest of it: what the manual lists for routes through the tunnel, as it is printed. */
const SAMPLE_ROUTES = `
 create net vlan wan {
interfaces add { 1.1 }
mtu 1550
}
create net self 10.1.1./24 {
address 10.1.1.1/24
vlan wan
}
create net tunnels vxlan vxlan-static {
flooding-type none
}
create net tunnels tunnel vxlan5000 {
local-address 10.1.1.1
remote-address any
profile vxlan-static
key 5000
}
create net vlan legacy5000 {
interfaces add { 2.1 }
}
create net route-domain 5000 {
id 5000
vlans add {vxlan5000 legacy5000 }
}
create net self 10.3.3.1%5000/24 {
address 10.3.3.1%5000/24
vlan vxlan5000
}
create net self 10.4.4.1%5000/24 {
address 10.4.4.1%5000/24
vlan legacy5000
}
create net route 10.5.5.0%5000/24 {
network 10.5.5.0%5000/24
gw 10.3.3.2%5000
}
create net route 10.6.6.0%5000/24 {
network 10.6.6.0%5000/24
gw 10.3.3.3%5000
}
modify net fdb tunnel vxlan5000 {
records add {
00:FF:0A:03:03:02 { endpoint 10.1.2.1 }
00:FF:0A:03:03:03 { endpoint 10.1.3.1 }
}
}
create net arp 10.3.3.2%5000 {
mac-address 00:FF:0A:03:03:02
}
create net arp 10.3.3.3%5000 {
mac-address 00:FF:0A:03:03:03
}
`;

describe("the manual's VXLAN sample", () => {
  it('runs as it is printed', async () => {
    const session = new TmshSession();
    await session.run('create net interface 1.1 device eth1', 'create net interface 2.1 device eth2');
    const splitter = new CommandSplitter();
    const commands = SAMPLE.split('\n').flatMap((line) => splitter.push(line) ?? []);
    assert.equal(splitter.end(), undefined);
    assert.equal(commands.length, 13);
    await session.run(...commands);
    assert.equal(
      await session.run(
        'list net tunnels tunnel vxlan5000',
        'list net fdb tunnel',
        'list net self',
        'list net arp one-line',
      ),
      `net tunnels tunnel vxlan5000 {
    key 5000
    local-address 10.1.1.1
    profile vxlan-static
    remote-address any
}
net fdb tunnel vxlan5000 {
    records {
        00:ff:0a:03:03:02 {
            endpoint 10.1.2.1
        }
        00:ff:0a:03:03:03 {
            endpoint 10.1.3.1
        }
    }
}
net self 10.1.1./24 {
    address 10.1.1.1/24
    vlan wan
}
net arp 10.3.3.2 { ip-address 10.3.3.2 mac-address 00:ff:0a:03:03:02 }
`,
    );
  });

  it('runs with its route domain, routes and static neighbours', async () => {
    const session = new TmshSession();
    await session.run('create net interface 1.1 device eth1', 'create net interface 2.1 device eth2');
    const splitter = new CommandSplitter();
    const commands = SAMPLE_ROUTES.split('\n').flatMap((line) => splitter.push(line) ?? []);
    assert.equal(commands.length, 13);
    const output = await session.run(...commands);
    assert.match(output, /Warning: Self IP \(\/Common\/10\.1\.1\.\/24\): 10\.1\.1\.\/24 is no address with a length/);
    assert.equal(
      await session.run('list net route', 'list net route-domain 5000', 'list net arp one-line'),
      `net route 10.5.5.0%5000/24 {
    gw 10.3.3.2%5000
    network 10.5.5.0%5000/24
}
net route 10.6.6.0%5000/24 {
    gw 10.3.3.3%5000
    network 10.6.6.0%5000/24
}
net route-domain 5000 {
    id 5000
    vlans {
        vxlan5000
        legacy5000
    }
}
net arp 10.3.3.2%5000 { ip-address 10.3.3.2%5000 mac-address 00:ff:0a:03:03:02 }
net arp 10.3.3.3%5000 { ip-address 10.3.3.3%5000 mac-address 00:ff:0a:03:03:03 }
`,
    );
  });

  it('names the route domain when that is not there', async () => {
    const session = await basicSession();
    const commands = [
      'create net self 10.3.3.1%5000/24 {\naddress 10.3.3.1%5000/24\nvlan wan\n}',
      'create net arp 10.3.3.2%5000 {\nmac-address 00:FF:0A:03:03:02\n}',
      'create net route far { network 10.5.5.0%5000/24 blackhole }',
    ];
    for (const command of commands) {
      assert.match(
        (await session.refusal(command))!,
        /The requested Route Domain \(5000\) was not found\.[^]*create net route-domain 5000/,
      );
    }
  });
});

describe('splitting input into commands', () => {
  it('knows what goes on', () => {
    for (const text of ['a {', 'a "', 'a \\', 'a { b { }', 'x {\n"}']) assert.equal(isComplete(text), false, text);
    for (const text of ['', 'a', 'a { b }', 'a \\\\', 'a }', '# { not open'])
      assert.equal(isComplete(text), true, text);
  });

  it('hands over what was left open', () => {
    const splitter = new CommandSplitter();
    assert.equal(splitter.push('list net vlan'), 'list net vlan');
    assert.equal(splitter.push('  # only a comment'), undefined);
    assert.equal(splitter.push('create net vlan x {'), undefined);
    assert.equal(splitter.isWithin, true);
    assert.equal(splitter.end(), 'create net vlan x {');
    assert.equal(splitter.isWithin, false);
  });
});
