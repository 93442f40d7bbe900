// time-out: 200 s
// A member of a pool is local where a VLAN of the VLAN group has learned its MAC, and remote where the tunnel has: a machine moves from
// one data centre to the other, and its priority group follows at both.
//
//   fixed ──┐                                                            ┌── (vm, afterwards)
//           ├─ [ lan-1 ] ── e1 [ site-1 ] e0 ═══ e0 [ site-2 ] e1 ── [ lan-2 ]
//      vm ──┘               10.9.1.1                 10.9.1.2
//
//   fixed 172.16.0.10, vm 172.16.0.20, self IPs of the groups 172.16.0.1 and 172.16.0.2; lan-1 and lan-2: kernel bridges

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { addKernelBridge } from './harness/kernel-vxlan.ts';
import { connect, Namespace } from './harness/namespace.ts';
import { reach } from './harness/traffic.ts';
import { waitFor } from './harness/wait.ts';
import { ALL_DAEMONS, Wideplane } from './harness/wideplane.ts';

const [FIXED, VM, NOBODY] = ['172.16.0.10', '172.16.0.20', '172.16.0.30'];
const UNDERLAY = ['10.9.1.1', '10.9.1.2'] as const;
const INNER_MTU = 1500 - 36;
/** Seconds, of the monitor. */
const INTERVAL = 3;

const configuration = (side: 0 | 1): string => `
net interface 1.1 { device e0 }
net interface 1.2 { device e1 }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 }
net vlan machines { interfaces { 1.2 { untagged } } tag 10 }
net self wan-self { address ${UNDERLAY[side]}/24 vlan wan allow-service none }
net tunnels tunnel dc { local-address ${UNDERLAY[side]} remote-address ${UNDERLAY[1 - side]} profile etherip }
net vlan-group vm-net { bridge-traffic enabled members { machines dc } mode transparent }
net self vm-net-self { address 172.16.0.${side + 1}/24 vlan vm-net allow-service default }
ltm monitor virtual-location where { interval ${INTERVAL} timeout ${3 * INTERVAL + 1} pool machines-pool }
ltm pool machines-pool {
    members { ${FIXED}:80 { } ${VM}:80 { } ${NOBODY}:80 { } }
    min-active-members 1
    monitor where
}
`;

/** Priority groups by address, as a site shows them. */
async function groups(site: Wideplane): Promise<Record<string, number>> {
  const shown = await site.tmsh('show ltm pool machines-pool');
  const rows = shown.matchAll(/^(?:\/Common\/)?([\d.]+):80 +\S+ +\S+ .*? (\d+) +(?:yes|no) +(?:-|local|remote)/gm);
  return Object.fromEntries([...rows].map(([, address, group]) => [address!, Number(group)]));
}

it('a machine moves, and its priority group follows at both sites', async () => {
  const sites = [await Namespace.create('site-1'), await Namespace.create('site-2')] as const;
  const lans = [await Namespace.create('lan-1'), await Namespace.create('lan-2')] as const;
  await connect([sites[0], 'e0'], [sites[1], 'e0']);
  const fixed = await Namespace.create('fixed');
  const vm = await Namespace.create('vm');
  for (const index of [0, 1] as const) await connect([sites[index], 'e1'], [lans[index], 'site']);
  await connect([fixed, 'e0'], [lans[0], 'fixed']);
  await connect([vm, 'e0'], [lans[0], 'vm']);
  await addKernelBridge(lans[0], 'br0', ['site', 'fixed', 'vm']);
  await addKernelBridge(lans[1], 'br0', ['site']);
  for (const [host, address] of [
    [fixed, FIXED],
    [vm, VM],
  ] as const) {
    await host.ip('link', 'set', 'e0', 'mtu', String(INNER_MTU));
    await host.addAddress('e0', `${address}/24`);
    // A machine that says nothing by itself: it is found because it is asked.
    await host.sysctl({ 'net.ipv6.conf.e0.disable_ipv6': '1' });
  }
  const wideplanes = [
    await Wideplane.start(sites[0], configuration(0), { daemons: ALL_DAEMONS }),
    await Wideplane.start(sites[1], configuration(1), { daemons: ALL_DAEMONS }),
  ] as const;
  const [first, second] = wideplanes;
  const become = async (site: Wideplane, wanted: Record<string, number>): Promise<void> => {
    let last = {};
    await waitFor(
      `priority groups ${JSON.stringify(wanted)}`,
      3 * INTERVAL,
      async () => JSON.stringify((last = await groups(site))) === JSON.stringify(wanted),
      () => JSON.stringify(last) + site.log,
    );
  };
  for (const wideplane of wideplanes) {
    await waitFor('healthd answers', 10, () => wideplane.log.includes('healthd ready'));
  }
  await become(first, { [FIXED]: 2, [VM]: 2, [NOBODY]: 0 });
  await become(second, { [FIXED]: 1, [VM]: 1, [NOBODY]: 0 });
  assert.match(
    await first.tmsh('show ltm pool machines-pool'),
    /172\.16\.0\.20:80.* local: heard on VLAN \/Common\/machines$/m,
  );
  assert.match(
    await second.tmsh('show ltm pool machines-pool'),
    /172\.16\.0\.20:80.* remote: heard by tunnel \/Common\/dc$/m,
  );
  const unknown = await first.tmsh('show ltm pool machines-pool');
  assert.match(unknown, /172\.16\.0\.30:80 +unknown .*nobody has answered for it/);

  // It moves, and does not say so.
  await lans[0].ip('link', 'set', 'vm', 'netns', lans[1].name);
  await lans[1].ip('link', 'set', 'vm', 'master', 'br0');
  await lans[1].ip('link', 'set', 'vm', 'up');
  await Promise.all([
    become(first, { [FIXED]: 2, [VM]: 1, [NOBODY]: 0 }),
    become(second, { [FIXED]: 1, [VM]: 2, [NOBODY]: 0 }),
  ]);
  await reach(fixed, VM);
  const explained = await second.namespace.attempt(second.command('health', 'explain', `${VM}:80`));
  assert.match(explained.stdout, /priority group 2, local: heard on VLAN \/Common\/machines/);
  await second.says(/172\.16\.0\.20 is remote: [\s\S]*172\.16\.0\.20 is local: /);

  // And back again.
  await lans[1].ip('link', 'set', 'vm', 'netns', lans[0].name);
  await lans[0].ip('link', 'set', 'vm', 'master', 'br0');
  await lans[0].ip('link', 'set', 'vm', 'up');
  await Promise.all([
    become(first, { [FIXED]: 2, [VM]: 2, [NOBODY]: 0 }),
    become(second, { [FIXED]: 1, [VM]: 1, [NOBODY]: 0 }),
  ]);

  // dataplaned starts anew, and has to find everybody again; meanwhile they stay where they were heard last.
  await first.killDaemon('dataplaned');
  await become(first, { [FIXED]: 2, [VM]: 2, [NOBODY]: 0 });
  for (const wideplane of wideplanes) assert.equal(await wideplane.stop(), 0, wideplane.log);
});
