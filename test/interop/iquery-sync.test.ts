// time-out: 900 s
// A synchronisation group of three `wideplane up` in namespaces that a bridge joins: what is typed at one is answered at all; changes that
// cross each other, a partition, a member that was away, and the file of a zone.

import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { eventually, run, RunningUp } from '../daemon/supervise/running-up.ts';
import { addressOf, exchangeCertificates, MeshNetwork, MeshSite, serversOf } from '../support/mesh-site.ts';

const NUMBERS = [1, 2, 3];
const LONG_MS = 90_000;

/** Every site has the servers and its own listener; the first has something to share. */
const configOf = (number: number): string => `
gtm global-settings general {
    heartbeat-interval 1
    synchronization yes
    synchronize-zone-files yes
    automatic-configuration-save-timeout 1
}
gtm listener dns { address ${addressOf(number)} }
${serversOf(NUMBERS)}
${number === 1 ? `${WEB}${wideIp('www', 80)}` : ''}
`;

const WEB = `gtm server web { datacenter dc devices { web { addresses { 192.0.2.250 { } } } } product generic-host virtual-servers {
    v80 { destination 192.0.2.80:80 } v81 { destination 192.0.2.81:80 } v82 { destination 192.0.2.82:80 } v83 { destination 192.0.2.83:80 } } }
`;
const wideIp = (name: string, last: number): string =>
  `gtm pool a ${name} { members { web:v${last} { member-order 0 } } }\ngtm wideip a ${name}.example.com { pools { ${name} { order 0 } } }\n`;

let network: MeshNetwork;
let sites: readonly [MeshSite, MeshSite, MeshSite];

before(async () => {
  network = new MeshNetwork();
  const [one, two, three] = NUMBERS.map((number) => new MeshSite(network, { number, config: configOf(number) }));
  sites = [one!, two!, three!];
  await Promise.all(sites.map((site) => site.ready()));
  exchangeCertificates(sites);
});

after(async () => {
  await Promise.all(sites.map((site) => site.stop()));
  network.close();
});

const status = (site: MeshSite): string => /^Status +(.*)$/m.exec(site.tmsh('show cm sync-status'))?.[1] ?? '';

async function inSync(which: readonly MeshSite[] = sites): Promise<void> {
  for (const site of which) {
    try {
      await eventually(`site ${site.number} is in sync`, () => status(site) === 'In Sync', LONG_MS);
    } catch (error) {
      console.log(
        site.tmsh('show cm sync-status'),
        site.tmsh('show gtm iquery'),
        site.logged(/./).slice(-30).join('\n'),
      );
      throw error;
    }
  }
}

function dig(site: MeshSite, name: string): string {
  const query = ['dig', `@${site.address}`, '+short', '+time=1', '+tries=1', name];
  try {
    return run('ip', 'netns', 'exec', site.namespace, ...query).trim();
  } catch {
    return '';
  }
}

const answers = (site: MeshSite, name: string, answer: string): Promise<unknown> =>
  eventually(`${name} is ${answer} at site ${site.number}`, () => dig(site, name) === answer, LONG_MS);

/** Both objects in one change. */
const create = (site: MeshSite, name: string, last: number): void => {
  const create = wideIp(name, last)
    .trim()
    .split('\n')
    .map((line) => `create ${line}`);
  site.tmsh(['create cli transaction', ...create, 'submit cli transaction'].join('; '));
};

test('what one has is answered by all, and all say that they are in sync', async () => {
  await inSync();
  for (const site of sites) await answers(site, 'www.example.com', '192.0.2.80');
  const [one, two] = sites;
  console.log(one.tmsh('show cm sync-status'));
  console.log(two.tmsh('show cm device'));
  assert.match(one.tmsh('list cm device'), /cm device s1 \{[^}]*self-device true/);
  // Listeners are each machine's own.
  assert.match(two.tmsh('list gtm listener'), new RegExp(addressOf(2)));
  assert.doesNotMatch(two.tmsh('list gtm listener'), new RegExp(`${addressOf(1)}\\b`));
});

test('a wide IP that is created at one is answered by the others', async () => {
  for (const [index, last] of [81, 82, 83].entries()) {
    const name = `new${index}`;
    create(sites[index]!, name, last);
    const started = performance.now();
    for (const site of sites) await answers(site, `${name}.example.com`, `192.0.2.${last}`);
    console.log(
      `answered by all ${Math.round(performance.now() - started)} ms after it was typed at site ${index + 1}`,
    );
  }
  await inSync();
});

test('a partition: changes on both sides, one wins whole at all, the other is kept and named, and can be had back', async () => {
  const [one, two, three] = sites;
  network.connect(3, false);
  await eventually('cut off', () => status(three) === 'Disconnected', LONG_MS).catch((error: unknown) => {
    console.log(
      three.tmsh('show cm sync-status'),
      three.tmsh('show gtm iquery'),
      three.logged(/./).slice(-30).join('\n'),
    );
    throw error;
  });
  create(one, 'left', 81);
  await answers(two, 'left.example.com', '192.0.2.81');
  // Later by more than the step in which times are compared.
  await new Promise((resolve) => setTimeout(resolve, 11_000));
  // With its cable out it still knows which of the servers it is.
  assert.equal(status(three), 'Disconnected', three.tmsh('show cm sync-status'));
  create(three, 'right', 82);
  await answers(three, 'right.example.com', '192.0.2.82');
  network.connect(3, true);
  const started = performance.now();
  for (const site of sites) await answers(site, 'right.example.com', '192.0.2.82');
  console.log(`one configuration at all ${Math.round(performance.now() - started)} ms after the link came back`);
  await inSync();
  for (const site of sites) assert.equal(dig(site, 'left.example.com'), '');
  const kept = /What ran here is kept in (\S+): load sys config file/.exec(one.tmsh('show cm sync-status'))?.[1];
  assert.ok(kept !== undefined, one.tmsh('show cm sync-status'));
  assert.match(readFileSync(kept, 'utf8'), /left\.example\.com/);
  await eventually('the conflict is logged', () => one.logged(/counts for group default/).length > 0);
  one.tmsh(`load sys config file ${kept} group`);
  for (const site of sites) await answers(site, 'left.example.com', '192.0.2.81');
  await inSync();
});

test('changes that cross each other: all end with the same', async () => {
  const [one, two] = sites;
  for (const [index, site] of [one, two].entries()) create(site, `cross${index}`, 81 + index);
  await inSync();
  const lists = new Set(sites.map((site) => site.tmsh('list gtm wideip')));
  assert.equal(lists.size, 1);
});

test('a member that was away catches up, also with what it had not saved', async () => {
  const [one, two] = sites;
  two.up.signal('SIGTERM');
  await two.up.exit();
  create(one, 'away', 83);
  one.tmsh('delete gtm wideip a new0.example.com');
  two.up = new RunningUp(two.state, { namespace: two.namespace, config: `${two.state}.conf` });
  await two.ready();
  await answers(two, 'away.example.com', '192.0.2.83');
  await inSync();
  assert.equal(dig(two, 'new0.example.com'), '');
});

test('the file of a zone follows, and a later serial takes its place everywhere', async () => {
  const [one, , three] = sites;
  const zone = (serial: number, last: number): string =>
    `$TTL 60\n@ SOA ns1 hostmaster ${serial} 7200 600 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\nwww A 192.0.2.${last}\n`;
  const write = (site: MeshSite, text: string): void => {
    const directory = join(site.state, 'dnsd', 'zones');
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'files.example.txt'), text);
    chmodSync(join(directory, 'files.example.txt'), 0o644);
  };
  write(one, zone(1, 11));
  one.tmsh('create gtm zone files.example file files.example.txt');
  for (const site of sites) await answers(site, 'www.files.example', '192.0.2.11');
  write(three, zone(2, 12));
  three.tmsh('load gtm zone files.example');
  for (const site of sites) await answers(site, 'www.files.example', '192.0.2.12');
});

test('config-sync says which counts, and who is not of the group is refused', async () => {
  const [one] = sites;
  assert.match(
    one.tmsh('run cm config-sync to-group default force-full-load-push'),
    /is that of group default; 2 other/,
  );
  await inSync();
  assert.throws(() => one.tmsh('run cm config-sync to-group nobody'), /Device group \(nobody\) not found/);
});
