import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { printConfiguration } from '../../../src/config/print.ts';
import { MAX_BATCH_CHARACTERS } from '../../../src/tmsh/batch.ts';
import { isChange, newSession, runCommand } from '../../../src/tmsh/command.ts';
import { commandsOf } from '../../../src/tmsh/sequence.ts';
import { VERBS } from '../../../src/tmsh/verbs.ts';
import { TmshSession, basicSession } from '../../support/tmsh-session.ts';

async function edited(session: TmshSession, command: string, text: string): Promise<string> {
  let output = '';
  for await (const piece of runCommand(command, session, newSession(), text)) output += piece;
  return output;
}

describe('the table of verbs', () => {
  it('says of every command whether it changes something', () => {
    for (const verb of VERBS) {
      assert.match(verb.help, /^[A-Z].*\.$/, verb.name);
      assert.ok(verb.objects !== undefined || (verb.phrases ?? []).length > 0, verb.name);
    }
    const changing = ['create net vlan a', 'tmsh delete net vlan a', 'cd /; mv net vlan a b', 'submit cli transaction'];
    for (const command of changing) assert.equal(isChange(command), true, command);
    for (const command of ['list net vlan', 'show /sys config status', 'create cli transaction', 'help', '"', 'x'])
      assert.equal(isChange(command), false, command);
  });

  it('is what help prints', async () => {
    const session = new TmshSession();
    const help = await session.run('help');
    for (const { name } of VERBS) assert.ok(help.includes(`  ${name} `), name);
    assert.match(await session.run('help save'), /save sys config \[file FILE\]/);
    assert.match(await session.run('help list'), /one-line +Each object on one line\.[^]*net vlan +A layer 2 network/);
    assert.match(await session.run('help net self'), /allow-service +What the address accepts/);
    assert.match(await session.run('help net interface'), /enabled \| disabled/);
    assert.match((await session.refusal('help bogus'))!, /unexpected argument "bogus"/);
  });
});

describe('modules and options', () => {
  it('stand for all that is below them, with all as without', async () => {
    const session = await basicSession();
    const everything = await session.run('list');
    for (const command of ['list all', 'list /', 'list / all', 'list /all', 'show running-config all'])
      assert.equal(await session.run(command), everything, command);
    const net = await session.run('list net');
    for (const command of ['list /net', 'list net all', 'show running-config net', 'tmsh list net all'])
      assert.equal(await session.run(command), net, command);
    assert.match(await session.run('list net tunnels'), /^net tunnels vxlan vxlan \{ \}\n[^]*net tunnels gre gre/);
    assert.match((await session.refusal('list all bogus'))!, /unexpected argument "bogus"\n.*\n {9}\^/);
    assert.match((await session.refusal('list net all bogus'))!, /unexpected argument "bogus"\n.*\n {13}\^/);
    assert.match((await session.refusal('delete all'))!, /unexpected argument "all"/);
  });

  it('takes options of list and show in front of the module, between its words, and behind', async () => {
    const session = await basicSession();
    session.replies = [{ rows: [{ name: '/Common/wan', stats: { MTU: 1550 } }] }];
    const line = await session.run('list net vlan wan one-line all-properties');
    for (const command of [
      'list one-line all-properties net vlan wan',
      'list net one-line vlan all-properties wan',
      'show running-config one-line net vlan wan all-properties',
      'show running-config all-properties net one-line vlan wan',
    ])
      assert.equal(await session.run(command), line, command);
    await session.run('create sys folder sub', 'create net vlan sub/inner { tag 5 }');
    for (const command of [
      'list recursive net vlan',
      'show running-config recursive net vlan',
      'list net recursive vlan',
    ])
      assert.match(await session.run(command), /net vlan sub\/inner/, command);
    for (const command of [
      'show net vlan wan field-fmt',
      'show net vlan field-fmt wan',
      'show field-fmt net vlan wan',
      'show net field-fmt raw vlan wan',
      'show net vlan { wan } field-fmt',
    ])
      assert.equal(await session.run(command), 'net vlan wan {\n    mtu 1550\n}\n', command);
    assert.match((await session.refusal('show raw net vlan raw'))!, /"raw"\n.*\n {18}\^\n {2}raw stands there already/);
    assert.match((await session.refusal('show net vlan wan wan'))!, /"wan"\n.*\n {18}\^\n {2}net vlan takes: all-prop/);
  });
});

describe('sys service', () => {
  it('has daemons restarted, started and stopped, says what became of them, configd last', async () => {
    const session = new TmshSession();
    assert.equal(
      await session.run('restart sys service all'),
      'Restarting metricsd...\n  process 8 has ended, process 9 answers\n' +
        'Restarting iqueryd...\n  process 8 has ended, process 9 answers\n' +
        'Restarting healthd...\n  process 8 has ended, process 9 answers\n' +
        'Restarting dnsd...\n  process 8 has ended, process 9 answers\n' +
        'Restarting dataplaned...\n  process 8 has ended, process 9 answers\n' +
        'Restarting configd...\n  process 7 ends now, and another takes its place\n',
    );
    assert.match(
      await session.run('stop sys service dataplaned'),
      /process 8 has ended; start sys service dataplaned /,
    );
    assert.match(await session.run('tmsh start /sys service { dataplaned }'), /process 8 runs already/);
    const asked = [
      'restart metricsd',
      'restart iqueryd',
      'restart healthd',
      'restart dnsd',
      'restart dataplaned',
      'restart configd',
      'stop dataplaned',
      'start dataplaned',
    ];
    assert.deepEqual(session.controlled, asked);
    assert.match(
      (await session.refusal('stop sys service all'))!,
      /^Syntax Error: configd cannot be stopped from here/,
    );
    assert.match(
      (await session.refusal('restart sys service tmm'))!,
      /"tmm"\n.*\n {20}\^\n {2}Expected one of: configd, /,
    );
    assert.match((await session.refusal('restart sys service'))!, /the name of a daemon is missing/);
    assert.deepEqual(session.controlled, asked);
    for (const verb of ['restart', 'start', 'stop'])
      assert.equal(isChange(`${verb} sys service dataplaned`), true, verb);
  });

  it('is shown by name, and like all of show sys for programs', async () => {
    const session = new TmshSession();
    const one = await session.run('show sys service dataplaned');
    assert.match(one, /^-+\nSys::Service: dataplaned\n/);
    assert.doesNotMatch(one, /configd/);
    assert.equal(await session.run('show sys service all'), await session.run('show sys service'));
    assert.equal(
      await session.run('show sys service { configd } field-fmt'),
      'sys service configd {\n    topic service\n}\n',
    );
    assert.equal(await session.run('show sys version field-fmt'), 'sys version {\n    topic version\n}\n');
    assert.match((await session.refusal('show sys service tmm'))!, /unexpected argument "tmm"/);
    assert.match((await session.refusal('show sys version 1'))!, /unexpected argument "1"/);
  });
});

describe('properties that a BIG-IP has on every type', () => {
  it('are taken by commands, and kept with a warning as by load', async () => {
    const session = await basicSession();
    const warning =
      /^Warning: net tunnels vxlan \/Common\/x: property "app-service" is not known; it is kept and saved, /;
    assert.equal(
      await session.run('create net tunnels vxlan fl { app-service none port 8472 flooding-type none }'),
      '',
    );
    assert.match(await session.run('create net tunnels vxlan x app-service my.app/my port 5000'), warning);
    const text = await session.run('list net tunnels vxlan x');
    assert.equal(text, 'net tunnels vxlan x {\n    app-service my.app/my\n    port 5000\n}\n');
    session.files.set('own', printConfiguration(session.configuration, '1'));
    await session.run('load sys config');
    assert.equal(await session.run('list net tunnels vxlan x'), text);
    await session.run('modify net tunnels vxlan x app-service other');
    assert.match(await session.run('list net tunnels vxlan x one-line'), /\{ app-service other port 5000 \}/);
    assert.equal(await session.run('modify net tunnels vxlan x { app-service none }'), '');
    assert.doesNotMatch(await session.run('list net tunnels vxlan x'), /app-service/);
    await session.run('modify net vlan wan metadata add { owner { value me } } mtu 1500');
    assert.match(await session.run('list net vlan wan one-line'), /metadata \{ owner \{ value me \} \}/);
    await session.run('modify net vlan wan interfaces modify { 1.1 { app-service none } }');
    assert.match(
      (await session.refusal('modify net vlan wan app-service'))!,
      /"app-service" needs a value\n.*\n {20}\^/,
    );
    assert.match((await session.refusal('modify net vlan wan app-sirvice none'))!, /unexpected argument "app-sirvice"/);
  });

  it('include the partition, which the name says', async () => {
    const session = await basicSession();
    await session.run('create auth partition test', 'create net vlan /test/a { partition test tag 5 }');
    const refusal = await session.refusal('create net vlan b { partition test tag 6 }');
    assert.match(
      refusal!,
      /The partition of VLAN \(\/Common\/b\) is Common, [^]*\n {20}\^\n {2}Write its name as \/test\/b/,
    );
    assert.equal(
      await session.run('list net vlan /test/a partition one-line'),
      'net vlan /test/a { partition test }\n',
    );
    assert.equal(
      await session.run('list net vlan partition tag one-line'),
      'net vlan wan { partition Common tag 4094 }\n',
    );
  });

  it('as save sys config partitions all, which templates write', async () => {
    const session = await basicSession();
    await session.run('save sys config partitions all', 'save sys config file other partitions all');
    assert.deepEqual(session.saved, ['own', 'other']);
    assert.match(
      (await session.refusal('save sys config partitions some'))!,
      /"some"\n.*\n {27}\^\n {2}Expected all\./,
    );
  });
});

describe('several commands on one line', () => {
  it('run one after the other up to the first that is refused', async () => {
    const session = await basicSession();
    assert.equal(
      await session.run('create net vlan a tag 7; list net vlan a one-line ;list net vlan a tag'),
      'net vlan a { tag 7 }\nnet vlan a {\n    tag 7\n}\n',
    );
    const refusal = await session.refusal('create net vlan b tag 8; create net vlan c tug 9; create net vlan d');
    assert.match(refusal!, /^Syntax Error: unexpected argument "tug"\n.*\n {43}\^/);
    assert.match(await session.run('list net vlan one-line'), /^net vlan a .*\nnet vlan b .*\nnet vlan wan .*\n$/);
  });

  it('are not torn in quotes or braces', () => {
    assert.deepEqual(commandsOf('a "b; c"; d { e; f }; g'), [
      'a "b; c"',
      '          d { e; f }',
      '                      g',
    ]);
    assert.deepEqual(commandsOf(' ; ;'), []);
    assert.deepEqual(commandsOf('a "b; c'), ['a "b; c']);
    assert.deepEqual(commandsOf('a b\\; c'), ['a b\\; c']);
  });
});

describe('folders', () => {
  it('are where bare names belong, and what names are printed relative to', async () => {
    const session = await basicSession();
    await session.run('create sys folder sub', 'create net vlan /Common/sub/inner tag 5');
    assert.equal(await session.run('pwd'), '/Common\n');
    assert.equal(await session.run('list net vlan sub/inner one-line'), 'net vlan sub/inner { tag 5 }\n');
    await session.run('cd sub');
    assert.equal(await session.run('pwd'), '/Common/sub\n');
    assert.equal(await session.run('list net vlan inner one-line'), 'net vlan inner { tag 5 }\n');
    await session.run('create net vlan other tag 6', 'modify net vlan other mtu 1400');
    assert.ok(session.configuration.objects.has('net vlan /Common/sub/other'));
    await session.run('delete net vlan other', 'cd ..; pwd; cd /; pwd; cd');
    assert.equal(await session.run('pwd'), '/Common\n');
    assert.match(
      (await session.refusal('cd /nowhere'))!,
      /01020036:3: The requested folder \(\/nowhere\) was not found/,
    );
    assert.equal(await session.run('pwd'), '/Common\n');
  });
});

describe('bare names of other objects', () => {
  it('are those of the folder, and those of /Common where it has none', async () => {
    const session = await basicSession();
    await session.run(
      'create sys folder sub; create net vlan /Common/sub/near tag 5',
      'cd sub',
      'create net tunnels tunnel t local-address 10.1.1.1 profile vxlan-multipoint key 5',
      'create net vlan-group g members add { near wan } mode transparent',
      'create net self s address 10.2.0.1/24 vlan near',
    );
    const one = async (command: string) => (await session.run(`${command} one-line`)).trimEnd();
    assert.match(await one('list net tunnels tunnel t'), /profile \/Common\/vxlan-multipoint/);
    assert.match(await one('list net vlan-group g'), /members \{ near \/Common\/wan \}/);
    assert.match(await one('list net self s'), /vlan near/);
    await session.run('modify net vlan-group g members delete { wan }');
    assert.match(await one('list net vlan-group g'), /members \{ near \}/);
    const refusal = await session.refusal('modify net self s vlan nowhere');
    assert.match(refusal!, /\(\/Common\/sub\/nowhere\) was not found/);
  });

  it('may be made by the transaction that names them', async () => {
    const session = await basicSession();
    await session.run(
      'create sys folder sub; create net vlan /Common/sub/x tag 5',
      'cd sub; create cli transaction',
      'create net vlan wan tag 6',
      'create net self s address 10.2.0.1/24 vlan wan',
      'submit cli transaction',
    );
    assert.match(await session.run('list net self s one-line'), /vlan wan/);
  });
});

describe('what list and show take', () => {
  it('objects of the folder, and with recursive those below it', async () => {
    const session = await basicSession();
    await session.run('create sys folder sub', 'cd sub; create sys folder deep; cd ..');
    await session.run('create net vlan /Common/sub/x1 tag 5', 'create net vlan /Common/sub/deep/x2 tag 6');
    const names = async (command: string) =>
      (await session.run(command)).split('\n').flatMap((line) => /^net vlan (\S+)/.exec(line)?.[1] ?? []);
    assert.deepEqual(await names('list net vlan'), ['wan']);
    assert.deepEqual(await names('list net vlan recursive'), ['sub/deep/x2', 'sub/x1', 'wan']);
    assert.deepEqual(await names('list net vlan all recursive'), ['sub/deep/x2', 'sub/x1', 'wan']);
    assert.deepEqual(await names('cd sub; list net vlan x*'), ['x1']);
    assert.deepEqual(await names('list net vlan x* recursive'), ['deep/x2', 'x1']);
    assert.deepEqual(await names('list net vlan *2 recursive'), ['deep/x2']);
    assert.deepEqual(await names('cd /; list net vlan'), []);
    assert.deepEqual(await names('list recursive'), ['/Common/sub/deep/x2', '/Common/sub/x1', '/Common/wan']);
    assert.match(await session.run('list'), /^auth partition Common /, 'what has no folder is in all of them');
    await session.run('cd /Common/sub; delete net vlan all');
    assert.deepEqual(await names('cd /; list net vlan recursive'), ['/Common/sub/deep/x2', '/Common/wan']);
  });

  it('stars anywhere in a name, in time that no pattern can lengthen', async () => {
    const session = await basicSession();
    await session.run(
      'create net vlan abcab',
      `create net vlan ${'a'.repeat(200)}`,
      'create net self 10.2.0.1/24 vlan wan',
    );
    const count = async (pattern: string, type = 'vlan') =>
      (await session.run(`list net ${type} ${pattern} one-line`)).split('\n').length - 1;
    for (const pattern of ['*c*', 'ab*ab', 'a*b', 'a*c*b']) assert.equal(await count(pattern), 1, pattern);
    assert.equal(await count('a*'), 2);
    assert.match((await session.refusal('list net vlan abc*cab'))!, /was not found/, 'no character counts twice');
    assert.equal(await count('10.2*', 'self'), 1);
    assert.equal(await count('*/24', 'self'), 2);
    const started = process.hrtime.bigint();
    assert.match((await session.refusal(`list net vlan ${'*a'.repeat(120)}*b`))!, /was not found/);
    assert.ok(process.hrtime.bigint() - started < 2_000_000_000n);
  });

  it('properties in braces behind a name, names in braces', async () => {
    const session = await basicSession();
    await session.run('create net vlan a tag 7');
    assert.equal(await session.run('list net vlan wan { tag mtu } one-line'), 'net vlan wan { tag 4094 mtu 1550 }\n');
    assert.equal(
      await session.run('list net vlan { a wan } tag one-line'),
      'net vlan a { tag 7 }\nnet vlan wan { tag 4094 }\n',
    );
    assert.match((await session.refusal('list net vlan { a nope }'))!, /nope\) was not found/);
  });

  it('names and values for programs', async () => {
    const session = await basicSession();
    session.replies = [
      {
        rows: [
          {
            name: '/Common/wan',
            stats: { 'Frames In': 7, State: 'up "x"' },
            sections: [{ title: 'Underlay', stats: { MTU: 1500 } }],
            drops: { 'no-endpoint': 3 },
            table: { columns: ['MAC Address', 'Age'], rows: [['00:00:00:00:00:01', 5]] },
          },
        ],
        next: '1',
      },
      { rows: [{ name: '/other/x' }] },
    ];
    assert.equal(
      await session.run('show net vlan wan field-fmt'),
      `net vlan wan {
    frames-in 7
    state "up \\"x\\""
    underlay {
        mtu 1500
    }
    drops {
        no-endpoint 3
    }
    entries {
        00:00:00:00:00:01 {
            age 5
        }
    }
}
net vlan /other/x { }
`,
    );
    assert.match(await session.run('show net vlan raw'), /Net::VLAN: wan/);
    assert.deepEqual(session.asked.at(-1), { type: 'net vlan', names: undefined });
    assert.match((await session.refusal('show net vlan wan bogus'))!, /unexpected argument "bogus"[^]*field-fmt/);
  });
});

describe('mv and cp', () => {
  it('rename an object with everything that names it, and what belongs to it', async () => {
    const session = await basicSession();
    await session.run(
      'create net tunnels tunnel t local-address 10.1.1.1 profile vxlan-multipoint key 5',
      'create net vlan-group g members add { wan t } mode transparent',
      'modify net fdb tunnel t records add { 00:00:00:00:00:01 { endpoint 10.1.1.9 } }',
      'mv net tunnels tunnel t renamed',
      'mv net vlan wan outside',
      'mv net interface 1.1 3.1',
    );
    assert.equal(
      await session.run('list net vlan-group one-line', 'list net vlan one-line', 'list net self one-line'),
      `net vlan-group g { members { outside renamed } mode transparent }
net vlan outside { interfaces { 3.1 { } } mtu 1550 tag 4094 }
net self 10.1.1.1/24 { address 10.1.1.1/24 vlan outside }
`,
    );
    assert.match(
      await session.run('list net fdb tunnel renamed one-line'),
      /00:00:00:00:00:01 \{ endpoint 10\.1\.1\.9 \}/,
    );
    assert.equal(session.configuration.objects.has('net fdb tunnel /Common/t'), false);
  });

  it('copy an object, and what belongs to it', async () => {
    const session = await basicSession();
    await session.run(
      'create net tunnels tunnel t local-address 10.1.1.1 remote-address 10.1.1.9 profile vxlan key 5',
      'modify net fdb tunnel t records add { 00:00:00:00:00:01 { endpoint 10.1.1.9 } }',
      'cp net tunnels vxlan vxlan-multipoint mine',
      'modify net tunnels tunnel t profile mine',
    );
    assert.match(
      (await session.refusal('cp net tunnels tunnel t t2'))!,
      /tunnel \(\/Common\/t\) already has/,
      'two tunnels with one key between the same ends',
    );
    assert.equal(
      await session.run('list net tunnels vxlan mine one-line'),
      'net tunnels vxlan mine { defaults-from vxlan flooding-type multipoint }\n',
    );
  });

  it('refuse what is built in, is there already, or is not there', async () => {
    const session = await basicSession();
    await session.run(
      'create net vlan a tag 7',
      'create net tunnels tunnel t local-address 10.1.1.1 profile vxlan-multipoint key 5',
    );
    const before = session.configuration;
    const cases: [string, RegExp][] = [
      ['mv net tunnels vxlan vxlan x', /01070325:3: .*is part of the system and cannot be renamed/],
      ['mv net vlan wan a', /01020066:3: The requested VLAN \(\/Common\/a\) already exists/],
      ['mv net vlan nope b', /01020036:3: The requested VLAN \(\/Common\/nope\) was not found/],
      ['mv net vlan * b', /\* names 2 objects, but must name one/],
      ['mv net vlan wan', /a new name, or to-folder, is missing/],
      ['cp net fdb tunnel t b', /cannot be created\.[^]*It comes with the Tunnel/],
      ['mv net vlan a b c', /unexpected argument "c"/],
    ];
    for (const [command, expected] of cases) assert.match((await session.refusal(command)) ?? 'accepted', expected);
    assert.equal(session.configuration, before);
  });

  it('move an object to another folder', async () => {
    const session = await basicSession();
    await session.run('create sys folder /Common/sub', 'mv net vlan wan to-folder /Common/sub');
    assert.equal(
      await session.run('list net self one-line'),
      'net self 10.1.1.1/24 { address 10.1.1.1/24 vlan sub/wan }\n',
    );
  });
});

describe('mv and what is not known', () => {
  it('leaves the name in such text, and says where', async () => {
    const session = await basicSession();
    session.files.set(
      'f',
      'net stp /Common/s { vlans { /Common/wan } }\n' +
        'ltm nat /Common/v { vlans { /Common/wan2 } }\n' +
        'net vlan /Common/x { tag 9 sflow { of "/Common/wan" } }\n',
    );
    await session.run('load sys config file f merge');
    const said = await session.run('mv net vlan wan lan');
    assert.deepEqual(
      said.split('\n').map((line) => line.replace(/ in text .*/, '')),
      [
        'Warning: net stp /Common/s holds the name of net vlan /Common/wan',
        'Warning: net vlan /Common/x holds the name of net vlan /Common/wan',
        '',
      ],
    );
    assert.match(said, /If it means this object, it has to say \/Common\/lan now\.\n/);
    assert.match(await session.run('list'), /net stp \/Common\/s \{ vlans \{ \/Common\/wan \} \}/);
  });
});

describe('show in a folder', () => {
  it('is of the objects there, with recursive of those below as well, and of what lies in none', async () => {
    const session = await basicSession();
    await session.run('create auth partition t; create sys folder /t/a; create net vlan /t/x tag 8');
    await session.run('create net vlan /t/a/y tag 9');
    session.replies = [{ rows: ['/Common/wan', '/t/x', '/t/a/y', 'a table'].map((name) => ({ name })) }];
    const shown = async (command: string) =>
      [...(await session.run(command)).matchAll(/Net::VLAN: (.*)/g)].map((match) => match[1]);
    assert.deepEqual(await shown('show net vlan'), ['wan', 'a table']);
    assert.deepEqual(await shown('show net vlan all'), ['wan', 'a table']);
    assert.deepEqual(await shown('cd /t; show net vlan'), ['x', 'a table']);
    assert.deepEqual(await shown('show net vlan recursive'), ['x', 'a/y', 'a table']);
    assert.deepEqual(await shown('cd /; show net vlan recursive'), ['/Common/wan', '/t/x', '/t/a/y', 'a table']);
    assert.equal(await session.run('cd /t/a; show net vlan x field-fmt; cd').catch(() => 'refused'), 'refused');
    await session.run('cd /t; show net vlan * recursive');
    assert.deepEqual(session.asked.at(-1), { type: 'net vlan', names: ['/t/a/y', '/t/x'] });
    await session.run('reset-stats net vlan');
    assert.deepEqual(session.asked.at(-1), { type: 'net vlan', names: ['/t/x'] });
    assert.equal(await session.run('cd; list net vlan /t/a/* one-line'), 'net vlan /t/a/y { tag 9 }\n');
    assert.match(await session.run('cd /; list net vlan /t/* one-line'), /^net vlan \/t\/x [^\n]*\n$/);
  });
});

describe('cli transaction', () => {
  it('makes several changes at once, in any order that is right in the end', async () => {
    const session = await basicSession();
    await session.run('create cli transaction');
    const before = session.configuration;
    await session.run(
      'create net self s address 10.2.0.1/24 vlan later',
      'create net vlan later tag 77',
      'modify net vlan wan mtu 1400',
      'mv net vlan wan outside',
    );
    assert.equal(session.configuration, before);
    assert.equal(
      await session.run('list cli transaction'),
      '1: create net self s address 10.2.0.1/24 vlan later\n2: create net vlan later tag 77\n' +
        '3: modify net vlan wan mtu 1400\n4: mv net vlan wan outside\n',
    );
    await session.run('submit cli transaction');
    assert.match(await session.run('list net vlan one-line'), /later \{ tag 77 \}\nnet vlan outside \{ .*mtu 1400/);
    assert.match((await session.refusal('submit cli transaction'))!, /No transaction is open/);
  });

  it('changes nothing when anything is wrong, and says all that is', async () => {
    const session = await basicSession();
    const before = session.configuration;
    await session.run(
      'create cli transaction',
      'create net vlan good tag 5',
      'create net self a address 10.2.0.1/24 vlan nope',
      'delete net vlan missing',
      'create net vlan-group g members add { nobody }',
    );
    assert.match(
      (await session.refusal('create net vlan x tug 5'))!,
      /^Syntax Error: unexpected argument "tug"\ncreate/,
    );
    const refusal = (await session.refusal('submit cli transaction'))!;
    for (const expected of [
      /^command 3:1:17: 01020036:3: The requested VLAN \(\/Common\/missing\) was not found/m,
      /^command 2:1:.*\(\/Common\/nope\) was not found/m,
      /^command 4:1:.*\(\/Common\/nobody\) was not found/m,
    ])
      assert.match(refusal, expected);
    assert.equal(session.configuration, before);
    await session.run('modify cli transaction delete 2', 'delete net vlan gone');
    assert.match(await session.run('list cli transaction'), /^1: .*\n3: .*\n4: .*\n5: delete net vlan gone\n$/);
    assert.match((await session.refusal('submit cli transaction'))!, /^command 5:1:17: .*\(\/Common\/gone\)/m);
    await session.run('modify cli transaction delete { 3 4 5 }', 'submit cli transaction validate-only');
    assert.equal(session.configuration, before);
    await session.run('submit cli transaction');
    assert.ok(session.configuration.objects.has('net vlan /Common/good'));
  });

  it('can be dropped, is one at a time, and holds so much at most', async () => {
    const session = await basicSession();
    assert.match((await session.refusal('delete cli transaction'))!, /No transaction is open/);
    await session.run('create cli transaction', 'create net vlan a');
    assert.match((await session.refusal('create cli transaction'))!, /A transaction is open already/);
    assert.match((await session.refusal('modify cli transaction delete 7'))!, /unexpected argument "7"/);
    assert.match((await session.refusal('edit net vlan wan'))!, /edit does not wait/);
    await session.run('delete cli transaction', 'create cli transaction');
    assert.equal(await session.run('list cli transaction'), '');
    const long = 'x'.repeat(MAX_BATCH_CHARACTERS / 300);
    const fill = async (): Promise<string | undefined> => {
      for (let index = 0; index < 301; index++) {
        const refusal = await session.refusal(`create net vlan v${index} description ${long}`);
        if (refusal !== undefined) return refusal;
      }
      return undefined;
    };
    assert.match((await fill())!, /a transaction holds 16777216 characters at most/);
  });
});

describe('edit', () => {
  it('prints objects with full names, and makes them what the text says', async () => {
    const session = await basicSession();
    await session.run('modify net vlan wan description old');
    const text = await session.run('edit net vlan wan');
    assert.match(
      text,
      /^net vlan \/Common\/wan \{\n {4}description old\n {4}interfaces \{[^]*mtu 1550\n {4}tag 4094\n\}\n$/,
    );
    assert.equal(
      await edited(session, 'edit net vlan wan', text.replace('mtu 1550', 'mtu 1400').replace(/.*old\n/, '')),
      '',
    );
    assert.equal(
      await session.run('list net vlan wan one-line'),
      'net vlan wan { interfaces { 1.1 { } } mtu 1400 tag 4094 }\n',
    );
    assert.match(await session.run('edit net vlan wan all-properties'), /auto-lasthop default/);
    await edited(session, 'edit net vlan all', 'net vlan /Common/wan { interfaces { 1.1 { } } }');
    assert.equal(
      await session.run('list net vlan wan one-line'),
      'net vlan wan { interfaces { 1.1 { } } tag 4094 }\n',
      'what the system assigned stays',
    );
  });

  it('makes a new object', async () => {
    const session = await basicSession();
    assert.equal(await session.run('edit net vlan fresh'), 'net vlan /Common/fresh {\n}\n');
    await edited(session, 'edit net vlan fresh', 'net vlan /Common/fresh {\n    tag 12\n}\n');
    assert.equal(await session.run('list net vlan fresh one-line'), 'net vlan fresh { tag 12 }\n');
  });

  it('refuses what is wrong and what was not opened, and changes nothing', async () => {
    const session = await basicSession();
    const before = printConfiguration(session.configuration, '1');
    const cases: [string, RegExp][] = [
      ['net vlan /Common/wan { mtu 1 }', /mtu must be an integer from 576/],
      ['net vlan /Common/other { }', /net vlan \/Common\/other is not what was opened for editing/],
      ['net vlan /Common/wan { mtu 1400', /./],
      ['ltm nat x { }', /is not what was opened for editing/],
      ['net vlan /Common/wan { interfaces { 9.9 { } } }', /9\.9\) was not found/],
    ];
    for (const [text, expected] of cases) await assert.rejects(edited(session, 'edit net vlan wan', text), expected);
    assert.equal(printConfiguration(session.configuration, '1'), before);
  });
});

describe('the rest of the verbs', () => {
  it('load sys config default goes back to a fresh system', async () => {
    const session = await basicSession();
    await session.run('load sys config default');
    assert.equal(
      printConfiguration(session.configuration, '1'),
      printConfiguration(new TmshSession().configuration, '1'),
    );
  });

  it('show running-config prints what list prints', async () => {
    const session = await basicSession();
    assert.equal(await session.run('show running-config net vlan'), await session.run('list net vlan'));
    assert.equal(await session.run('show running-config'), await session.run('list'));
  });

  it('run util names what to use where nobody types', async () => {
    const session = new TmshSession();
    assert.match((await session.refusal('run util ping -c 1 10.0.0.1'))!, /is not run by configd[^]*into a shell/);
    assert.match((await session.refusal('run util reboot'))!, /Expected one of: bash, ping/);
    assert.match((await session.refusal('run cm config-sync'))!, /needs a direction and a group/);
  });
});
