// Partitions and folders: objects like others, in which the others lie.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { emptyConfiguration } from '../../../src/config/configuration.ts';
import { folderOf } from '../../../src/config/folders.ts';
import { loadText } from '../../../src/config/load-text.ts';
import type { Loaded } from '../../../src/config/load-text.ts';
import { printConfiguration } from '../../../src/config/print.ts';
import { restPath } from '../../../src/config/rest-name.ts';
import { authPartition } from '../../../src/config/types/auth-partition.ts';
import { sysFolder } from '../../../src/config/types/sys-folder.ts';
import { TmshSession } from '../../support/tmsh-session.ts';

const HEADER = '#TMSH-VERSION: 1\n#WIDEPLANE-FORMAT: 1\n\n';

const load = (text: string, into?: Loaded): Loaded =>
  loadText(text, emptyConfiguration(), {
    file: 'f.conf',
    ...(into ? { mergeInto: into.configuration } : {}),
  });

const print = ({ configuration }: Pick<Loaded, 'configuration'>): string =>
  printConfiguration(configuration, '1').slice(HEADER.length);

describe('partitions and folders', () => {
  it('are one thing by two names where they stand directly below /', async () => {
    const session = new TmshSession();
    await session.run('create auth partition test description x', 'cd /test; create net vlan wan tag 5');
    assert.ok(session.configuration.objects.has('sys folder /test'));
    assert.ok(session.configuration.objects.has('net vlan /test/wan'));
    await session.run('create sys folder /LOCAL_ONLY device-group none traffic-group traffic-group-local-only');
    assert.ok(session.configuration.objects.has('auth partition LOCAL_ONLY'));
    assert.match((await session.refusal('create sys folder /test'))!, /folder \(\/test\) already exists/);
    assert.equal(
      print(session),
      `auth partition LOCAL_ONLY { }
auth partition test {
    description x
}
sys folder /LOCAL_ONLY {
    traffic-group traffic-group-local-only
}
net vlan /test/wan {
    tag 5
}
`,
    );
    await session.run('delete sys folder /LOCAL_ONLY', 'delete net vlan /test/wan; delete auth partition test');
    assert.equal(print(session), '');
    assert.match((await session.refusal('cd /test'))!, /01020036:3: The requested folder \(\/test\) was not found\./);
  });

  it('have the names of iControl REST', () => {
    assert.equal(restPath(authPartition), '/mgmt/tm/auth/partition');
    assert.equal(restPath(sysFolder), '/mgmt/tm/sys/folder');
  });

  it('are there before what lies in them', async () => {
    const session = new TmshSession();
    const refusal = (await session.refusal('create net vlan /test/wan tag 5'))!;
    assert.match(refusal, /^01020036:3: The requested folder \(\/test\) was not found\.\n/);
    assert.match(refusal, /\n {16}\^\n/);
    assert.match(refusal, /Create it first: create auth partition test$/);
    assert.match(
      (await session.refusal('create sys folder /Common/a/b'))!,
      /The requested folder \(\/Common\/a\) was not found\.[^]*create sys folder \/Common\/a$/,
    );
    await session.run('create net vlan wan tag 5');
    assert.match((await session.refusal('mv net vlan wan to-folder /no'))!, /requested folder \(\/no\) was not found/);
    assert.ok(session.configuration.objects.has('net vlan /Common/wan'));
    // Both in one transaction, in whichever order.
    await session.run('create cli transaction', 'create net vlan /t/x tag 6', 'create auth partition t');
    await session.run('submit cli transaction');
    assert.ok(session.configuration.objects.has('net vlan /t/x'));
  });

  it('cannot be deleted while they hold objects, and say which', async () => {
    const session = new TmshSession();
    await session.run('create auth partition t', 'create sys folder /t/app', 'create net vlan /t/app/a tag 5');
    assert.match(
      (await session.refusal('delete sys folder /t/app'))!,
      /^010713f9:3: The folder \/t\/app cannot be deleted because it contains configuration item \(VLAN \(\/t\/app\/a\)\)\.\n {2}It holds VLAN/,
    );
    assert.match(
      (await session.refusal('delete auth partition t'))!,
      /^0107082a:3: All objects must be removed from a partition \(t\) before the partition may be removed\.\n {2}It holds folder \(\/t\/app\) and 1 more: delete/,
    );
    for (const command of ['delete auth partition Common', 'delete sys folder /', 'delete sys folder /Common']) {
      assert.match((await session.refusal(command))!, /01070325:3: .*is part of the system and cannot be deleted/);
    }
    await session.run('create cli transaction', 'delete auth partition t', 'delete sys folder /t/app');
    await session.run('delete net vlan /t/app/a', 'submit cli transaction');
    assert.equal(print(session), '');
  });

  it('cannot be deleted while they hold what is not known', async () => {
    const session = new TmshSession();
    const known = load('auth partition t { }\nltm nat /t/vs { destination /t/10.1.1.1:80 }\n');
    session.configuration = known.configuration;
    assert.match((await session.refusal('delete auth partition t'))!, /It holds ltm nat \/t\/vs, which is kept/);
  });

  it('can be neither renamed nor copied', async () => {
    const session = new TmshSession();
    await session.run('create auth partition t', 'create sys folder /t/a');
    for (const command of [
      'mv auth partition t u',
      'cp sys folder /t/a /t/b',
      'mv sys folder /t/a to-folder /Common',
    ]) {
      assert.match((await session.refusal(command))!, /can be neither renamed nor copied[^]*mv each object to-folder/);
    }
  });

  it('are told from networks, whose names hold a slash as well', () => {
    const names: [string, string][] = [
      ['/Common/10.1.1.0/24', '/Common'],
      ['/Common/10.1.1.0%5/24', '/Common'],
      ['/t/2001:db8::/32', '/t'],
      ['/pod3.prod/7', '/pod3.prod'],
      ['/Common/site.app/7', '/Common/site.app'],
      ['/Common/10.1.*/24', '/Common'],
      ['/Common', '/'],
      ['/', '/'],
    ];
    for (const [name, folder] of names) assert.equal(folderOf(name), folder, name);
  });

  it('refuse names that none can have', async () => {
    const session = new TmshSession();
    assert.match((await session.refusal('create auth partition a/b'))!, /a partition lies in no other one/);
    assert.match((await session.refusal('create sys folder /Common//b'))!, /a part of the path is empty/);
  });

  it('come first in a file, whatever order they were written in', () => {
    const text = 'net vlan /t/app/a { tag 5 }\nsys folder /t/app { hidden true }\nauth partition t { description d }\n';
    const saved = print(load(text));
    assert.equal(
      saved,
      `auth partition t {
    description d
}
sys folder /t/app {
    hidden true
}
net vlan /t/app/a {
    tag 5
}
`,
    );
    assert.equal(print(load(saved)), saved);
    assert.deepEqual(
      load(text).warnings.map(({ text: warning }) => warning),
      ['folder (/t/app): hidden is kept, but has no effect in this version.'],
    );
  });

  it('are made, with a warning, for a whole configuration that does not name them', () => {
    const loaded = load('net vlan /t/app/a { tag 5 }\nnet vlan /t/app/b { tag 6 }\n');
    assert.deepEqual(
      loaded.warnings.map(({ text, position }) => [position?.line, text]),
      [
        [1, 'The requested folder (/t) was not found, and is made: net vlan /t/app/a lies there.'],
        [1, 'The requested folder (/t/app) was not found, and is made: net vlan /t/app/a lies there.'],
      ],
    );
    assert.match(loaded.warnings[1]!.hint!, /create sys folder \/t\/app$/);
    const saved = print(loaded);
    assert.match(saved, /^auth partition t \{ \}\nsys folder \/t\/app \{ \}\nnet vlan/);
    assert.deepEqual(load(saved).warnings, []);
  });

  it('are asked for by a text that is merged: one error for each, however many objects would lie there', () => {
    const base = load('auth partition t { }\n');
    const text = 'net vlan /t/a { tag 5 }\nnet vlan /u/b { tag 6 }\nnet vlan /u/c { tag 7 }\n';
    assert.throws(
      () => load(text, base),
      (error: Error) => {
        assert.equal(error.message, '01020036:3: The requested folder (/u) was not found.');
        const [first] = (
          error as unknown as {
            errors: { details: { hint: string; position: { line: number } } }[];
          }
        ).errors;
        assert.match(first!.details.hint, /VLAN \(\/u\/b\) and 1 more would lie there\. .*create auth partition u/);
        assert.equal(first!.details.position.line, 2);
        return true;
      },
    );
    assert.equal(load(`${text}auth partition u { }\n`, base).configuration.objects.has('net vlan /u/c'), true);
  });
});

/** A partition whose addresses are in route domain 7. */
const SEVEN = `auth partition t {
    default-route-domain 7
}
net vlan /t/v {
    tag 70
}
net route-domain /t/7 {
    id 7
    vlans {
        /t/v
    }
}
`;

describe('the default route domain of a partition', () => {
  it('is that of addresses without one, in whatever place they stand', async () => {
    const session = new TmshSession();
    session.configuration = load(SEVEN).configuration;
    await session.run(
      'create net self /t/s { address 10.7.1.1/24 vlan /t/v }',
      'create net self /t/10.7.1.2/24 vlan /t/v',
      'cd /t; create ltm pool p members add { 10.7.1.9:0 { } }',
      'create net route /t/default gw 10.7.1.9',
      'create net route /t/10.9.0.0/16 { pool /t/p }',
      'create net route /t/r { network 10.8.0.0/16 gw 10.7.1.9%7 }',
      'create net arp /t/10.7.1.9 mac-address 02:00:00:00:00:01',
      'create net tunnels tunnel /t/x { local-address 10.7.1.1 remote-address any profile vxlan-multipoint key 5 }',
      'modify net fdb tunnel /t/x records add { 02:00:00:00:00:02 { endpoint 10.7.1.8 } }',
      'modify net fdb tunnel /t/x records add { ff:ff:ff:ff:ff:ff { endpoints add { 10.7.1.8 } } }',
    );
    const saved = print(session);
    for (const line of [
      'address 10.7.1.1%7/24',
      'address 10.7.1.2%7/24',
      '/t/10.7.1.9%7:0 { }',
      'network default%7',
      'network 10.9.0.0%7/16',
      'network 10.8.0.0%7/16',
      'gw 10.7.1.9%7',
      'ip-address 10.7.1.9%7',
      'local-address 10.7.1.1%7',
      'endpoint 10.7.1.8%7',
      '            10.7.1.8%7\n',
    ]) {
      assert.ok(saved.includes(line), `${line} in ${saved}`);
    }
    assert.ok(!saved.includes('any%'), saved);
    assert.equal(print(load(saved)), saved);
  });

  it('is that of the moment at which a transaction is submitted', async () => {
    const session = new TmshSession();
    await session.run(
      'create cli transaction',
      'create net self /t/s { address 10.7.1.1/24 vlan /t/v }',
      'create net route-domain /t/7 { id 7 vlans { /t/v } }',
    );
    await session.run('delete cli transaction', 'create cli transaction', 'create auth partition t');
    await session.run('modify auth partition t default-route-domain 7', 'create net vlan /t/v tag 70');
    await session.run('create net route-domain /t/7 { id 7 vlans { /t/v } }');
    await session.run('create net self /t/s { address 10.7.1.1/24 vlan /t/v }', 'submit cli transaction');
    assert.equal(session.configuration.views.get('net self /t/s')!.properties.address, '10.7.1.1%7/24');
  });

  it('is that of a text as well, wherever the partition stands in it', () => {
    const self = 'net self /t/s { address 10.7.1.1/24 vlan /t/v }\n';
    const saved = print(load(`${self}${SEVEN}`));
    assert.match(saved, /address 10\.7\.1\.1%7\/24/);
    assert.equal(print(load(self, load(SEVEN))), saved);
  });

  it('leaves room for route domain 0, which is then written out', async () => {
    const session = new TmshSession();
    session.configuration = load(SEVEN).configuration;
    await session.run(
      'create net vlan w tag 9; create net self w { address 10.0.0.1/24 vlan w }',
      'create net self /t/zero { address 10.0.0.2%0/24 vlan /Common/w }',
      'create net route /t/zero { network default%0 gw 10.0.0.9%0 }',
      'cd /t; create ltm pool p members add { 10.0.0.9%0:0 { } }',
    );
    const saved = print(session);
    for (const line of ['address 10.0.0.2%0/24', 'network default%0', 'gw 10.0.0.9%0', '/t/10.0.0.9%0:0 { }']) {
      assert.ok(saved.includes(line), `${line} in ${saved}`);
    }
    assert.match(saved, /net self \/Common\/w \{\n {4}address 10\.0\.0\.1\/24/);
    assert.equal(print(load(saved)), saved);
  });

  it('changes no address that is there already', async () => {
    const session = new TmshSession();
    session.configuration = load(SEVEN.replace('default-route-domain 7', 'default-route-domain 0')).configuration;
    await session.run(
      'create net vlan w tag 9; create net self w { address 10.0.0.1/24 vlan w }',
      'create net route /t/r { network default gw 10.0.0.9 }',
    );
    const views = session.configuration.views;
    const route = () => session.configuration.views.get('net route /t/r')!.properties;
    assert.equal(route().network, 'default');
    await session.run('modify auth partition t default-route-domain 7');
    assert.equal(session.configuration.views.get('net route /t/r'), views.get('net route /t/r'));
    const saved = print(session);
    assert.match(saved, /gw 10\.0\.0\.9%0\n {4}network default%0/);
    const again = load(saved);
    assert.equal(again.configuration.views.get('net route /t/r')!.properties.network, 'default');
    assert.equal(print(again), saved);
    session.configuration = again.configuration;
    await session.run('modify auth partition t default-route-domain 0');
    assert.match(print(session), /net route \/t\/r \{\n {4}gw 10\.0\.0\.9\n/);
    assert.equal(print(load(print(session))), print(session));
    assert.deepEqual(load(print(session)).configuration.views, session.configuration.views);
  });

  it('moves no address with its object', async () => {
    const session = new TmshSession();
    session.configuration = load(SEVEN).configuration;
    await session.run(
      'create net vlan w tag 9; create net self w { address 10.0.0.1/24 vlan w }',
      'create net route r gw 10.0.0.9; mv net route r to-folder /t',
    );
    const { properties } = session.configuration.views.get('net route /t/r')!;
    assert.deepEqual([properties.network, properties.gw], ['default', '10.0.0.9']);
  });

  it('is there, and stays', async () => {
    const session = new TmshSession();
    assert.match(
      (await session.refusal('create auth partition t default-route-domain 7'))!,
      /01020036:3: The requested Route Domain \(7\) was not found\./,
    );
    session.configuration = load(SEVEN).configuration;
    assert.match(
      (await session.refusal('delete net route-domain /t/7'))!,
      /^0107097c:3: The specified route domain \(7\) is the default route domain for one or more partitions \(t\) and cannot be deleted\.\n {2}Give/,
    );
  });

  it('is none of a type without partitions', async () => {
    const session = new TmshSession();
    session.configuration = load(SEVEN).configuration;
    await session.run('cd /t; create net interface 1.1 { device eth0 }');
    assert.ok(session.configuration.objects.has('net interface 1.1'));
  });
});
