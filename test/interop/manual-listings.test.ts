// time-out: 600 s
// The manual's two sample listings, typed in as they are printed: a VLAN of today's network reaches networks behind two tunnel
// endpoints, by routes of route domain 5000 and static ARP and FDB entries.
//
//                                                                    ┌─ 10.1.2.1 [ 10.3.3.2, host 10.5.5.2 ]
//   host 10.4.4.2 ── 2.1 [ wideplane ] 1.1 ─── 10.1.1.254 [ router ] ┤
//                    10.4.4.1      10.1.1.1                          └─ 10.1.3.1 [ 10.3.3.3, host 10.6.6.2 ]
//
// VXLAN: the router and both ends are namespaces. NVGRE: all three are a guest, its kernel's gretap devices in namespaces there.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { Guest } from './harness/guest.ts';
import { addKernelGre, nvgreKey } from './harness/kernel-gre.ts';
import { addKernelVxlan } from './harness/kernel-vxlan.ts';
import { connect, type PlugOptions, Namespace } from './harness/namespace.ts';
import { Iperf3Server, ping, reach } from './harness/traffic.ts';
import { Wideplane } from './harness/wideplane.ts';

const KEY = 5000;
const HOST = '10.4.4.2';
/** The listings give the underlay 1550 octets. */
const UNDERLAY_MTU = 1550;
const JUMBO: PlugOptions = { mtu: UNDERLAY_MTU };

const ENDS = [
  { endpoint: '10.1.2.1', overlay: '10.3.3.2', mac: '00:ff:0a:03:03:02', network: '10.5.5.0/24', host: '10.5.5.2' },
  { endpoint: '10.1.3.1', overlay: '10.3.3.3', mac: '00:ff:0a:03:03:03', network: '10.6.6.0/24', host: '10.6.6.2' },
] as const;

/** What the listings do not say: which devices the interfaces are, and the way to endpoints behind a router. */
const DEVICES = `
create net interface 1.1 device e0 adapter packet-ring
create net interface 2.1 device e1 adapter packet-ring
`;
const WAY = 'create net route underlay network 10.1.0.0/16 gw 10.1.1.254';

const listing = (name: string): string => readFileSync(`test/fixtures/manual/${name}.tmsh`, 'utf8');

async function buildHost(site: Namespace): Promise<Namespace> {
  const host = await Namespace.create('host');
  await connect([host, 'e0'], [site, 'e1']);
  await host.addAddress('e0', `${HOST}/24`);
  await host.ip('route', 'add', 'default', 'via', '10.4.4.1');
  return host;
}

/** Types the listing into a running wideplane, through standard input as a paste would come. */
async function paste(wideplane: Wideplane, text: string): Promise<void> {
  const { status, stdout, stderr } = await wideplane.namespace.attempt(wideplane.command('tmsh'), { input: text });
  assert.equal(status, 0, stdout + stderr);
}

async function exercise(host: Namespace, wideplane: Wideplane, mtu: number): Promise<void> {
  for (const end of ENDS) {
    await reach(host, end.host);
    for (const size of [56, mtu - 28, 8000]) {
      const { sent, received, text } = await ping(host, end.host, { size, count: 3 });
      assert.equal(received, sent, `${size} octets to ${end.host}\n${text}`);
    }
    const { text } = await ping(host, end.host, { count: 1 });
    assert.match(text, /ttl=63/, 'one router on the way back');
  }
  // Networks that no route of the domain names, among them those of the underlay, are not reached from it.
  for (const elsewhere of ['10.7.7.7', '10.1.1.254', '10.1.1.1']) {
    assert.equal((await ping(host, elsewhere, { count: 2 })).received, 0, elsewhere);
  }
  const rows = await wideplane.show('net arp');
  const neighbours = JSON.stringify(rows.flatMap(({ table }) => table?.rows ?? []));
  for (const { overlay, mac } of ENDS) assert.ok(neighbours.includes(`${overlay}%5000`) && neighbours.includes(mac));
}

describe('the sample listings of the manual', () => {
  it('VXLAN unicast: hosts of the legacy VLAN reach the networks behind both endpoints', async () => {
    const site = await Namespace.create('site');
    const host = await buildHost(site);
    const router = await Namespace.create('router');
    await connect([site, 'e0'], [router, 'e0'], JUMBO);
    await router.addAddress('e0', '10.1.1.254/24');
    await router.sysctl({ 'net.ipv4.ip_forward': '1' });
    const servers: Iperf3Server[] = [];
    for (const [index, { endpoint, overlay, mac, host: inner }] of ENDS.entries()) {
      const end = await Namespace.create(`end-${index}`);
      await connect([end, 'e0'], [router, `e${index + 1}`], JUMBO);
      const gateway = `${endpoint.slice(0, -1)}254`;
      await end.addAddress('e0', `${endpoint}/24`);
      await router.addAddress(`e${index + 1}`, `${gateway}/24`);
      await end.ip('route', 'add', 'default', 'via', gateway);
      const vxlan = await addKernelVxlan(end, { vni: KEY, local: endpoint, remote: '10.1.1.1', mtu: 1500 });
      await end.ip('link', 'set', vxlan, 'address', mac);
      await end.addAddress(vxlan, `${overlay}/24`);
      await end.addAddress('lo', `${inner}/32`);
      await end.ip('route', 'add', '10.4.4.0/24', 'via', '10.3.3.1', 'src', inner);
      servers.push(await Iperf3Server.start(end, inner));
    }
    const wideplane = await Wideplane.start(site, '');
    await paste(wideplane, DEVICES + listing('vxlan-unicast') + WAY);
    await exercise(host, wideplane, 1500);
    for (const server of servers) {
      const { bitsPerSecond } = await server.measure(host, { seconds: 1 });
      assert.ok(bitsPerSecond > 1e6, `${server.address}: ${bitsPerSecond} bit/s`);
    }
    assert.equal(await wideplane.stop(), 0, wideplane.log);
  });

  it('NVGRE: hosts of the legacy VLAN reach the networks behind both endpoints', async () => {
    const site = await Namespace.create('site');
    const host = await buildHost(site);
    const guest = await Guest.start(site, { mtu: UNDERLAY_MTU });
    await guest.addAddress('eth0', '10.1.1.254/24');
    for (const [index, { endpoint, overlay, mac, host: inner }] of ENDS.entries()) {
      await guest.addAddress('eth0', `${endpoint}/32`);
      const [name, device] = [`end-${index}`, `nvgre${index}`];
      const key = nvgreKey(KEY, 0);
      await addKernelGre(guest, { type: 'gretap', device, local: endpoint, remote: '10.1.1.1', key, mtu: 1500 });
      // Its outer packets stay where the device was made; its frames go to a namespace.
      await guest.ip('netns', 'add', name);
      await guest.ip('link', 'set', device, 'address', mac, 'netns', name);
      await guest.ip('-n', name, 'link', 'set', 'lo', 'up');
      await guest.ip('-n', name, 'link', 'set', device, 'up');
      await guest.ip('-n', name, 'address', 'add', `${overlay}/24`, 'dev', device);
      await guest.ip('-n', name, 'address', 'add', `${inner}/32`, 'dev', 'lo');
      await guest.ip('-n', name, 'route', 'add', '10.4.4.0/24', 'via', '10.3.3.1', 'src', inner);
    }
    const wideplane = await Wideplane.start(site, '');
    await paste(wideplane, DEVICES + listing('nvgre') + WAY);
    await exercise(host, wideplane, 1500);
    const server = await Iperf3Server.start(host, HOST);
    for (const [index] of ENDS.entries()) {
      const argv = ['ip', 'netns', 'exec', `end-${index}`, 'iperf3', '--client', HOST, '--time', '1', '--json'];
      const report = JSON.parse(await guest.run(argv)) as { end: { sum_received: { bits_per_second: number } } };
      assert.ok(report.end.sum_received.bits_per_second > 1e6);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    await server.stop();
    assert.equal(await wideplane.stop(), 0, wideplane.log);
  });
});
