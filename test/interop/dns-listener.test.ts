// time-out: 600 s
// DNS listeners under `wideplane up`: on addresses of the kernel, on self IPs of a VLAN and of tunnels in two route domains.
//
//   client ──── e1 [ site: wideplane ] e0 ════ e0 [ far: kernel VXLAN ]
//   10.1.0.2      10.1.0.1 VLAN inside          vx0   172.16.0.2
//                 vx1  172.16.0.1               vx5   172.16.0.2, in a namespace of its own [ far5 ]
//                 vx5  172.16.0.1%5000

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addKernelVxlan } from './harness/kernel-vxlan.ts';
import { connect, Namespace } from './harness/namespace.ts';
import { reach } from './harness/traffic.ts';
import { waitFor } from './harness/wait.ts';
import { Wideplane } from './harness/wideplane.ts';

const INSIDE = '10.1.0.1';
const INSIDE6 = '2001:db8:1::1';
const TUNNEL = '172.16.0.1';
const KERNEL = '198.51.100.53';

const ZONE = (address: string): string => `
gtm zone example.com {
    records {
        @/ns { data { ns1 } }
        @/soa { data { "ns1 hostmaster 1 7200 600 1209600 300" } }
        ns1/a { data { 192.0.2.53 } }
        www/a { data { ${address} } }
    }
}
`;

const CONFIGURATION = `
net interface 1.1 { device e0 }
net interface 1.2 { device e1 }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 }
net vlan inside { interfaces { 1.2 { untagged } } tag 4093 }
net self wan-self { address 10.9.1.1/24 vlan wan }
net tunnels tunnel vx1 { local-address 10.9.1.1 remote-address 10.9.1.2 key 100 profile vxlan }
net tunnels tunnel vx5 { local-address 10.9.1.1 remote-address 10.9.1.2 key 500 profile vxlan }
net route-domain 5000 { id 5000 vlans { vx5 } }
net self inside { address ${INSIDE}/24 vlan inside }
net self inside6 { address ${INSIDE6}/64 vlan inside }
net self tunnel { address ${TUNNEL}/24 vlan vx1 }
net self tunnel5 { address ${TUNNEL}%5000/24 vlan vx5 }
gtm listener kernel { address ${KERNEL} }
gtm listener inside { address ${INSIDE} }
gtm listener inside-tcp { address ${INSIDE} ip-protocol tcp }
gtm listener inside6 { address ${INSIDE6} }
gtm listener tunnel { address ${TUNNEL} }
gtm listener tunnel-tcp { address ${TUNNEL} ip-protocol tcp }
gtm listener tunnel5 { address ${TUNNEL}%5000 }
gtm listener tunnel5-tcp { address ${TUNNEL}%5000 ip-protocol tcp }
${ZONE('192.0.2.80')}
`;

type Lab = { site: Namespace; far: Namespace; far5: Namespace; client: Namespace; wideplane: Wideplane };

async function buildLab(): Promise<Lab> {
  const [site, far, far5, client] = await Promise.all(
    ['site', 'far', 'far5', 'client'].map((name) => Namespace.create(name)),
  );
  await connect([site!, 'e0'], [far!, 'e0']);
  await connect([client!, 'e0'], [site!, 'e1']);
  await client!.addAddress('e0', '10.1.0.2/24', '2001:db8:1::2/64');
  await site!.addAddress('lo', `${KERNEL}/32`);
  await far!.addAddress('e0', '10.9.1.2/24');
  await addKernelVxlan(far!, { vni: 100, local: '10.9.1.2', remote: '10.9.1.1', address: '172.16.0.2/24' });
  await addKernelVxlan(far!, { device: 'vx5', vni: 500, local: '10.9.1.2', remote: '10.9.1.1' });
  await far!.ip('link', 'set', 'vx5', 'netns', far5!.name);
  await far5!.ip('link', 'set', 'vx5', 'up');
  await far5!.addAddress('vx5', '172.16.0.2/24');
  const wideplane = await Wideplane.start(site!, CONFIGURATION, { daemons: ['dataplaned', 'dnsd'] });
  await reach(client!, INSIDE);
  await reach(far!, TUNNEL);
  await reach(far5!, TUNNEL);
  return { site: site!, far: far!, far5: far5!, client: client!, wideplane };
}

async function dig(namespace: Namespace, address: string, ...args: string[]): Promise<string> {
  const { stdout } = await namespace.attempt(['dig', '+time=3', '+tries=1', `@${address}`, ...args]);
  return stdout;
}

const short = async (namespace: Namespace, address: string, ...args: string[]): Promise<string> =>
  (await dig(namespace, address, '+short', ...args)).trim();

describe('DNS listeners', () => {
  it('answer on the kernel, a VLAN, and tunnels in two route domains, whatever port lockdown says', async () => {
    const { site, far, far5, client, wideplane } = await buildLab();
    await wideplane.dnsReady();
    assert.equal(await short(site, KERNEL, 'www.example.com'), '192.0.2.80');
    for (const [from, address] of [
      [client, INSIDE],
      [client, INSIDE6],
      [far, TUNNEL],
      [far5, TUNNEL],
    ] as const) {
      assert.equal(await short(from, address, 'www.example.com'), '192.0.2.80', `${from.name} ${address}`);
    }
    for (const [from, address] of [
      [client, INSIDE],
      [far, TUNNEL],
      [far5, TUNNEL],
    ] as const) {
      assert.equal(await short(from, address, '+tcp', 'www.example.com'), '192.0.2.80', `${from.name} ${address} tcp`);
    }
    const shown = await wideplane.tmsh('show gtm listener tunnel5');
    assert.match(shown, /Address +172\.16\.0\.1%5000\n/);
    assert.match(shown, /Status +up\n/);
    assert.match(shown, /Answered from zones +1\n/);
    assert.equal(await wideplane.stop(), 0);
  });

  it('follow the configuration, and outlive the death of every other daemon', async () => {
    const { client, far5, wideplane } = await buildLab();
    await wideplane.dnsReady();
    await wideplane.tmsh('modify gtm zone example.com records modify { www/a { data { 192.0.2.81 } } }');
    await wideplane.tmsh('show sys config status wait');
    assert.equal(await short(client, INSIDE, 'www.example.com'), '192.0.2.81');
    const soa = await short(client, INSIDE, 'example.com', 'SOA');
    assert.match(soa, / 2 7200 /, 'the serial has moved');
    // The kernel's listener answers whatever else dies.
    for (const daemon of ['configd', 'dataplaned'] as const) {
      process.kill(wideplane.daemonPid(daemon), 'SIGKILL');
      assert.equal(await short(wideplane.namespace, KERNEL, 'www.example.com'), '192.0.2.81', daemon);
      await wideplane.restarted(daemon, 1);
    }
    await waitFor(
      'the tunnel answers again',
      10,
      async () => (await short(far5, TUNNEL, 'www.example.com')) === '192.0.2.81',
    );
    // A restart of its own.
    await wideplane.killDaemon('dnsd');
    assert.equal(await short(client, INSIDE, 'www.example.com'), '192.0.2.81');
    assert.match(await short(client, INSIDE, 'example.com', 'SOA'), / 2 7200 /, 'the serial stays');
    assert.equal(await wideplane.stop(), 0);
  });

  it('take queries from rings where a listener says so, on every kind of address, and give them back', async () => {
    const { site, far5, client, wideplane } = await buildLab();
    await wideplane.dnsReady();
    // An address of the kernel on a device that is its own.
    await connect([site, 'e2'], [client, 'e2']);
    await site.addAddress('e2', '10.2.0.1/24');
    await client.addAddress('e2', '10.2.0.2/24');
    for (const command of [
      'create gtm listener own { address 10.2.0.1 engine ring }',
      'create gtm listener own-tcp { address 10.2.0.1 ip-protocol tcp }',
      'modify gtm listener inside { engine ring }',
      'modify gtm listener tunnel5 { engine ring }',
    ]) {
      await wideplane.tmsh(command);
    }
    assert.doesNotMatch(await wideplane.tmsh('show sys config status wait'), /Reason/);
    for (const [from, address, listener, device] of [
      [client, '10.2.0.1', 'own', 'e2'],
      [client, INSIDE, 'inside', 'wp-inside'],
      [far5, TUNNEL, 'tunnel5', 'wp-vx5'],
    ] as const) {
      assert.equal(await short(from, address, 'www.example.com'), '192.0.2.80', listener);
      const shown = await wideplane.tmsh(`show gtm listener ${listener}`);
      assert.match(shown, new RegExp(`Queries by ring on ${device}\n +Answered +1\n`), shown);
    }
    assert.equal(await short(client, '10.2.0.1', '+tcp', 'www.example.com'), '192.0.2.80');
    assert.match(await site.run(['nft', 'list', 'ruleset']), /wideplane_queries/);
    // By AF_XDP, and back to the socket.
    await wideplane.tmsh('modify gtm listener own ring-adapter af-xdp');
    assert.doesNotMatch(await wideplane.tmsh('show sys config status wait'), /Reason/);
    assert.equal(await short(client, '10.2.0.1', 'www.example.com'), '192.0.2.80', 'af-xdp');
    assert.match(await wideplane.tmsh('show gtm listener own'), /Queries by ring on e2\n +Answered +1\n/);
    await wideplane.killDaemon('dnsd');
    assert.equal(await short(client, '10.2.0.1', 'www.example.com'), '192.0.2.80', 'after a restart');
    assert.equal(await short(far5, TUNNEL, 'www.example.com'), '192.0.2.80', 'after a restart');
    await wideplane.tmsh('modify gtm listener inside { engine socket }');
    await wideplane.tmsh('delete gtm listener own');
    await wideplane.tmsh('show sys config status wait');
    assert.equal(await short(client, INSIDE, 'www.example.com'), '192.0.2.80', 'by its socket');
    wideplane.kill();
    await waitFor('no rule is left', 10, async () => (await site.run(['nft', 'list', 'ruleset'])).trim() === '');
  });
});
