import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { emptyConfiguration } from '../../../src/config/configuration.ts';
import { loadText } from '../../../src/config/load-text.ts';
import { OBJECT_TYPES } from '../../../src/config/object-types.ts';
import { complete } from '../../../src/tmsh/complete.ts';
import { LISTED_OFFERS } from '../../../src/tmsh/completion.ts';
import type { Completion } from '../../../src/tmsh/completion.ts';
import { VERBS } from '../../../src/tmsh/verbs.ts';
import { largeConfiguration } from '../../support/large-configuration.ts';
import { TmshSession, basicSession } from '../../support/tmsh-session.ts';

/** Title → what is offered under it. */
function offered({ groups }: Completion): Record<string, string[]> {
  return Object.fromEntries(groups.map(({ title, offers }) => [title, offers.map(({ text }) => text)]));
}

async function asker(...commands: string[]): Promise<(text: string, folder?: string, module?: string) => Completion> {
  const session = await basicSession();
  await session.run(...commands);
  return (text, folder = '/Common', module) =>
    complete(text, {
      configuration: session.configuration,
      folder,
      ...(module === undefined ? {} : { module }),
    });
}

describe('completion of the start of a command', () => {
  it('offers every verb with its help, and those that go on from what is typed', async () => {
    const ask = await asker();
    assert.deepEqual(ask('').groups, [
      { title: 'Commands', offers: VERBS.map(({ name, help }) => ({ text: name, help })), more: 0 },
    ]);
    assert.deepEqual(offered(ask('cr')), { Commands: ['create'] });
    assert.equal(ask('cr').replaces, 2);
    assert.match(ask('creat net').problem!, /unexpected argument "creat"/);
  });

  it('offers modules and components that the verb takes', async () => {
    const ask = await asker();
    const modules = [...new Set(OBJECT_TYPES.map(({ path }) => path.split(' ')[0]!))].sort();
    const words = offered(ask('modify ')).Modules!;
    assert.deepEqual(
      modules.filter((word) => !words.includes(word)),
      [],
    );
    assert.deepEqual(words, words.toSorted());
    assert.deepEqual(offered(ask('modify /n')), { Modules: ['/net'] });
    assert.deepEqual(offered(ask('create net f')), {}, 'an FDB is made with its tunnel');
    assert.deepEqual(offered(ask('modify net fdb ')), { Components: ['tunnel', 'vlan'] });
    assert.equal(ask('create net vl').common, 'vlan');
  });

  it('offers fixed words and their options, each once', async () => {
    const ask = await asker();
    assert.deepEqual(offered(ask('load ')), { Modules: ['gtm', 'sys'] });
    assert.deepEqual(offered(ask('load sys config ver')), { Options: ['verify'] });
    assert.ok(!offered(ask('load sys config verify ')).Options!.includes('verify'));
    assert.deepEqual(ask('load sys config file ').values, [{ expects: 'file', help: 'a file name' }]);
  });
});

describe('completion of names', () => {
  it('starts anew behind a semicolon', async () => {
    const ask = await asker();
    assert.deepEqual(offered(ask('cd /; modify net vlan w'))['VLAN names'], ['wan']);
    assert.deepEqual(offered(ask('cd /; cr')), { Commands: ['create'] });
  });

  it('asks for a new name, and says what is one', async () => {
    const ask = await asker();
    assert.match(ask('create net vlan ').values[0]!.expects, /a name for the VLAN/);
    assert.match(ask('create net vlan a;b ').problem!, /cannot be a name/);
  });

  it('offers existing objects as the folder lets one write them', async () => {
    const ask = await asker('create auth partition Other', 'create net vlan /Other/guest { tag 7 }');
    assert.deepEqual(offered(ask('modify net vlan '))['VLAN names'], ['/Other/guest', 'wan']);
    assert.deepEqual(offered(ask('modify net vlan ', '/Other'))['VLAN names'], ['/Common/wan', 'guest']);
    assert.deepEqual(offered(ask('modify net vlan /')), { 'VLAN names': ['/Common/wan', '/Other/guest'] });
    assert.deepEqual(offered(ask('delete net vlan { wan ')), {
      'VLAN names': ['/Other/guest'],
      Delimiters: ['}'],
    });
    assert.deepEqual(offered(ask('cd ')), { Folders: ['/', '/Common', '/Other'] });
  });

  it('knows folders: where to go, where a new name may be, and where an object may be moved', async () => {
    const ask = await asker('create auth partition Other', 'create sys folder /Common/app');
    assert.deepEqual(offered(ask('cd ')), { Folders: ['/', '/Common', '/Other', 'app'] });
    assert.deepEqual(offered(ask('cd a')), { Folders: ['app'] });
    assert.deepEqual(offered(ask('cd /C')), { Folders: ['/Common', '/Common/app'] });
    assert.deepEqual(offered(ask('create net vlan /')), { Folders: ['/Common/', '/Common/app/', '/Other/'] });
    const other = ask('create net vlan /O');
    assert.deepEqual([other.common, other.count], ['/Other/', 1]);
    assert.match(ask('create net vlan /Other/').values[0]!.expects, /a name for the VLAN/);
    assert.deepEqual(offered(ask('create net vlan ')), { Delimiters: ['{'] });
    assert.deepEqual(offered(ask('create net interface /')), {});
    assert.deepEqual(offered(ask('mv net vlan wan ')), { Options: ['to-folder'] });
    assert.deepEqual(offered(ask('mv net vlan wan to-folder /O')), { Folders: ['/Other'] });
    assert.deepEqual(offered(ask('mv net interface 1.1 ')), {});
    assert.deepEqual(offered(ask('mv net vlan wan other ')), {});
    assert.deepEqual(offered(ask('delete sys folder ')), {
      'folder names': ['/', '/Common', '/Other', 'app'],
      Values: ['all'],
      Delimiters: ['{'],
    });
    assert.deepEqual(offered(ask('modify auth partition O')), { 'partition names': ['Other'] });
  });

  it('offers names, properties and options to list', async () => {
    const ask = await asker();
    const { Properties, Options, ...rest } = offered(ask('list net vlan '));
    assert.deepEqual(rest, { 'VLAN names': ['wan'], Values: ['all'], Delimiters: ['{'] });
    assert.ok(Properties!.includes('tag'));
    assert.ok(Options!.includes('one-line'));
    assert.equal(offered(ask('list net vlan wan '))['VLAN names'], undefined);
  });
});

describe('completion of properties', () => {
  it('offers all of the definition with help, says which are required, given, or not on a BIG-IP', async () => {
    const ask = await asker();
    const { groups } = ask('create net tunnels tunnel t { key 3 ');
    const properties = groups.find(({ title }) => title === 'Properties')!.offers;
    const find = (name: string) => properties.find(({ text }) => text === name)!;
    assert.equal(find('profile').mark, 'required');
    assert.equal(find('key').mark, 'given');
    assert.equal(find('ttl').help, 'TTL or hop limit of the outer header. (not on a BIG-IP)');
    assert.match(find('traffic-group').help, /\(without effect here\)$/);
    const modified = ask('modify net vlan wan ').groups.find(({ title }) => title === 'Properties')!;
    assert.ok(modified.offers.every(({ mark }) => mark === undefined));
  });

  it('offers words of an enumeration, and says the default', async () => {
    const ask = await asker();
    assert.deepEqual(ask('create net vlan a failsafe ').groups, [
      {
        title: 'Values',
        offers: [
          { text: 'enabled', help: '' },
          { text: 'disabled', help: 'The default.' },
          { text: 'default', help: 'Back to the default.' },
        ],
        more: 0,
      },
    ]);
    assert.deepEqual(ask('create net vlan a failsafe ').values, []);
  });

  it('gives the range where values cannot be listed, and refuses what is outside of it', async () => {
    const ask = await asker();
    assert.equal(ask('modify net vlan wan mtu ').values[0]!.expects, 'an integer from 576 to 9216');
    assert.match(ask('modify net vlan wan mtu 5 ').problem!, /unexpected argument "5": it must be an integer from 576/);
    assert.deepEqual(ask('modify net vlan wan description "what ').groups, []);
  });

  it('offers objects that a reference may name', async () => {
    const ask = await asker('create auth partition Other', 'create net vlan /Other/guest { tag 7 }');
    assert.deepEqual(offered(ask('modify net self 10.1.1.1/24 vlan ')), {
      'VLAN names': ['/Other/guest', 'wan'],
    });
    assert.deepEqual(offered(ask('create net tunnels tunnel t profile gr')), { 'Tunnel profile names': ['gre'] });
  });

  it('knows what can be added to a list, taken from it, and how it starts and ends', async () => {
    const ask = await asker('create net vlan guest { tag 7 }', 'create net vlan-group g { members { wan } }');
    const verbs = offered(ask('modify net vlan-group g members '));
    assert.deepEqual(verbs, { Verbs: ['add', 'delete', 'replace-all-with', 'none', 'default'], Delimiters: ['{'] });
    assert.deepEqual(offered(ask('modify net vlan-group g members add')), { Verbs: ['add'] });
    assert.deepEqual(offered(ask('modify net vlan-group g members add ')), { Delimiters: ['{'] });
    assert.deepEqual(offered(ask('modify net vlan-group g members add { ')), {
      'VLAN names': ['guest'],
      Delimiters: ['}'],
    });
    assert.deepEqual(offered(ask('modify net vlan-group g members delete { ')), {
      Members: ['wan'],
      Values: ['all'],
      Delimiters: ['}'],
    });
    assert.deepEqual(offered(ask('create net self s allow-service ')), {
      Values: ['all', 'default'],
      Verbs: ['add', 'delete', 'replace-all-with', 'none'],
      Delimiters: ['{'],
    });
  });

  it('knows keys of records, and their properties', async () => {
    const ask = await asker();
    const line = 'modify net vlan wan interfaces ';
    assert.deepEqual(offered(ask(`${line}add { `))['Interface names'], ['2.1']);
    assert.deepEqual(offered(ask(`${line}modify { `)).Interfaces, ['1.1']);
    assert.deepEqual(offered(ask(`${line}add { 2.1 `)).Delimiters, ['{', '}']);
    assert.deepEqual(offered(ask(`${line}add { 2.1 { `)).Properties, ['tagged', 'untagged', 'tag-mode']);
    assert.deepEqual(offered(ask(`${line}add { 2.1 { tagged } } m`)), { Properties: ['mtu'] });
    assert.match(ask(`${line}add { 2.1 { bogus `).problem!, /unexpected argument "bogus"/);
  });

  it('ends where the command ends', async () => {
    const ask = await asker();
    const { groups, values, problem } = ask('create net vlan a { tag 3 } ');
    assert.deepEqual({ groups, values, problem }, { groups: [], values: [], problem: undefined });
    assert.match(ask('create net vlan a { tag 3 } more ').problem!, /unexpected argument "more"/);
  });
});

describe('completion at a prompt', () => {
  it('offers modules beside the verbs, and components within one', async () => {
    const ask = await asker();
    assert.ok(offered(ask('', '/Common', '')).Modules!.includes('net'));
    assert.deepEqual(offered(ask('net tun', '/Common', '')), { Components: ['tunnels'] });
    assert.ok(offered(ask('', '/Common', 'net')).Components!.includes('vlan'));
    assert.deepEqual(offered(ask('modify vlan w', '/Common', 'net'))['VLAN names'], ['wan']);
    assert.deepEqual(offered(ask('modify w', '/Common', 'net vlan'))['VLAN names'], ['wan']);
    assert.deepEqual(offered(ask('modify /sy', '/Common', 'net vlan')), { Modules: ['/sys'] });
    // The module stands behind a verb, not behind half of one.
    const verb = ask('list', '/Common', 'net');
    assert.deepEqual([verb.replaces, verb.common, verb.count], [4, 'list', 1]);
  });
});

describe('completion in a large configuration', () => {
  const text = largeConfiguration({ tunnels: 2000, stations: 100_000, withUnderlay: true });
  const { configuration } = loadText(text, emptyConfiguration());

  it('lists some, counts all, and completes to what all start with', () => {
    const found = complete('modify net tunnels tunnel vx', { configuration });
    assert.equal(found.common, 'vx0');
    assert.equal(found.count, 2000);
    assert.equal(found.groups[0]!.offers.length, LISTED_OFFERS);
    assert.equal(found.groups[0]!.more, 2000 - LISTED_OFFERS);
  });

  it('completes MAC addresses of a table', async () => {
    const session = new TmshSession();
    session.configuration = configuration;
    const one = complete('modify net fdb tunnel vx00007 records delete { 0', { configuration });
    assert.equal(one.groups[0]!.offers.length, 50);
    assert.equal(one.common, '02:bb:00:0');
    const found = complete('modify net fdb tunnel vx00007 records modify { 02:bb:00:01', { configuration });
    const keys = found.groups.find(({ title }) => title === 'Records')!.offers.map(({ text: key }) => key);
    assert.ok(keys.length > 0 && keys.every((key) => key.startsWith('02:bb:00:01')));
    const all = await session.run('list net fdb tunnel vx00007 records');
    assert.equal(keys.length, all.match(/02:bb:00:01/g)!.length);
  });

  it('takes less than 50 ms', () => {
    const lines = [
      '',
      'modify net tunnels tunnel ',
      'modify net self s vlan ',
      'modify net fdb tunnel vx00001 records delete { 02:',
    ];
    for (const line of lines) {
      complete(line, { configuration });
      const times = Array.from({ length: 9 }, () => {
        const start = process.cpuUsage();
        complete(line, { configuration });
        const { user, system } = process.cpuUsage(start);
        return (user + system) / 1000;
      });
      const median = times.sort((a, b) => a - b)[4]!;
      assert.ok(median < 50, `${line}: ${median} ms`);
    }
  });
});
