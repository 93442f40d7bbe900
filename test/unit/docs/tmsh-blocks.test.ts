// Every tmsh block of the documentation is understood: what we tell people to type, they can type.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import { TmshSession } from '../../support/tmsh-session.ts';

type Block = { heading: string; text: string };

/** The fenced blocks that are marked as tmsh, with the heading that they stand under. */
function tmshBlocks(file: string): Block[] {
  const blocks: Block[] = [];
  let heading = '';
  let open: string[] | undefined;
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    if (open !== undefined && line === '```') {
      blocks.push({ heading, text: open.join('\n') });
      open = undefined;
    } else if (open !== undefined) open.push(line);
    else if (line === '```tmsh') open = [];
    else if (line.startsWith('#')) heading = line.replace(/^#+ /, '');
  }
  return blocks;
}

/** Commands stand one a line; a block that starts with an object is a file. */
async function enter(session: TmshSession, block: string): Promise<void> {
  if (/^(?:auth|gtm|ltm|net|sys) /.test(block)) {
    session.files.set('block', block);
    await session.run('load sys config file block');
  } else await session.run(...block.split('\n').filter((line) => line !== ''));
}

describe('docs/interop/bigip-vxlan.md', () => {
  const blocks = tmshBlocks('docs/interop/bigip-vxlan.md');
  const under = (heading: string): string[] =>
    blocks.filter((block) => block.heading === heading).map(({ text }) => text);

  it('what to type on a BIG-IP, whose interfaces are there already', async () => {
    const session = new TmshSession();
    await session.run('create net interface 1.1 device eth1', 'create net interface 1.2 device eth2');
    const [commands, ...others] = under('On the BIG-IP');
    await enter(session, commands!);
    assert.deepEqual(others, []);
    assert.match(await session.run('list net self wan-self'), /udp:4789/);
    assert.match(await session.run('list net tunnels tunnel vx5000'), /key 5000/);
  });

  it('the file and the commands for wideplane make the same configuration', async () => {
    const [file, commands, ...others] = under('On wideplane');
    assert.deepEqual(others, []);
    const loaded = new TmshSession();
    await enter(loaded, file!);
    const typed = new TmshSession();
    await enter(typed, commands!);
    const listing = await loaded.run('list net');
    assert.match(listing, /net tunnels tunnel vx5000/);
    assert.equal(await typed.run('list net'), listing);
    assert.deepEqual(typed.saved, ['own']);

    for (const heading of ['Flooding by multicast', 'IPv6 between the ends']) {
      const [device, own, ...rest] = under(heading);
      assert.deepEqual(rest, []);
      const bigip = new TmshSession();
      await bigip.run('create net interface 1.1 device eth1', 'create net interface 1.2 device eth2');
      const [before] = under('On the BIG-IP');
      await enter(bigip, before!.replace(/^create net vlan-group .*$/m, ''));
      await enter(bigip, device!);
      const here = new TmshSession();
      await enter(here, file!);
      await enter(here, own!);
      for (const session of [bigip, here]) assert.match(await session.run('list net tunnels tunnel'), /vx[78]000/);
    }
    assert.equal(under('Another port for all').length, 1);
    await enter(loaded, under('Another port for all')[0]!);
    assert.match(await loaded.run('list sys db'), /value 8472/);

    const more = under('More than one other end');
    assert.equal(more.length, 1);
    await enter(typed, more[0]!);
    assert.match(await typed.run('list net fdb tunnel vx6000'), /02:00:00:00:00:0b/);
  });
});

/** The blocks under a heading of a page. */
const under = (file: string, heading: string): string[] =>
  tmshBlocks(file)
    .filter((block) => block.heading === heading)
    .map(({ text }) => text);

const INTERFACES = ['create net interface 1.1 device eth1', 'create net interface 1.2 device eth2'];

for (const [page, tunnel] of [
  ['bigip-gre', 'gre1'],
  ['bigip-etherip', 'dc'],
] as const) {
  describe(`docs/interop/${page}.md`, () => {
    const file = `docs/interop/${page}.md`;

    it('what to type on a BIG-IP, whose interfaces are there already', async () => {
      const session = new TmshSession();
      await session.run(...INTERFACES);
      const [commands, ...others] = under(file, 'On the BIG-IP');
      await enter(session, commands!);
      assert.deepEqual(others, []);
      assert.match(await session.run(`list net tunnels tunnel ${tunnel}`), /remote-address 198\.51\.100\.20/);
    });

    it('the file and the commands for wideplane make the same configuration', async () => {
      const [text, commands, ...others] = under(file, 'On wideplane');
      assert.deepEqual(others, []);
      const loaded = new TmshSession();
      await enter(loaded, text!);
      const typed = new TmshSession();
      await enter(typed, commands!);
      const listing = await loaded.run('list net');
      assert.match(listing, new RegExp(`net tunnels tunnel ${tunnel} `));
      assert.equal(await typed.run('list net'), listing);
      assert.deepEqual(typed.saved, ['own']);
    });
  });
}

it('docs/interop/bigip-gre.md: the other uses of GRE, on top of the VLANs of the first', async () => {
  const file = 'docs/interop/bigip-gre.md';
  const start = async (): Promise<TmshSession> => {
    const session = new TmshSession();
    const [, commands] = under(file, 'On wideplane');
    const vlans = commands!.split('\n').filter((line) => / net (?:interface|vlan|self wan-self) /.test(line));
    await session.run(...vlans);
    return session;
  };
  for (const [heading, blocks, expected] of [
    ['Keys and checksums', 1, /rx-csum enabled/],
    ['Ethernet in GRE', 2, /members \{\s+servers\s+teb1\s+\}/],
    ['A collector behind a router', 1, /endpoint 203\.0\.113\.7/],
    ['NVGRE', 1, /key 5000/],
  ] as const) {
    const texts = under(file, heading);
    assert.equal(texts.length, blocks, heading);
    for (const text of texts) {
      const session = await start();
      await enter(session, text);
      assert.match(await session.run('list net'), expected, heading);
    }
  }
});

it('docs/interop/bigip-etherip.md: the other form of the header', async () => {
  const file = 'docs/interop/bigip-etherip.md';
  const session = new TmshSession();
  const [text] = under(file, 'On wideplane');
  await enter(session, text!);
  const [commands, ...others] = under(file, 'The form of the header');
  assert.deepEqual(others, []);
  await enter(session, commands!);
  assert.match(await session.run('list net tunnels etherip low'), /version-nibble low/);
});

it('every tmsh block of the README and of docs/ is understood', async () => {
  const files = [
    'README.md',
    ...readdirSync('docs', { recursive: true, encoding: 'utf8' }).map((name) => `docs/${name}`),
  ];
  const sections = new Map<string, string[]>();
  for (const file of files.filter(
    (name) => name.endsWith('.md') && !/^docs\/interop\/bigip-(?:vxlan|gre|etherip|ipsec)\.md$/.test(name),
  )) {
    for (const { heading, text } of tmshBlocks(file)) {
      const key = `${file}: ${heading}`;
      sections.set(key, [...(sections.get(key) ?? []), text]);
    }
  }
  assert.ok(sections.size > 0);
  for (const [, blocks] of sections) {
    const session = new TmshSession();
    for (const block of blocks) await enter(session, block);
  }
});

describe('docs/interop/bigip-ipsec.md', () => {
  const file = 'docs/interop/bigip-ipsec.md';
  const masked = /encrypt-key \$M\$/;

  it('what to type on a BIG-IP, whose interfaces are there already', async () => {
    const session = new TmshSession();
    await session.run(...INTERFACES);
    const [commands, ...others] = under(file, 'On the BIG-IP');
    await enter(session, commands!);
    assert.deepEqual(others, []);
    const listing = await session.run('list net ipsec manual-security-association');
    assert.match(listing, masked);
    assert.doesNotMatch(listing, /1111|2222/);
  });

  it('the file and the commands for wideplane make the same configuration', async () => {
    const [text, commands, ...others] = under(file, 'On wideplane');
    assert.deepEqual(others, []);
    const loaded = new TmshSession();
    await enter(loaded, text!);
    const typed = new TmshSession();
    await enter(typed, commands!);
    const listing = await loaded.run('list net');
    assert.match(listing, masked);
    assert.equal(await typed.run('list net'), listing);
    assert.deepEqual(typed.saved, ['own']);
  });

  it('both ends have the same keys for each direction, in every mode', async () => {
    const start = async (heading: string, block: number): Promise<TmshSession> => {
      const session = new TmshSession();
      if (heading === 'On the BIG-IP') await session.run(...INTERFACES);
      await enter(session, under(file, heading)[block]!);
      return session;
    };
    const [bigip, here] = [await start('On the BIG-IP', 0), await start('On wideplane', 1)];
    for (const heading of ['EtherIP inside IPsec', 'Interface mode']) {
      const [device, own, ...others] = under(file, heading);
      assert.deepEqual(others, []);
      await enter(bigip, device!);
      await enter(here, own!);
    }
    const associations = (session: TmshSession): unknown[] =>
      [...session.configuration.views.values()]
        .filter(({ type }) => type === 'net ipsec manual-security-association')
        .sort((a, b) => Number(a.properties.spi) - Number(b.properties.spi))
        .map(({ properties }) => ({ ...properties, 'ipsec-policy': '' }));
    assert.equal(associations(here).length, 4);
    assert.deepEqual(associations(here), associations(bigip));
    assert.match(await here.run('list net tunnels tunnel far-if'), /profile far-if/);
    assert.match(await bigip.run('list net ipsec traffic-selector eip-in'), /ip-protocol 97/);
  });

  it('shows to a BIG-IP nothing that it does not know', async () => {
    const session = new TmshSession();
    await enter(session, under(file, 'On wideplane')[0]!);
    const more = 'replay-window-size 64 extended-sequence-numbers enabled udp-encapsulation 4500';
    await session.run(`modify net ipsec manual-security-association far-in ${more}`);
    const listing = await session.run('list net ipsec manual-security-association far-in tmos');
    const lines = listing.split('\n');
    const comments = lines.filter((line) => line.startsWith('#')).map((line) => line.replace(/.*, as /, ''));
    assert.deepEqual(comments, [
      'no BIG-IP has it: replay-window-size, extended-sequence-numbers, udp-encapsulation',
      'it is masked with the master key of this machine: auth-key, encrypt-key',
    ]);
    assert.doesNotMatch(lines.filter((line) => !line.startsWith('#')).join(' '), /replay|extended|udp-encaps|-key/);
  });
});
