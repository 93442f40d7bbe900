// `show sys config status` while devices come and go under a running data plane (topology: one namespace).

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Namespace } from './harness/namespace.ts';
import { waitFor } from './harness/wait.ts';
import { Wideplane } from './harness/wideplane.ts';

const CONFIGURATION = `net interface 1.1 { device late0 }
net vlan lan { interfaces { 1.1 { } } tag 5 }
`;

it('names what dataplaned cannot apply as long as it cannot, and the daemon that is gone', async () => {
  const site = await Namespace.create('site');
  const wideplane = await Wideplane.start(site, CONFIGURATION);
  const status = () => wideplane.tmsh('show sys config status');
  const says = (pattern: RegExp) =>
    waitFor(`status says ${pattern.source}`, 5, async () => pattern.test(await status()), status);
  const missing = /dataplaned[^]*State +in sync[^]*Failed objects +1[^]*net interface 1\.1 +.*late0/;

  await says(missing);
  assert.match(await wideplane.tmsh('list net interface 1.1 device'), /device late0/);
  await site.ip('link', 'add', 'late0', 'type', 'veth', 'peer', 'name', 'late1');
  await site.ip('link', 'set', 'late0', 'up');
  await site.ip('link', 'set', 'late1', 'up');
  await says(/dataplaned[^]*State +in sync[^]*Failed objects +0/);
  await site.ip('link', 'delete', 'late0');
  await says(missing);

  // A commit stands beside what cannot be applied, and is acknowledged.
  const generationOf = (text: string) => [...text.matchAll(/Generation +(\d+)/g)].map(([, number]) => number);
  const [before] = generationOf(await status());
  await wideplane.tmsh('create net vlan other tag 6');
  await says(missing);
  await waitFor('dataplaned acknowledges', 5, async () => {
    const [own, acknowledged] = generationOf(await status());
    return own !== before && own === acknowledged;
  });

  process.kill(wideplane.daemonPid('dataplaned'), 'SIGSTOP');
  await wideplane.tmsh('create net vlan third tag 7');
  await says(/dataplaned[^]*State +applying/);
  process.kill(wideplane.daemonPid('dataplaned'), 'SIGCONT');
  await says(missing);
  await wideplane.stop();
});
