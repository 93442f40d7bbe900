import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { emptyConfiguration } from '../../../src/config/configuration.ts';
import { loadText } from '../../../src/config/load-text.ts';
import { OBJECT_TYPES } from '../../../src/config/object-types.ts';
import { TmshSession } from '../../support/tmsh-session.ts';

async function loaded(text: string): Promise<TmshSession> {
  const session = new TmshSession();
  session.files.set('own', text);
  await session.run('load sys config');
  return session;
}

describe('show sys config unknown', () => {
  it('lists type, name, property, place and reason', async () => {
    const text =
      'net trunk t1 { }\nnet vlan v {\n    interfaces { t1 }\n    sflow { x y }\n    tag 5\n}\nltm rule r { }\n';
    const shown = await (await loaded(text)).run('show sys config unknown');
    const rows = shown.split('\n').map((line) => line.trim().replace(/ {2,}/g, '|'));
    assert.ok(rows.includes('net trunk|t1|own:1|is of a type that is not known'), shown);
    assert.ok(rows.includes('ltm rule|r|own:7|is of a type that is not known'), shown);
    assert.ok(rows.includes('net vlan|/Common/v|sflow|own:4|is not known'), shown);
    assert.ok(
      rows.includes(
        'net vlan|/Common/v|interfaces t1|own:3|interfaces names t1: net trunk t1 is not known in this version',
      ),
      shown,
    );
  });

  it('says so when there is nothing', async () => {
    assert.equal(await new TmshSession().run('show sys config unknown'), 'Sys::Config unknown: no records\n');
  });
});

describe('the name of an object of an unknown type', () => {
  const cases: [string, string][] = [
    ['ltm nat /Common/a', 'ltm nat|/Common/a'],
    ['net trunk t1', 'net trunk|t1'],
    ['sys dns', 'sys dns|'],
    ['gtm global-settings metrics-exclusions', 'gtm global-settings metrics-exclusions|'],
    ['sys fpga firmware-config', 'sys fpga firmware-config|'],
    ['ltm profile client-ssl /Common/a', 'ltm profile client-ssl|/Common/a'],
  ];
  for (const [header, expected] of cases) {
    it(header, () => {
      const { unknown } = loadText(`${header} { }`, emptyConfiguration());
      assert.deepEqual(
        unknown.map(({ type, name }) => `${type}|${name}`),
        [expected],
      );
    });
  }
});

describe('load sys config', () => {
  it('names some of what is not known and counts the rest', async () => {
    const session = new TmshSession();
    session.files.set('own', Array.from({ length: 25 }, (_, index) => `ltm rule r${index} { }\n`).join(''));
    const lines = (await session.run('load sys config')).split('\n').filter((line) => line.startsWith('Warning'));
    assert.equal(lines.length, 21);
    assert.equal(lines[20], 'Warning: 5 more are kept without effect: show sys config unknown');
  });
});

describe('list', () => {
  it('shows what is not known where it stands, of a module or of all', async () => {
    const session = await loaded(
      'net vlan a { tag 5 }\nltm rule r { when X { } }\nnet trunk t { }\nnet vlan b { tag 6 }\n',
    );
    assert.match(
      await session.run('list'),
      /net vlan a \{\n[^}]*\}\nltm rule r \{ when X \{ \} \}\nnet trunk t \{ \}\nnet vlan b/,
    );
    const net = await session.run('list net');
    assert.ok(net.includes('net trunk t { }') && !net.includes('ltm rule'));
    assert.ok(!(await session.run('list net vlan')).includes('trunk'));
  });

  it('with tmos prints nothing that is ours, says what it leaves out, and can be loaded', async () => {
    const text = `${readFileSync('test/fixtures/bigip/base.conf', 'utf8')}
net interface 9.1 { device eth9 adapter packet-ring transmit-offloads off }
net tunnels tunnel ours { local-address 192.0.2.11 remote-address 192.0.2.99 profile gre key 3 ttl 9 }
ltm global-settings general { l2-cache-limit 1000 }
`;
    const session = await loaded(text);
    const printed = await session.run('list tmos');
    const comments = printed.match(/^# Left out of .*$/gm);
    assert.deepEqual(comments, [
      '# Left out of ltm global-settings general, as no BIG-IP has it: l2-cache-limit',
      '# Left out of net interface, as no BIG-IP has it: device, transmit-offloads',
      '# Left out of net tunnels tunnel, as no BIG-IP has it: ttl',
    ]);
    const { configuration } = loadText(printed, emptyConfiguration());
    for (const object of configuration.objects.values()) {
      const type = OBJECT_TYPES.find(({ path }) => path === object.type)!;
      for (const name of Object.keys(object.own)) assert.notEqual(type.properties[name]!.extension, true, name);
    }
    assert.equal(configuration.objects.size, session.configuration.objects.size);
    assert.deepEqual(
      configuration.unknown.map(({ header }) => header).toSorted(),
      session.configuration.unknown
        .map(({ header }) => header)
        .concat('#')
        .toSorted(),
    );
  });
});
