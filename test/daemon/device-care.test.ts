// The supervisor and devices, in namespaces of the kernel: what is taken is given back, whatever happens.
//
//   namespace hostN:  eth1 ── veth ── peer        (eth1 is what wideplane takes)
// time-out: 90 s

import assert from 'node:assert/strict';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { prepareDevice, retainDevices } from '../../src/supervise/device-client.ts';
import { eventually, makeState, removeState, run, RunningUp, type StartOptions } from './supervise/running-up.ts';

let namespaces = 0;
const made: string[] = [];
after(() => {
  for (const name of made) run('ip', 'netns', 'delete', name);
});

/** A namespace with eth1 and the other end of it, both up; returns its name and a way to run commands in it. */
function makeHost(): { name: string; ip: (words: string) => string; sh: (script: string) => string } {
  const name = `wideplane-care-${process.pid}-${++namespaces}`;
  run('ip', 'netns', 'add', name);
  made.push(name);
  const ip = (words: string): string => run('ip', '-n', name, ...words.split(' '));
  const sh = (script: string): string => run('ip', 'netns', 'exec', name, 'sh', '-c', script);
  ip('link set lo up');
  ip('link add eth1 type veth peer name peer');
  ip('link set eth1 up');
  ip('link set peer up');
  return { name, ip, sh };
}

type Host = ReturnType<typeof makeHost>;

/** Everything about a device that should be the same before and after. Life times run, so they are left out. */
function portrait(host: Host, device: string): string {
  const text = [
    host.ip(`-details address show dev ${device}`),
    host.ip(`-4 -details route show table all dev ${device}`),
    host.ip(`-6 -details route show table all dev ${device}`),
    host.sh(`cat /proc/sys/net/ipv6/conf/${device}/disable_ipv6`),
    host.sh('nft list ruleset'),
  ].join('\n');
  return text
    .replace(/(valid_lft|preferred_lft|expires) \d+sec/g, '$1 some time')
    .split('\n')
    .sort()
    .join('\n');
}

const isTentative = (host: Host): boolean => host.ip('address show').includes('tentative');

/** An eth1 with addresses and routes of every kind that is to be restored, after duplicate address detection. */
async function furnish(host: Host): Promise<string> {
  host.ip('address add 192.0.2.1/24 broadcast + label eth1:lab dev eth1');
  host.ip('address add 192.0.2.5/32 dev eth1');
  host.ip('address add 192.0.2.77/24 noprefixroute metric 5 dev eth1');
  host.ip('-6 address add 2001:db8::1/64 dev eth1 valid_lft 1000 preferred_lft 500');
  host.ip('route add 198.51.100.0/24 via 192.0.2.9 dev eth1 metric 7');
  host.ip('route add 203.0.113.0/24 via 192.0.2.9 dev eth1 table 100');
  host.ip('-6 route add 2001:db8:5::/48 via 2001:db8::9 dev eth1');
  await eventually('addresses settled', () => !isTentative(host));
  return portrait(host, 'eth1');
}

/** The portrait once the kernel has made its part of it again; it needs seconds for duplicate address detection. */
const sameAgain = (host: Host, before: string, device = 'eth1'): Promise<string> =>
  eventually(`${device} as it was:\n${before}\nnot:\n${portrait(host, device)}`, () => {
    const now = portrait(host, device);
    return now === before && now;
  });

async function withHost(
  options: StartOptions,
  body: (host: Host, up: RunningUp) => Promise<void>,
  prepare: (host: Host) => unknown = () => undefined,
): Promise<void> {
  const host = makeHost();
  await prepare(host);
  const state = makeState();
  const up = new RunningUp(state, { ...options, namespace: host.name });
  try {
    await up.ready();
    await body(host, up);
  } finally {
    up.signal('SIGTERM');
    await up.exit();
    removeState(state);
  }
}

const hasNoAddress = (host: Host): boolean => !host.ip('address show dev eth1').includes('inet');

test('a device is taken, frames stay from the kernel, and a stop gives it back exactly', async () => {
  const host = makeHost();
  const before = await furnish(host);
  const state = makeState();
  const up = new RunningUp(state, { namespace: host.name });
  await up.ready();
  assert.deepEqual(await prepareDevice(state, '1.1', 'eth1', 'wideplane'), { ok: true });
  assert.ok(hasNoAddress(host));
  assert.match(host.sh('nft list ruleset'), /table netdev wideplane_eth1_\d+ \{\s+chain ingress \{.*\n.*policy drop/);
  const journal = `${state}/supervisor/devices.json`;
  assert.equal(statSync(journal).mode & 0o777, 0o600);

  // The kernel counts what it receives on the device, but answers nothing.
  host.ip('address add 192.0.2.200/24 dev peer');
  assert.throws(() => host.sh('ping -c 1 -W 1 -I peer 192.0.2.1'));
  host.ip('address delete 192.0.2.200/24 dev peer');

  assert.deepEqual((await up.processes()).devices, [{ interface: '1.1', device: 'eth1' }]);
  assert.equal(await up.stop(), 0);
  await sameAgain(host, before);
  assert.deepEqual((JSON.parse(readFileSync(journal, 'utf8')) as { entries: unknown[] }).entries, []);
  removeState(state);
});

test('a device that was down and had IPv6 disabled is given back that way', async () => {
  const host = makeHost();
  host.ip('link set eth1 down');
  host.sh('echo 1 > /proc/sys/net/ipv6/conf/eth1/disable_ipv6');
  host.ip('address add 192.0.2.1/24 dev eth1');
  const before = portrait(host, 'eth1');
  const state = makeState();
  const up = new RunningUp(state, { namespace: host.name });
  await up.ready();
  assert.deepEqual(await prepareDevice(state, '1.1', 'eth1', 'wideplane'), { ok: true });
  assert.match(host.ip('link show dev eth1'), /[<,]UP[,>]/);
  await up.stop();
  await sameAgain(host, before);
  removeState(state);
});

/** Transmit offloads of eth1 that are on. */
function transmitOffloads(host: Host): string[] {
  const lines = host.sh('ethtool -k eth1').split('\n');
  return lines
    .filter((line) => /^\s*tx-\S*(?:checksum-ip-generic|segmentation): on$/.test(line))
    .map((line) => line.trim());
}

test('transmit offloads are switched off and on as it is wished, and given back', async () => {
  const host = makeHost();
  const state = makeState();
  const up = new RunningUp(state, { namespace: host.name });
  await up.ready();
  const before = transmitOffloads(host);
  assert.ok(
    before.includes('tx-checksum-ip-generic: on') && before.includes('tx-udp-segmentation: on'),
    String(before),
  );
  const prepare = (transmitOffloads: 'keep' | 'off') =>
    prepareDevice(state, '1.1', 'eth1', 'wideplane', { transmitOffloads });
  assert.deepEqual(await prepare('keep'), { ok: true });
  assert.deepEqual(transmitOffloads(host), before);
  assert.deepEqual(await prepare('off'), { ok: true });
  const off = transmitOffloads(host);
  assert.ok(!off.includes('tx-checksum-ip-generic: on') && !off.includes('tx-udp-segmentation: on'), String(off));
  assert.deepEqual(await prepare('off'), { ok: true });
  assert.deepEqual(transmitOffloads(host), off);
  assert.deepEqual(await prepare('keep'), { ok: true });
  assert.deepEqual(transmitOffloads(host), before);
  assert.deepEqual(await prepare('off'), { ok: true });
  await up.killAndVanish();
  await eventually('offloads as they were', () => transmitOffloads(host).join() === before.join());
  removeState(state);
});

test('receive offloads are switched off beside them, and given back', async () => {
  const host = makeHost();
  const state = makeState();
  host.sh('ethtool -K eth1 gro on');
  const up = new RunningUp(state, { namespace: host.name });
  await up.ready();
  const joins = (): boolean => host.sh('ethtool -k eth1').includes('generic-receive-offload: on');
  const before = transmitOffloads(host);
  const prepare = (transmitOffloads: 'keep' | 'off', receiveOffloads: 'keep' | 'off' | 'join-datagrams') =>
    prepareDevice(state, '1.1', 'eth1', 'wideplane', { transmitOffloads, receiveOffloads });
  assert.deepEqual(await prepare('keep', 'off'), { ok: true });
  assert.equal(joins(), false);
  assert.deepEqual(transmitOffloads(host), before);
  assert.deepEqual(await prepare('off', 'keep'), { ok: true });
  assert.equal(joins(), true);
  assert.notDeepEqual(transmitOffloads(host), before);
  assert.deepEqual(await prepare('off', 'off'), { ok: true });
  assert.equal(joins(), false);
  const joinsDatagrams = (): boolean => host.sh('ethtool -k eth1').includes('rx-udp-gro-forwarding: on');
  assert.deepEqual(await prepare('off', 'join-datagrams'), { ok: true });
  assert.deepEqual([joins(), joinsDatagrams()], [true, true]);
  assert.deepEqual(await prepare('off', 'off'), { ok: true });
  assert.deepEqual([joins(), joinsDatagrams()], [false, false]);
  assert.deepEqual(await prepare('off', 'join-datagrams'), { ok: true });
  await up.killAndVanish();
  await eventually('offloads as they were', () => joins() && transmitOffloads(host).join() === before.join());
  assert.equal(joinsDatagrams(), false);
  removeState(state);
});

test('kill -9 of up leaves no device change and no rule', async () => {
  const host = makeHost();
  const before = await furnish(host);
  const state = makeState();
  const up = new RunningUp(state, { namespace: host.name });
  await up.ready();
  assert.deepEqual(await prepareDevice(state, '1.1', 'eth1', 'wideplane'), { ok: true });
  assert.notEqual(portrait(host, 'eth1'), before);
  await up.killAndVanish();
  await sameAgain(host, before);
  removeState(state);
});

test('kill -9 of up and of its guardian: the next up gives the device back before anything else', async () => {
  const host = makeHost();
  const before = await furnish(host);
  const state = makeState();
  const first = new RunningUp(state, { namespace: host.name });
  await first.ready();
  assert.deepEqual(await prepareDevice(state, '1.1', 'eth1', 'wideplane'), { ok: true });
  const taken = portrait(host, 'eth1');
  const { daemons } = await first.processes();
  const guardian = first.family().find((pid) => pid !== first.pid && daemons.every((daemon) => daemon.pid !== pid));
  first.signal('SIGSTOP');
  process.kill(guardian!, 'SIGKILL');
  first.signal('SIGKILL');
  await first.exit();
  await eventually('all gone', () => first.family().length === 0);
  assert.equal(portrait(host, 'eth1'), taken);

  const second = new RunningUp(state, { namespace: host.name });
  await second.said(/^a former run was killed/);
  await second.said(/^device given back/);
  await sameAgain(host, before);
  assert.equal(await second.stop(), 0);
  removeState(state);
});

test('kill -9 of a daemon leaves the device taken', async () => {
  await withHost({}, async (host, up) => {
    assert.deepEqual(await prepareDevice(up.state, '1.1', 'eth1', 'wideplane'), { ok: true });
    const taken = portrait(host, 'eth1');
    const before = await up.daemon('dataplaned');
    process.kill(before, 'SIGKILL');
    await eventually('another dataplaned', async () => (await up.daemon('dataplaned')) !== before);
    assert.equal(portrait(host, 'eth1'), taken);
    assert.deepEqual(await prepareDevice(up.state, '1.1', 'eth1', 'wideplane'), { ok: true });
    assert.equal(portrait(host, 'eth1'), taken);
  });
});

test('a device whose interface was deleted is given back, the others stay', async () => {
  await withHost({}, async (host, up) => {
    host.ip('address add 192.0.2.1/24 dev eth1');
    host.ip('link add eth2 type veth peer name peer2');
    const before = portrait(host, 'eth1');
    assert.deepEqual(await prepareDevice(up.state, '1.1', 'eth1', 'wideplane'), { ok: true });
    assert.deepEqual(await prepareDevice(up.state, '1.2', 'eth2', 'wideplane'), { ok: true });
    await retainDevices(up.state, ['eth1', 'eth2']);
    assert.ok(hasNoAddress(host));
    await retainDevices(up.state, ['eth2']);
    assert.match(host.ip('address show dev eth1'), /192\.0\.2\.1\/24/);
    assert.match(host.sh('nft list ruleset'), /wideplane_eth2_/);
    await retainDevices(up.state, []);
    await sameAgain(host, before);
  });
});

test('the device of the default route is refused and not touched', async () => {
  await withHost(
    {},
    async (host, up) => {
      const before = portrait(host, 'eth1');
      const answer = await prepareDevice(up.state, '1.1', 'eth1', 'wideplane');
      assert.ok(!answer.ok);
      assert.match(
        answer.reason,
        /^property device, value eth1: carries the IPv4 default route .*another device.*--force/,
      );
      await up.said(/^net interface 1\.1: property device, value eth1: carries the IPv4 default route/);
      assert.equal(portrait(host, 'eth1'), before);
    },
    async (host) => {
      host.ip('address add 192.0.2.1/24 dev eth1');
      host.ip('route add default via 192.0.2.9');
      await eventually('addresses settled', () => !isTentative(host));
    },
  );
});

test('the port of a bridge with the default route is refused', async () => {
  await withHost(
    {},
    async (host, up) => {
      const answer = await prepareDevice(up.state, '1.1', 'eth1', 'wideplane');
      assert.ok(!answer.ok);
      assert.match(answer.reason, /default route of this host through br0, which stands on it/);
      assert.match(host.ip('link show dev eth1'), /master br0/);
    },
    (host) => {
      host.ip('link add br0 type bridge');
      host.ip('link set eth1 master br0');
      host.ip('link set br0 up');
      host.ip('address add 192.0.2.1/24 dev br0');
      host.ip('route add default via 192.0.2.9');
    },
  );
});

test("the device of the caller's SSH session is refused, also when sudo has emptied the environment", async () => {
  const furnishSsh = (host: Host): string => host.ip('address add 192.0.2.1/24 dev eth1');
  const SSH_CONNECTION = '192.0.2.50 50000 192.0.2.1 22';
  await withHost(
    { environment: { SSH_CONNECTION } },
    async (_host, up) => {
      const answer = await prepareDevice(up.state, '1.1', 'eth1', 'wideplane');
      assert.match(answer.ok ? '' : answer.reason, /carries your SSH session \(address 192\.0\.2\.1\)/);
    },
    furnishSsh,
  );
  // A shell with the variable starts one without it, as sudo does.
  const prefix = ['env', `SSH_CONNECTION=${SSH_CONNECTION}`, 'sh', '-c', 'env -u SSH_CONNECTION "$@"; exit $?', 'sudo'];
  const host = makeHost();
  furnishSsh(host);
  const state = makeState();
  const up = new RunningUp(state, { namespace: host.name, prefix });
  await up.ready();
  const answer = await prepareDevice(state, '1.1', 'eth1', 'wideplane');
  assert.match(answer.ok ? '' : answer.reason, /carries your SSH session/);
  const supervisor = up.family().find((pid) => {
    const [program, script] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return program === process.execPath && script!.includes('up-of-fakes');
  });
  process.kill(supervisor!, 'SIGTERM');
  assert.equal(await up.exit(), 0);
  removeState(state);
});

test('--force takes the device of the default route, and gives the route back', async () => {
  const host = makeHost();
  host.ip('address add 192.0.2.1/24 dev eth1');
  host.ip('route add default via 192.0.2.9');
  await eventually('addresses settled', () => !isTentative(host));
  const before = portrait(host, 'eth1');
  const state = makeState();
  const up = new RunningUp(state, { namespace: host.name, force: true });
  await up.ready();
  assert.deepEqual(await prepareDevice(state, '1.1', 'eth1', 'wideplane'), { ok: true });
  assert.equal((await up.said(/default route.*: forced$/)).level, 'warn');
  assert.ok(hasNoAddress(host));
  assert.equal(await up.stop(), 0);
  await sameAgain(host, before);
  removeState(state);
});

test('a device that is deleted and made again is prepared anew', async () => {
  await withHost({}, async (host, up) => {
    assert.deepEqual(await prepareDevice(up.state, '1.1', 'eth1', 'wideplane'), { ok: true });
    host.ip('link delete eth1');
    const gone = await prepareDevice(up.state, '1.1', 'eth1', 'wideplane');
    assert.match(gone.ok ? '' : gone.reason, /value eth1: there is no such device/);
    host.ip('link add eth1 type veth peer name peer');
    host.ip('address add 192.0.2.1/24 dev eth1');
    assert.deepEqual(await prepareDevice(up.state, '1.1', 'eth1', 'wideplane'), { ok: true });
    assert.ok(hasNoAddress(host));
    assert.equal(host.sh('nft list tables').trim().split('\n').length, 1);
    assert.equal((await up.processes()).devices.length, 1);
  });
});

test('a device that another up has is refused', async () => {
  await withHost({}, async (host, up) => {
    assert.deepEqual(await prepareDevice(up.state, '1.1', 'eth1', 'wideplane'), { ok: true });
    const taken = portrait(host, 'eth1');
    const other = new RunningUp(makeState(), { namespace: host.name });
    await other.ready();
    const answer = await prepareDevice(other.state, '1.1', 'eth1', 'wideplane');
    assert.match(answer.ok ? '' : answer.reason, /value eth1: another "wideplane up" has it; stop that one/);
    assert.equal(await other.stop(), 0);
    removeState(other.state);
    assert.equal(portrait(host, 'eth1'), taken);
  });
});

test('a firewall that is loaded anew does not give the frames to the kernel for long', async () => {
  await withHost({}, async (host, up) => {
    assert.deepEqual(await prepareDevice(up.state, '1.1', 'eth1', 'wideplane'), { ok: true });
    const rules = host.sh('nft list ruleset');
    host.sh('nft flush ruleset');
    host.ip('address add 192.0.2.1/24 dev eth1');
    await up.said(/somebody removed the nft table wideplane_eth1_\d+; it is there again/, 15_000);
    assert.equal(host.sh('nft list ruleset'), rules);
    await up.said(/somebody gave it the address 192\.0\.2\.1.*fix: ip address flush dev eth1/);
    assert.match(host.ip('address show dev eth1'), /192\.0\.2\.1/);
  });
});

test('with address-owner host nothing is changed, and what will eat the traffic is named', async () => {
  await withHost(
    {},
    async (host, up) => {
      const before = portrait(host, 'eth1');
      assert.deepEqual(await prepareDevice(up.state, '1.1', 'eth1', 'host'), { ok: true });
      await up.said(/rp_filter is strict.*fix: sysctl -w net\.ipv4\.conf\.eth1\.rp_filter=2/);
      const warning = await up.said(/drops UDP 4789.*fix: /);
      assert.equal(portrait(host, 'eth1'), before);

      // The fixes that were named do what they promise.
      host.sh('sysctl -qw net.ipv4.conf.eth1.rp_filter=2');
      host.sh(warning.msg.split('fix: ')[1]!);
      up.log.length = 0;
      const second = new RunningUp(makeState(), { namespace: host.name });
      await second.ready();
      assert.deepEqual(await prepareDevice(second.state, '1.1', 'eth1', 'host'), { ok: true });
      assert.deepEqual(
        second.log.filter(({ level, daemon }) => level === 'warn' && daemon === 'supervisor'),
        [],
      );
      await second.stop();
      removeState(second.state);
    },
    async (host) => {
      host.ip('address add 192.0.2.1/24 dev eth1');
      host.sh('sysctl -qw net.ipv4.conf.eth1.rp_filter=1');
      host.sh(`nft 'add table inet lab; add chain inet lab in { type filter hook input priority 0; policy drop; }'`);
      await eventually('addresses settled', () => !isTentative(host));
    },
  );
});

test('a journal of another boot or of another account is not replayed', async () => {
  const host = makeHost();
  const state = makeState();
  const first = new RunningUp(state, { namespace: host.name });
  await first.ready();
  await prepareDevice(state, '1.1', 'eth1', 'wideplane');
  const journal = readFileSync(`${state}/supervisor/devices.json`, 'utf8');
  await first.stop();

  const file = `${state}/supervisor/devices.json`;
  writeFileSync(file, journal.replace(/"bootId": "[^"]+"/, '"bootId": "another"'));
  const second = new RunningUp(state, { namespace: host.name });
  await second.ready();
  assert.deepEqual((await second.processes()).devices, []);
  await second.stop();

  rmSync(file);
  writeFileSync(file, journal);
  run('chown', 'nobody', file);
  const third = new RunningUp(state, { namespace: host.name });
  await third.said(/device journal .* cannot be used: it belongs to another account/);
  await third.ready();
  assert.deepEqual((await third.processes()).devices, []);
  await third.stop();
  removeState(state);
});
