// time-out: 600 s
// The life of the device of an interface with adapter tap, and what the host gave it (topology: harness/pair.ts).

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildPair } from './harness/pair.ts';
import { Namespace } from './harness/namespace.ts';
import { ping, reach } from './harness/traffic.ts';
import { waitFor } from './harness/wait.ts';
import { Wideplane } from './harness/wideplane.ts';

const PAIR = { ends: ['tap', 'tap'], underlay: 'udp', offloads: false, underlayMtu: 1500, udpChecksum: true } as const;
const CONFIGURATION = 'net interface 1.1 { device tap0 adapter tap }\nnet vlan v { interfaces { 1.1 { untagged } } }\n';

const links = (namespace: Namespace): Promise<string> => namespace.ip('-details', 'link', 'show');
const hasTap = async (namespace: Namespace, device = 'tap0'): Promise<boolean> =>
  (await links(namespace)).includes(` ${device}:`);

describe('the device of a tap interface', () => {
  it('is made with the MTU of the tunnel, its super-frames fitted to one send', async () => {
    const { sides } = await buildPair(PAIR);
    const text = await sides[0].site.ip('-details', 'link', 'show', 'dev', 'tap0');
    assert.match(text, /mtu 1450 /);
    await waitFor('the limits of super-frames', 5, async () =>
      /gso_max_segs 44\b/.test(await sides[0].site.ip('-details', 'link', 'show', 'dev', 'tap0')),
    );
    await sides[0].site.ip('link', 'set', 'tap0', 'mtu', '1300');
    await waitFor('other limits for another MTU', 5, async () =>
      /gso_max_segs 49\b/.test(await sides[0].site.ip('-details', 'link', 'show', 'dev', 'tap0')),
    );
    for (const { wideplane } of sides) assert.equal(await wideplane.stop(), 0, wideplane.log);
  });

  it('outlives a killed dataplaned with the addresses and routes of the host', async () => {
    const { sides } = await buildPair(PAIR);
    const [{ wideplane, site }, { address }] = sides;
    await reach(site, address);
    await site.ip('route', 'add', '198.51.100.0/24', 'via', address);
    const before = await site.ip('address', 'show', 'dev', 'tap0');
    await wideplane.killDaemon('dataplaned');
    await reach(site, address);
    const inet = (text: string): string[] => text.split('\n').filter((line) => line.includes('inet '));
    assert.deepEqual(inet(await site.ip('address', 'show', 'dev', 'tap0')), inet(before));
    assert.match(await site.ip('route', 'show'), /198\.51\.100\.0\/24 via/);
    for (const side of sides) assert.equal(await side.wideplane.stop(), 0, side.wideplane.log);
    for (const side of sides) assert.equal(await hasTap(side.site), false);
  });

  it('goes with its interface, and when up is killed', async () => {
    const site = await Namespace.create('site');
    const wideplane = await Wideplane.start(site, CONFIGURATION);
    await waitFor('the device', 5, () => hasTap(site));
    await wideplane.tmsh('modify net vlan v interfaces none');
    await wideplane.tmsh('delete net interface 1.1');
    await waitFor('no device', 5, async () => !(await hasTap(site)));
    await wideplane.tmsh('create net interface 1.1 device tap1 adapter tap');
    await waitFor('the new device', 5, () => hasTap(site, 'tap1'));
    wideplane.kill();
    await waitFor('no device', 5, async () => !(await hasTap(site, 'tap1')));
  });

  it('stays when the interface is disabled', async () => {
    const site = await Namespace.create('site');
    const wideplane = await Wideplane.start(site, CONFIGURATION);
    await waitFor('the device', 5, () => hasTap(site));
    await site.addAddress('tap0', '172.16.9.1/24');
    await wideplane.tmsh('modify net interface 1.1 disabled');
    await waitFor('no carrier', 5, async () => (await links(site)).includes('NO-CARRIER'));
    await wideplane.tmsh('modify net interface 1.1 enabled');
    await waitFor('the carrier', 5, async () => !(await links(site)).includes('NO-CARRIER'));
    assert.match(await site.ip('address', 'show', 'dev', 'tap0'), /172\.16\.9\.1\/24/);
    assert.equal(await wideplane.stop(), 0, wideplane.log);
  });

  it('that was there before is used, and left', async () => {
    const site = await Namespace.create('site');
    await site.ip('tuntap', 'add', 'dev', 'tap0', 'mode', 'tap');
    await site.addAddress('tap0', '172.16.9.1/24');
    await site.ip('link', 'set', 'tap0', 'mtu', '1400', 'up');
    const wideplane = await Wideplane.start(site, CONFIGURATION);
    await waitFor('the carrier', 5, async () => !(await links(site)).includes('NO-CARRIER'));
    assert.match(await wideplane.tmsh('show net interface 1.1'), /Status\s+up/);
    assert.equal(await wideplane.stop(), 0, wideplane.log);
    assert.match(await site.ip('address', 'show', 'dev', 'tap0'), /mtu 1400 [^]*172\.16\.9\.1\/24/);
  });

  it('has to be a TAP device, and the failure names it', async () => {
    const site = await Namespace.create('site');
    await site.ip('link', 'add', 'tap0', 'type', 'veth', 'peer', 'name', 'other');
    const wideplane = await Wideplane.start(site, CONFIGURATION);
    await waitFor(
      'the reason in the log',
      5,
      () => wideplane.log.includes('property device, value tap0: exists and is no TAP device'),
      () => wideplane.log,
    );
    assert.match(await links(site), / tap0@other/);
    assert.equal(await wideplane.stop(), 0, wideplane.log);
    assert.match(await links(site), / tap0@other/);
  });

  it('is a host of its VLAN: a self IP answers it, from a MAC that is not its own', async () => {
    const site = await Namespace.create('site');
    const self = 'net self s { address 172.16.9.254/24 vlan v allow-service none }\n';
    const wideplane = await Wideplane.start(site, CONFIGURATION + self);
    await waitFor('the device', 5, () => hasTap(site));
    await site.addAddress('tap0', '172.16.9.1/24');
    await reach(site, '172.16.9.254');
    const { received, text } = await ping(site, '172.16.9.254', { count: 3, size: 1400 });
    assert.equal(received, 3, text);
    const neighbours = await site.ip('neighbour', 'show', '172.16.9.254');
    assert.ok(!neighbours.includes(await site.mac('tap0')), neighbours);
    assert.equal(await wideplane.stop(), 0, wideplane.log);
  });
});
