// Links go down and come back, devices are deleted and made again (topology: harness/site.ts).

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { connect } from './harness/namespace.ts';
import { buildSite, HOST_A, HOST_B, SITE_ADDRESS } from './harness/site.ts';
import { ping, reach } from './harness/traffic.ts';
import { waitFor } from './harness/wait.ts';

/** How often the log says this since the text was this long. */
const mentions = (log: string, from: number, text: string): number => log.slice(from).split(text).length - 1;

it('packet-ring: a link goes down and comes back, said once each time', async () => {
  const site = await buildSite();
  const { wideplane } = site;
  await reach(site.hostA, HOST_B);
  for (const device of ['e1', 'e0']) {
    const from = wideplane.log.length;
    await site.site.ip('link', 'set', device, 'down');
    await waitFor('the loss in the log', 3, () => Promise.resolve(mentions(wideplane.log, from, 'is down') > 0));
    await site.site.ip('link', 'set', device, 'up');
    await reach(site.hostA, HOST_B);
    assert.equal(mentions(wideplane.log, from, `the link of ${device} is down`), 1, wideplane.log);
    assert.equal(mentions(wideplane.log, from, `the link of ${device} is up again`), 1, wideplane.log);
  }
  await wideplane.stop();
});

it('packet-ring: the device of a VLAN is deleted and made again', async () => {
  const site = await buildSite();
  const { wideplane } = site;
  await reach(site.hostA, HOST_B);
  const from = wideplane.log.length;
  await site.site.ip('link', 'del', 'e1');
  await waitFor('the loss in the log', 3, () => Promise.resolve(mentions(wideplane.log, from, 'e1') > 0));
  const shown = await wideplane.tmsh('show net interface 1.2');
  assert.match(shown, /Status\s+missing/);
  await connect([site.hostA, 'e0'], [site.site, 'e1'], { offloads: false, mtu: site.options.underlayMtu });
  await site.hostA.ip('link', 'set', 'e0', 'mtu', String(site.innerMtu));
  await site.hostA.addAddress('e0', `${HOST_A}/24`);
  await reach(site.hostA, HOST_B);
  assert.equal(mentions(wideplane.log, from, 'port 1.2: device e1 does not exist'), 1, wideplane.log);
  const { received } = await ping(site.hostA, HOST_B, { count: 5 });
  assert.equal(received, 5);
  await wideplane.stop();
});

it('udp: the kernel takes the address away and gives it back; wideplane waits and never adds it', async () => {
  const site = await buildSite({ adapter: 'udp' });
  const { wideplane } = site;
  await reach(site.hostA, HOST_B);
  const from = wideplane.log.length;
  await site.site.ip('addr', 'del', `${SITE_ADDRESS}/24`, 'dev', 'e0');
  await waitFor('the loss in the log', 3, () => Promise.resolve(mentions(wideplane.log, from, SITE_ADDRESS) > 0));
  assert.match(await wideplane.tmsh('show net self wan-self'), /waiting for the address/);
  assert.doesNotMatch(await site.site.ip('addr', 'show', 'dev', 'e0'), /inet 10\.9\.1\.1/);
  await site.site.addAddress('e0', `${SITE_ADDRESS}/24`);
  await reach(site.hostA, HOST_B);
  await wideplane.stop();
});
