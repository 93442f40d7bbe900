// time-out: 600 s
// Discovery under `wideplane up`: virtual servers of another machine's LTM become those of its `gtm server` here, are answered, and go.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { addressOf, exchangeCertificates, MeshNetwork, MeshSite } from '../support/mesh-site.ts';
import { eventually, run } from './supervise/running-up.ts';

/** Seconds between two looks. */
const INTERVAL = 5;
const FOUND_MS = 60_000;

const server = (number: number, more = ''): string =>
  `gtm server s${number} { datacenter dc devices { s${number} { addresses { ${addressOf(number)} { } } } } ${more} }\n`;

const FINDER = `
gtm datacenter dc { }
gtm global-settings general { auto-discovery yes auto-discovery-interval ${INTERVAL} heartbeat-interval 1 }
gtm listener dns { address ${addressOf(1)} }
${server(1)}${server(2, 'virtual-server-discovery enabled virtual-servers { mine { destination 192.0.2.83:80 } }')}`;

const FOUND = `
gtm datacenter dc { }
gtm global-settings general { heartbeat-interval 1 }
${server(1)}${server(2)}
ltm virtual web { destination 192.0.2.81:80 }
ltm virtual mail { destination 192.0.2.82:25 }
ltm virtual known { destination 192.0.2.83:80 }
`;

let network: MeshNetwork;
let finder: MeshSite;
let found: MeshSite;

const virtuals = (): string => finder.tmsh('list gtm server s2 virtual-servers');

before(async () => {
  network = new MeshNetwork();
  finder = new MeshSite(network, { number: 1, config: FINDER });
  found = new MeshSite(network, { number: 2, config: FOUND });
  await Promise.all([finder.ready(), found.ready()]);
  exchangeCertificates([finder, found]);
});

after(async () => {
  await Promise.all([finder.stop(), found.stop()]);
  network.close();
});

test('what the other machine has becomes virtual servers of its server, but for what a person has made', async () => {
  await eventually('found', () => virtuals().includes('192.0.2.82'), FOUND_MS);
  const text = virtuals();
  assert.match(text, /\/Common\/web \{[^}]*destination 192\.0\.2\.81:80[^}]*ltm-name \/Common\/web/);
  assert.match(text, /\/Common\/mail \{[^}]*destination 192\.0\.2\.82:25/);
  assert.match(text, /mine \{[^}]*destination 192\.0\.2\.83:80/);
  assert.doesNotMatch(text, /known/);
  await eventually('it is said', () => finder.logged(/^virtual servers of \/Common\/s2: \+ /).length > 0);
});

test('it is answered as any other', async () => {
  const commands = [
    'create gtm pool a web { members add { s2:/Common/web { member-order 0 } } }',
    'create gtm wideip a web.example.com { pools add { web { order 0 } } }',
  ];
  for (const command of commands) finder.tmsh(command);
  const query = ['dig', `@${finder.address}`, '+short', '+time=1', '+tries=1', 'web.example.com'];
  const answer = await eventually('an answer', () => {
    try {
      return run('ip', 'netns', 'exec', finder.namespace, ...query).trim();
    } catch {
      return undefined;
    }
  });
  assert.equal(answer, '192.0.2.81');
});

test('what comes and goes there comes and goes here, within the interval', async () => {
  found.tmsh('create ltm virtual late { destination 192.0.2.84:80 }');
  found.tmsh('delete ltm virtual mail');
  const started = performance.now();
  await eventually('late is there', () => virtuals().includes('192.0.2.84'), FOUND_MS);
  await eventually('mail is gone', () => !virtuals().includes('/Common/mail'), FOUND_MS);
  console.log(`followed after ${Math.round(performance.now() - started)} ms; looked every ${INTERVAL} s`);
  assert.match(virtuals(), /mine \{/);
});

test('a virtual server that a pool has is not taken away, which is said; with enabled-no-delete none is', async () => {
  found.tmsh('delete ltm virtual web');
  await eventually('said', () => finder.logged(/^virtual servers of \/Common\/s2: .*web/).length > 1, FOUND_MS);
  assert.match(virtuals(), /\/Common\/web \{/);
  finder.tmsh('modify gtm server s2 virtual-server-discovery enabled-no-delete');
  found.tmsh('delete ltm virtual late');
  found.tmsh('create ltm virtual last { destination 192.0.2.85:80 }');
  await eventually('last is there', () => virtuals().includes('192.0.2.85'), FOUND_MS);
  assert.match(virtuals(), /\/Common\/late \{/);
});
