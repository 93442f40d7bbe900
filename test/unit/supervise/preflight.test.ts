import assert from 'node:assert/strict';
import { test } from 'node:test';
import { localAddress, type HostFacts, type LinkFact } from '../../../src/supervise/host-facts.ts';
import {
  devicesAbove,
  hostDeviceWarnings,
  refusal,
  takeoverWarnings,
  underlayMtuWarning,
} from '../../../src/supervise/preflight.ts';

const link = (name: string, ifindex: number, more: Partial<LinkFact> = {}): LinkFact => ({
  name,
  ifindex,
  mtu: 1500,
  up: true,
  loopback: false,
  master: undefined,
  parent: undefined,
  ...more,
});

const FACTS: HostFacts = {
  links: [
    link('lo', 1, { loopback: true }),
    link('eth0', 2),
    link('eth1', 3),
    link('eth2', 4, { master: 'br0' }),
    link('br0', 5),
    link('br0.7', 6, { parent: 'br0' }),
    link('eth3', 7),
  ],
  addresses: [
    { device: 'eth0', address: '192.0.2.1' },
    { device: 'eth1', address: '198.51.100.1' },
    { device: 'br0.7', address: '203.0.113.1' },
  ],
  defaultRoutes: [
    { device: 'eth0', family: 'IPv4' },
    { device: 'br0.7', family: 'IPv6' },
  ],
  sshAddress: '::ffff:198.51.100.1',
};

const refused = (device: string): string | undefined => refusal(FACTS, { interface: '1.1', device })?.message;

test('a device with the default route is refused, naming object, property, value and what to do', () => {
  assert.match(
    refused('eth0')!,
    /^property device, value eth0: carries the IPv4 default route of this host; .*--force/,
  );
});

test('the device of the SSH session is refused, IPv4-mapped addresses included', () => {
  assert.match(refused('eth1')!, /value eth1: carries your SSH session/);
});

test('a device under the one with the default route is refused', () => {
  assert.match(refused('eth2')!, /IPv6 default route of this host through br0\.7, which stands on it/);
  assert.deepEqual(devicesAbove(FACTS.links, 'eth2'), ['br0', 'br0.7']);
});

test('only what --force can mend is forcible', () => {
  assert.equal(refusal(FACTS, { interface: '1.1', device: 'eth0' })?.forcible, true);
  assert.equal(refusal(FACTS, { interface: '1.1', device: 'lo' })?.forcible, false);
  assert.equal(refusal(FACTS, { interface: '1.1', device: 'eth9' })?.forcible, false);
  assert.match(refused('eth9')!, /value eth9: there is no such device/);
});

test('any other device is taken', () => {
  assert.equal(refused('eth3'), undefined);
});

test('devices that stand on each other in a ring do not loop', () => {
  assert.deepEqual(devicesAbove([link('a', 1, { master: 'b' }), link('b', 2, { master: 'a' })], 'a'), ['b']);
});

test('the address of SSH_CONNECTION is the third word without its zone', () => {
  assert.equal(localAddress('203.0.113.9 50000 192.0.2.1 22'), '192.0.2.1');
  assert.equal(localAddress('fe80::2%eth0 50000 fe80::1%eth0 22'), 'fe80::1');
});

const request = { interface: '1.1', device: 'eth3' };
const harmless = { link: link('eth3', 7), rpFilter: 0, managedBy: undefined, blockedPorts: [] };

test('a device without troubles gives no warning', () => {
  assert.deepEqual(hostDeviceWarnings(request, { ...harmless, rpFilter: 2 }), []);
  assert.deepEqual(takeoverWarnings(FACTS.links, request, { ...harmless, rpFilter: 1 }), []);
});

test('each warning names its fix', () => {
  const warnings = hostDeviceWarnings(request, {
    ...harmless,
    rpFilter: 1,
    blockedPorts: [{ port: 4789, fix: 'nft insert rule' }],
  });
  assert.equal(warnings.length, 2);
  assert.match(warnings[0]!, /rp_filter is strict.*sysctl -w net\.ipv4\.conf\.eth3\.rp_filter=2/);
  assert.match(warnings[1]!, /drops UDP 4789.*fix: nft insert rule$/);
  const managed = takeoverWarnings(FACTS.links, request, { ...harmless, managedBy: 'NetworkManager' });
  assert.match(managed[0]!, /nmcli device set eth3 managed no/);
  assert.match(
    takeoverWarnings(FACTS.links, request, { ...harmless, managedBy: 'systemd-networkd' })[0]!,
    /Unmanaged=yes/,
  );
  const down = hostDeviceWarnings(request, { ...harmless, link: link('eth3', 7, { up: false }) });
  assert.match(down[0]!, /ip link set dev eth3 up/);
});

test('a device under a bridge is taken with a warning', () => {
  const bridged = [link('eth4', 8, { master: 'br1' }), link('br1', 9)];
  const warnings = takeoverWarnings(bridged, { interface: '1.2', device: 'eth4' }, { ...harmless, link: bridged[0]! });
  assert.match(warnings[0]!, /br1 of the kernel stands on it/);
});

test('an underlay that cannot carry full inner packets is named with the ways out', () => {
  const path = {
    ...{ tunnel: '/Common/t1', innerMtu: 1500, overheadOctets: 50 },
    ...{ vlan: '/Common/wan', vlanMtu: 1550, device: 'eth3', deviceMtu: 1550 },
  };
  assert.equal(underlayMtuWarning(path), undefined);
  assert.match(
    underlayMtuWarning({ ...path, deviceMtu: 1549 })!,
    /^net tunnels tunnel \/Common\/t1: .* need an underlay MTU of 1550, but VLAN \/Common\/wan on eth3 has 1549; fix: ip link set dev eth3 mtu 1550, or an MTU of 1499/,
  );
  assert.match(
    underlayMtuWarning({ ...path, vlanMtu: 1500, deviceMtu: 1500 })!,
    /fix: ip link set dev eth3 mtu 1550 and tmsh modify net vlan \/Common\/wan mtu 1550/,
  );
});
