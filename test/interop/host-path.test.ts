// time-out: 900 s
// Ordinary sockets on self IPs: of a VLAN, of a tunnel, and of a tunnel in a route domain of its own.
//
//   host-a ──── e1 [ site: wideplane ] e0 ════ e0 [ far: kernel VXLAN ] ──── e0 [ beyond ]
//   10.1.0.2      10.1.0.1      10.9.1.1          10.9.1.2                     198.51.100.7
//                 VLAN inside   VLAN wan          vx0   172.16.0.2
//                 vx1  172.16.0.1
//                 vx5  172.16.0.1%5000            vx5   172.16.0.2, in a namespace of its own [ far5 ]

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Capture, findComplaints, readFields } from './harness/capture.ts';
import { addKernelVxlan } from './harness/kernel-vxlan.ts';
import { connect, makeDirectory, Namespace } from './harness/namespace.ts';
import { type Program, run } from './harness/program.ts';
import { Iperf3Server, ping, reach } from './harness/traffic.ts';
import { delay, waitFor } from './harness/wait.ts';
import { Wideplane } from './harness/wideplane.ts';

const SESSION = fileURLToPath(new URL('./harness/programs/tcp-session.js', import.meta.url));

const SELF = { inside: '10.1.0.1', tunnel: '172.16.0.1', inside6: '2001:db8:1::1', tunnel6: '2001:db8:16::1' } as const;
const [HOST_A, HOST_A6] = ['10.1.0.2', '2001:db8:1::2'];
const [FAR, FAR6] = ['172.16.0.2', '2001:db8:16::2'];
const BEYOND = '198.51.100.7';
const OFF_LINK = '203.0.113.7';
const WEB = 8080;

const CONFIGURATION = `
net interface 1.1 { device e0 }
net interface 1.2 { device e1 }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 }
net vlan inside { interfaces { 1.2 { untagged } } tag 4093 }
net self wan-self { address 10.9.1.1/24 vlan wan }
net tunnels tunnel vx1 { local-address 10.9.1.1 remote-address 10.9.1.2 key 100 profile vxlan }
net self inside { address ${SELF.inside}/24 vlan inside allow-service { tcp:${WEB} tcp:7000 tcp:5201 } }
net self inside6 { address ${SELF.inside6}/64 vlan inside allow-service { tcp:${WEB} } }
net self tunnel { address ${SELF.tunnel}/24 vlan vx1 allow-service { tcp:${WEB} tcp:5201 udp:5201 } }
net self tunnel6 { address ${SELF.tunnel6}/64 vlan vx1 allow-service { tcp:${WEB} } }
net route beyond { network 198.51.100.0/24 gw ${FAR} }
`;

type Lab = { site: Namespace; far: Namespace; hostA: Namespace; beyond: Namespace; wideplane: Wideplane };

async function buildLab(offloads = false, configuration = CONFIGURATION): Promise<Lab> {
  const [site, far, hostA, beyond] = await Promise.all(
    ['site', 'far', 'host-a', 'beyond'].map((name) => Namespace.create(name)),
  );
  await connect([site!, 'e0'], [far!, 'e0'], { offloads });
  await connect([hostA!, 'e0'], [site!, 'e1'], { offloads });
  await connect([beyond!, 'e0'], [far!, 'e1'], { offloads });
  await hostA!.addAddress('e0', `${HOST_A}/24`, `${HOST_A6}/64`);
  await far!.addAddress('e0', '10.9.1.2/24');
  await addKernelVxlan(far!, { vni: 100, local: '10.9.1.2', remote: '10.9.1.1', address: `${FAR}/24` });
  await far!.addAddress('vx0', `${FAR6}/64`);
  await far!.sysctl({ 'net.ipv4.ip_forward': '1' });
  await far!.addAddress('e1', '198.51.100.1/24');
  await beyond!.addAddress('e0', `${BEYOND}/24`);
  await beyond!.ip('route', 'add', 'default', 'via', '198.51.100.1');
  const wideplane = await Wideplane.start(site!, configuration);
  await reach(hostA!, SELF.inside);
  await reach(far!, SELF.tunnel);
  return { site: site!, far: far!, hostA: hostA!, beyond: beyond!, wideplane };
}

/** A web server; resolves when it listens. */
async function serve(namespace: Namespace, address: string, port = WEB): Promise<Program> {
  const server = namespace.start(['python3', '-u', '-m', 'http.server', String(port), '--bind', address]);
  await server.expect(/Serving HTTP/, 5);
  return server;
}

const url = (address: string, port: number): string =>
  `http://${address.includes(':') ? `[${address}]` : address}:${port}/`;

/** Exit status of curl: 0, or 28 when nobody answers. */
async function fetchFrom(namespace: Namespace, address: string, port = WEB, local?: string): Promise<number> {
  const how = [
    '--silent',
    '--max-time',
    '3',
    '--output',
    '/dev/null',
    ...(local === undefined ? [] : ['--interface', local]),
  ];
  return (await namespace.attempt(['curl', ...how, url(address, port)])).status;
}

const NO_ANSWER = 28;

/** Everything of the host that a host path may touch. */
async function portrait(site: Namespace): Promise<string> {
  const parts = await Promise.all([
    site.ip('-brief', 'link'),
    site.ip('-4', 'rule'),
    site.ip('-6', 'rule'),
    site.ip('-4', 'route', 'show', 'table', 'all'),
    site.run(['nft', 'list', 'tables']),
  ]);
  return parts.join('\n');
}

describe('sockets on self IPs', () => {
  it('are reached on a VLAN and on a tunnel, over both IP versions, where allow-service lets them be', async () => {
    const { site, far, hostA, wideplane } = await buildLab();
    for (const address of Object.values(SELF)) await serve(site, address);
    await serve(site, SELF.inside, 22);
    await serve(site, SELF.tunnel, 22);
    const file = `${makeDirectory('capture')}/inside.pcap`;
    const capture = await Capture.start(hostA, 'e0', file);
    assert.equal(await fetchFrom(hostA, SELF.inside), 0);
    assert.equal(await fetchFrom(hostA, SELF.inside6), 0);
    assert.equal(await fetchFrom(far, SELF.tunnel), 0);
    assert.equal(await fetchFrom(far, SELF.tunnel6), 0);
    assert.equal(await fetchFrom(hostA, SELF.inside, 22), NO_ANSWER);
    assert.equal(await fetchFrom(far, SELF.tunnel, 22), NO_ANSWER);
    await capture.stop(10);
    assert.deepEqual(await findComplaints(file), []);
    const refusals = await readFields(file, 'tcp.flags.reset == 1 && tcp.port == 22', ['frame.number']);
    assert.deepEqual(refusals, [], 'port lockdown is silent');
    const [vlan] = await wideplane.show('net vlan', 'inside');
    const [tunnel] = await wideplane.show('net tunnels tunnel', 'vx1');
    assert.ok(Number(vlan?.drops?.['port-lockdown']) >= 2, JSON.stringify(vlan));
    assert.ok(Number(tunnel?.drops?.['port-lockdown']) >= 2, JSON.stringify(tunnel));

    await wideplane.tmsh('modify net self inside allow-service { tcp:ssh }');
    assert.equal(await fetchFrom(hostA, SELF.inside, 22), 0);
    assert.equal(await fetchFrom(hostA, SELF.inside), NO_ANSWER);
    assert.equal(await wideplane.stop(), 0, wideplane.log);
  });

  it('reach hosts behind a VLAN, behind a tunnel and behind a router, whatever allow-service says', async () => {
    const { site, far, hostA, beyond, wideplane } = await buildLab();
    for (const name of ['inside', 'inside6', 'tunnel', 'tunnel6']) {
      await wideplane.tmsh(`modify net self ${name} allow-service none`);
    }
    for (const [namespace, address] of [
      [hostA, HOST_A],
      [hostA, HOST_A6],
      [far, FAR],
      [far, FAR6],
      [beyond, BEYOND],
    ] as const) {
      await serve(namespace, address);
      const { received, text } = await ping(site, address, { count: 3 });
      assert.equal(received, 3, text);
      assert.equal(await fetchFrom(site, address), 0, address);
    }
    // By another domain than that of its address.
    assert.equal(await fetchFrom(site, FAR, WEB, SELF.inside), NO_ANSWER, 'far has no way back to that network');
    await far.ip('route', 'add', '10.1.0.0/24', 'via', SELF.tunnel);
    assert.equal(await fetchFrom(site, FAR, WEB, SELF.inside), 0);
    const unreachable = await site.attempt(['ping', '-c', '1', '-W', '3', '-I', SELF.inside, OFF_LINK]);
    assert.match(unreachable.stdout, new RegExp(`From ${SELF.inside} .*Destination Net Unreachable`));
    assert.equal(await wideplane.stop(), 0, wideplane.log);
  });

  it('answer a client that no route leads to by its last hop, unless that is off', async () => {
    const { site, hostA, wideplane } = await buildLab();
    await serve(site, SELF.inside);
    await hostA.addAddress('lo', `${OFF_LINK}/32`);
    assert.equal(await fetchFrom(hostA, SELF.inside, WEB, OFF_LINK), 0);
    await wideplane.tmsh('modify net vlan inside auto-lasthop disabled');
    assert.equal(await fetchFrom(hostA, SELF.inside, WEB, OFF_LINK), NO_ANSWER);
    await wideplane.tmsh(`create net route back { network 203.0.113.0/24 gw ${HOST_A} }`);
    assert.equal(await fetchFrom(hostA, SELF.inside, WEB, OFF_LINK), 0);
    await wideplane.tmsh('delete net route back');
    await wideplane.tmsh('modify net vlan inside auto-lasthop default');
    assert.equal(await fetchFrom(hostA, SELF.inside, WEB, OFF_LINK), 0);
    await wideplane.tmsh('modify sys db connection.autolasthop value disable');
    assert.equal(await fetchFrom(hostA, SELF.inside, WEB, OFF_LINK), NO_ANSWER);
    assert.equal(await wideplane.stop(), 0, wideplane.log);
  });

  for (const offloads of [false, true]) {
    it(`carry bulk TCP and UDP both ways, offloads ${offloads ? 'on' : 'off'}`, async () => {
      const { site, far, hostA, wideplane } = await buildLab(offloads);
      for (const [client, address] of [
        [hostA, SELF.inside],
        [far, SELF.tunnel],
      ] as const) {
        const server = await Iperf3Server.start(site, address);
        for (const reverse of [false, true]) {
          const { bitsPerSecond } = await server.measure(client, { reverse, octets: 20_000_000, seconds: 10 });
          assert.ok(bitsPerSecond > 20e6, `${address}, reverse ${reverse}: ${bitsPerSecond} bit/s`);
        }
        await server.stop();
      }
      const server = await Iperf3Server.start(site, SELF.tunnel);
      const udp = await server.measure(far, { seconds: 1, udpRate: '5M', length: 1000, reverse: true });
      assert.ok(udp.packets > 50 && udp.lostPercent < 2, JSON.stringify(udp));
      const [tunnel] = await wideplane.show('net tunnels tunnel', 'vx1');
      assert.deepEqual(tunnel?.drops, {});
      assert.equal(await wideplane.stop(), 0, wideplane.log);
    });
  }
});

/** What a session has seen since it began. */
async function sessionReport(program: Program): Promise<{ echoed: number; stalledMs: number }> {
  const before = [...program.output.matchAll(/^echoed/gm)].length;
  program.signal('SIGUSR2');
  const reports = await waitFor('a report', 3, () => {
    const found = [...program.output.matchAll(/^echoed (\d+) stalled (\d+) ms$/gm)];
    return found.length > before && found;
  });
  const [, echoed, stalledMs] = reports.at(-1)!;
  return { echoed: Number(echoed), stalledMs: Number(stalledMs) };
}

describe('TCP sessions of this host', () => {
  it('live through five kills of dataplaned, whoever began them and whoever speaks', async () => {
    const { site, far, hostA, wideplane } = await buildLab();
    const start = async (namespace: Namespace, ...args: string[]): Promise<Program> => {
      const program = namespace.start([process.execPath, SESSION, ...args]);
      await program.expect(/^(listening|connected)$/m, 5);
      return program;
    };
    await start(site, 'serve', SELF.inside, '7000');
    await start(far, 'serve', FAR, '7001');
    await start(far, 'push', FAR, '7002');
    const sessions = [
      await start(hostA, 'connect', SELF.inside, '7000', HOST_A),
      await start(site, 'connect', FAR, '7001', SELF.tunnel),
      // The self IP lets nothing in, and the host only listens: after a restart the first packet is from outside.
      await start(site, 'listen', FAR, '7002', SELF.tunnel),
    ];
    for (let kill = 0; kill < 5; kill++) {
      await delay(1200);
      const before = await Promise.all(sessions.map(sessionReport));
      await wideplane.killDaemon('dataplaned');
      for (const [index, session] of sessions.entries()) {
        await waitFor(
          `session ${index} goes on after kill ${kill + 1}`,
          5,
          async () => (await sessionReport(session)).echoed > before[index]!.echoed + 5,
          () => `${session.output}\n${wideplane.log}`,
        );
        assert.ok(session.isRunning, session.output);
      }
    }
    assert.match(await site.ip('-brief', 'address', 'show', 'dev', 'wp-vx1'), /172\.16\.0\.1\/24/);
    assert.equal(await wideplane.stop(), 0, wideplane.log);
  });
});

describe('devices of the host path', () => {
  it('carry the self IPs, and follow the configuration', async () => {
    const { site, hostA, wideplane } = await buildLab();
    const addresses = async (): Promise<string> => site.ip('-brief', 'address');
    assert.match(await addresses(), /^wp-inside +\S+ +10\.1\.0\.1\/24 2001:db8:1::1\/64/m);
    assert.match(await addresses(), /^wp-vx1 .*172\.16\.0\.1\/24/m);
    assert.match(await site.ip('link', 'show', 'dev', 'wp-vx1'), /mtu 1450 /);
    assert.match(await wideplane.tmsh('show net self tunnel'), /Host Device +wp-vx1$/m);
    assert.match(await site.ip('route', 'get', BEYOND), /dev wp-vx1 src 172\.16\.0\.1/);

    await wideplane.tmsh('create net self second { address 10.1.0.9/24 vlan inside allow-service { tcp:8080 } }');
    await waitFor('the second address', 3, async () => (await addresses()).includes('10.1.0.9/24'));
    await serve(site, '10.1.0.9');
    assert.equal(await fetchFrom(hostA, '10.1.0.9'), 0);
    await wideplane.tmsh('delete net self second');
    await waitFor('no second address', 3, async () => !(await addresses()).includes('10.1.0.9/24'));
    assert.match(await addresses(), /^wp-inside .*10\.1\.0\.1\/24/m);
    await wideplane.tmsh('delete net route beyond');
    await waitFor('no route', 3, async () => (await site.attempt(['ip', 'route', 'get', BEYOND])).status !== 0);
    for (const name of ['tunnel', 'tunnel6']) await wideplane.tmsh(`delete net self ${name}`);
    await waitFor('no device', 3, async () => !(await addresses()).includes('wp-vx1'));
    assert.ok(!(await site.ip('rule')).includes('172.16.0.1'));
    assert.equal(await wideplane.stop(), 0, wideplane.log);
  });

  it('leave the routes of the host alone', async () => {
    const { site, wideplane } = await buildLab();
    await site.ip('link', 'add', 'own', 'type', 'veth', 'peer', 'name', 'own-peer');
    await site.addAddress('own', '10.99.0.1/24');
    await site.ip('link', 'set', 'own', 'up');
    await site.ip('link', 'set', 'own-peer', 'up');
    await site.ip('route', 'add', '198.51.100.0/24', 'via', '10.99.0.2');
    await site.ip('route', 'add', 'default', 'via', '10.99.0.2');
    assert.match(await site.ip('route', 'get', BEYOND), /via 10\.99\.0\.2 dev own/);
    assert.match(await site.ip('route', 'get', BEYOND, 'from', SELF.tunnel), /dev wp-vx1/);
    await wideplane.tmsh(`create net route other { network default gw ${FAR} }`);
    await delay(500);
    assert.match(await site.ip('route', 'get', '192.0.2.1'), /via 10\.99\.0\.2 dev own/);
    assert.equal(await wideplane.stop(), 0, wideplane.log);
  });

  it('that somebody deletes are made again', async () => {
    const { site, hostA, wideplane } = await buildLab();
    await serve(site, SELF.inside);
    await site.ip('link', 'delete', 'wp-inside');
    await waitFor('the device', 10, async () => (await site.ip('-brief', 'address')).includes('10.1.0.1/24'));
    await waitFor('an answer', 5, async () => (await fetchFrom(hostA, SELF.inside)) === 0);
    const rules = (await site.ip('rule')).match(/from 10\.1\.0\.1/g);
    assert.equal(rules?.length, 1);
    assert.equal(await wideplane.stop(), 0, wideplane.log);
  });

  it('leave nothing behind, whether up is stopped or killed', async () => {
    for (const how of ['stop', 'kill'] as const) {
      const site = await Namespace.create('site');
      const far = await Namespace.create('far');
      await connect([site, 'e0'], [far, 'e0']);
      await connect([site, 'e1'], [far, 'e1']);
      const before = await portrait(site);
      const wideplane = await Wideplane.start(site, CONFIGURATION);
      await waitFor('the devices', 5, async () => /wp-inside[^]*wp-vx1/.test(await site.ip('-brief', 'address')));
      assert.notEqual(await portrait(site), before);
      if (how === 'stop') assert.equal(await wideplane.stop(), 0, wideplane.log);
      else wideplane.kill();
      await waitFor(
        `nothing is left after ${how}`,
        5,
        async () => (await portrait(site)) === before,
        async () => `${before}\n---\n${await portrait(site)}\n${wideplane.log}`,
      );
    }
  });

  it('of a name that is taken are not made, and the failure says so', async () => {
    const site = await Namespace.create('site');
    const far = await Namespace.create('far');
    await connect([site, 'e0'], [far, 'e0']);
    await connect([site, 'e1'], [far, 'e1']);
    await site.ip('link', 'add', 'wp-inside', 'type', 'veth', 'peer', 'name', 'other');
    const wideplane = await Wideplane.start(site, CONFIGURATION);
    await waitFor('the reason', 5, () => wideplane.log.includes('wp-inside: there is a device of this name'));
    assert.equal(await wideplane.stop(), 0, wideplane.log);
    assert.match(await site.ip('link'), / wp-inside@other/);
  });
});

const ROUTE_DOMAIN = `
net interface 1.1 { device e0 }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 }
net self wan-self { address 10.9.1.1/24 vlan wan }
net tunnels tunnel vx1 { local-address 10.9.1.1 remote-address 10.9.1.2 key 100 profile vxlan }
net tunnels tunnel vx5 { local-address 10.9.1.1 remote-address 10.9.1.2 key 500 profile vxlan }
net route-domain rd5000 { id 5000 vlans { vx5 } }
net self tunnel { address ${SELF.tunnel}/24 vlan vx1 allow-service { udp:53 } }
net self tunnel5 { address ${SELF.tunnel}%5000/24 vlan vx5 allow-service { udp:53 tcp:53 tcp:7000 } }
net route beyond { network 198.51.100.0%5000/24 gw ${FAR}%5000 }
`;

/** Answers each datagram with the same, and says which route domain it stands for. */
const ECHO = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 53))
print('listening', flush=True)
while True:
    data, peer = s.recvfrom(65535)
    s.sendto(sys.argv[2].encode() + data, peer)
`;
const ASK = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
s.sendto(b'?' * int(sys.argv[2]), (sys.argv[1], 53))
print(s.recv(65535).decode())
`;

const namespaces = (): string[] => readdirSync('/run/netns').filter((name) => name.startsWith('wideplane-'));

describe('a route domain of its own', () => {
  it('has a namespace, in which a server on a self IP of its tunnel answers, beside the same address here', async () => {
    const [site, far, far5] = await Promise.all(['site', 'far', 'far5'].map((name) => Namespace.create(name)));
    await connect([site!, 'e0'], [far!, 'e0']);
    await far!.addAddress('e0', '10.9.1.2/24');
    await addKernelVxlan(far!, { vni: 100, local: '10.9.1.2', remote: '10.9.1.1', address: `${FAR}/24` });
    await addKernelVxlan(far!, { device: 'vx5', vni: 500, local: '10.9.1.2', remote: '10.9.1.1' });
    await far!.ip('link', 'set', 'vx5', 'netns', far5!.name);
    await far5!.ip('link', 'set', 'vx5', 'up');
    await far5!.addAddress('vx5', `${FAR}/24`);
    await far5!.addAddress('lo', `${BEYOND}/32`);
    const before = await portrait(site!);
    const wideplane = await Wideplane.start(site!, ROUTE_DOMAIN);
    await reach(far!, SELF.tunnel);
    await reach(far5!, SELF.tunnel);
    // Where up runs its namespaces have names; the tests see others.
    const inside = (...argv: string[]): string[] => [
      ...['nsenter', '--target', String(wideplane.pid), '--mount', 'ip', 'netns', 'exec', 'wideplane-rd5000'],
      ...argv,
    ];
    const listeners = [
      site!.start(['python3', '-c', ECHO, SELF.tunnel, 'rd0']),
      site!.start(inside('python3', '-c', ECHO, SELF.tunnel, 'rd5000')),
    ];
    for (const listener of listeners) await listener.expect(/listening/, 5);
    assert.equal(await far!.run(['python3', '-c', ASK, SELF.tunnel, '3']), 'rd0???\n');
    assert.equal(await far5!.run(['python3', '-c', ASK, SELF.tunnel, '3']), 'rd5000???\n');
    assert.match(await run(inside('ping', '-c', '2', '-W', '3', FAR)), / 2 received/);
    assert.match(await wideplane.tmsh('show net self tunnel5'), /Host Device +wp-vx5 in namespace wideplane-rd5000$/m);
    // Larger than a packet: in fragments, both ways.
    assert.equal((await far5!.run(['python3', '-c', ASK, SELF.tunnel, '4000'])).trim().length, 4006);
    assert.equal((await far!.run(['python3', '-c', ASK, SELF.tunnel, '4000'])).trim().length, 4003);
    assert.match(await run(inside('ping', '-c', '2', '-W', '3', '-s', '4000', FAR)), / 2 received/);
    assert.match(await run(inside('ping', '-c', '2', '-W', '3', BEYOND)), / 2 received/);

    // A connection in there lives through a restart as well.
    const serve = far5!.start([process.execPath, SESSION, 'push', FAR, '7002']);
    await serve.expect(/listening/, 5);
    const session = site!.start(inside(process.execPath, SESSION, 'listen', FAR, '7002', SELF.tunnel));
    await session.expect(/^connected$/m, 5);
    await delay(500);
    const { echoed } = await sessionReport(session);
    await wideplane.killDaemon('dataplaned');
    await waitFor('the session goes on', 5, async () => (await sessionReport(session)).echoed > echoed + 5);

    for (const program of [...listeners, session]) await program.stop('SIGKILL');
    assert.equal(await wideplane.stop(), 0, wideplane.log);
    await waitFor('nothing is left', 5, async () => (await portrait(site!)) === before);

    const killed = await Wideplane.start(site!, ROUTE_DOMAIN);
    await waitFor('the device', 5, async () => (await site!.ip('-brief', 'link')).includes('wp-vx5'));
    assert.deepEqual(namespaces(), ['wideplane-rd5000']);
    killed.kill();
    await waitFor('nothing is left of a killed one', 5, async () => (await portrait(site!)) === before);
    await waitFor('no namespace is left', 5, () => namespaces().length === 0);
  });
});
