// beside others
// The watcher against the kernel: what ip(8) changes is what it reports.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { formatPrefix, parsePrefix } from '../../src/core/address.ts';
import { loadAddon } from '../../src/native/addon.ts';
import { DeviceWatcher } from '../../src/net/device-watcher.ts';
import { NetlinkRequestError, NetlinkSocket } from '../../src/net/netlink-socket.ts';
import {
  addAddressRequest,
  dumpLinksRequest,
  dumpRoutesRequest,
  removeAddressRequest,
  setLinkRequest,
} from '../../src/wire/rtnetlink.ts';
import { eventually, ip, run } from '../lib/namespace.ts';

const loaded = loadAddon();
assert.ok(loaded.addon !== undefined, loaded.addon === undefined ? loaded.reason : '');
const { addon } = loaded;

let watcher: DeviceWatcher;
let socket: NetlinkSocket;
const events: string[] = [];

before(async () => {
  ip('link add name before type bridge');
  ip('address add 192.0.2.1/24 dev before');
  socket = new NetlinkSocket(addon);
  watcher = new DeviceWatcher(addon);
  watcher.on('appeared', (device) => events.push(`appeared ${device.name}`));
  watcher.on('changed', (device, was) => {
    const flag = (name: string, from: unknown, to: unknown): string => (from === to ? '' : ` ${name} ${String(to)}`);
    const up = flag('up', was.isUp, device.isUp) + flag('running', was.isRunning, device.isRunning);
    const rest = flag('mtu', was.mtu, device.mtu) + flag('master', was.master, device.master);
    events.push(`changed ${device.name}${up}${rest}`);
  });
  watcher.on('gone', (device) => events.push(`gone ${device.name}`));
  watcher.on('addressAdded', (device, address) => events.push(`added ${device.name} ${formatPrefix(address)}`));
  watcher.on('addressRemoved', (device, address) => events.push(`removed ${device.name} ${formatPrefix(address)}`));
  await watcher.start();
});
after(() => {
  watcher.close();
  socket.close();
});

/** The events so far that speak of a device, once the awaited one is among them. */
async function heard(device: string, awaited: string): Promise<string[]> {
  await eventually(`event "${awaited}"`, () => events.includes(awaited));
  return events.splice(0).filter((event) => event.split(' ')[1] === device);
}

test('start reports what is there', async () => {
  assert.deepEqual(await heard('before', 'added before 192.0.2.1/24'), [
    'appeared before',
    'added before 192.0.2.1/24',
  ]);
  const device = watcher.find('before')!;
  assert.equal(device.isUp, false);
  assert.equal(device.mtu, 1500);
  assert.equal(device.mac.length, 6);
  assert.equal(watcher.find('lo')?.isLoopback, true);
});

test('a device appears, comes up, changes, and is gone after its addresses', async () => {
  ip('link add name later type veth peer name peer');
  ip('link set dev peer up');
  ip('link set dev later mtu 9216');
  run('sysctl', '-qw', 'net.ipv6.conf.later.disable_ipv6=1');
  ip('link set dev later up');
  ip('address add 198.51.100.7/31 dev later');
  ip('link delete dev later');
  const all = await heard('later', 'gone later');
  assert.deepEqual(all, [
    'appeared later',
    'changed later mtu 9216',
    'changed later up true running true',
    'added later 198.51.100.7/31',
    'changed later up false running false',
    'removed later 198.51.100.7/31',
    'gone later',
  ]);
  assert.equal(watcher.find('later'), undefined);
});

test('a device that leaves a bridge is not gone', async () => {
  ip('link add name bridge type bridge');
  ip('link add name member type veth peer name other');
  ip('link set dev member master bridge');
  ip('link set dev member nomaster');
  await heard('member', 'changed member master 0');
  assert.notEqual(watcher.find('member'), undefined);
});

test('a renamed device is gone by its old name and appears by the new one, addresses included', async () => {
  ip('link set dev before name after');
  const all = await heard('after', 'added after 192.0.2.1/24');
  assert.ok(all.includes('appeared after'));
  assert.equal(watcher.find('before'), undefined);
});

test('requests change what they should, and a refusal names the errno', async () => {
  const { index } = watcher.find('after')!;
  const prefix = parsePrefix('203.0.113.9/28')!;
  await socket.request('set after up', (sequence) => setLinkRequest(sequence, index, true));
  await socket.request('add an address', (sequence) => addAddressRequest(sequence, index, prefix));
  assert.match(ip('address show dev after'), /UP.*inet 203\.0\.113\.9\/28/s);
  await heard('after', 'added after 203.0.113.9/28');
  await assert.rejects(
    socket.request('add an address', (sequence) => addAddressRequest(sequence, index, prefix)),
    (error) => error instanceof NetlinkRequestError && error.message === 'add an address: EEXIST',
  );
  ip('route add default via 203.0.113.1');
  const routes = await socket.request('list routes', (sequence) => dumpRoutesRequest(sequence, 4));
  const found = routes.find((route) => route.type === 'route' && route.destination.length === 0 && route.table === 254);
  assert.ok(found?.type === 'route' && found.outIndex === index);
  await socket.request('remove an address', (sequence) => removeAddressRequest(sequence, index, prefix));
  await heard('after', 'removed after 203.0.113.9/28');
});

test('a storm that overflows the socket is caught up with', async () => {
  // The event loop stands still here, so nothing is read while more is said than the socket holds.
  const names = Array.from({ length: 300 }, (_, index) => `storm${index}`);
  const lines = names.map((name) => `link add name ${name} type bridge`);
  for (let mtu = 1300; mtu < 1320; mtu++) lines.push(...names.map((name) => `link set dev ${name} mtu ${mtu}`));
  execFileSync('ip', ['-batch', '-'], { input: lines.join('\n') });
  await eventually('all devices with their last MTU', () => {
    const storm = watcher.devices.filter(({ name }) => name.startsWith('storm'));
    return storm.length === 300 && storm.every(({ mtu }) => mtu === 1319);
  });
});

test('two requests at once are answered one after the other', async () => {
  const [first, second] = await Promise.all([
    socket.request('list links', dumpLinksRequest),
    socket.request('list links', dumpLinksRequest),
  ]);
  assert.equal(first.length, second.length);
  assert.ok(first.length > 300);
});
