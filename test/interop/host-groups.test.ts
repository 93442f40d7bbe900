// Multicast between sockets on self IPs and hosts on a VLAN and behind a tunnel, both ways, over both IP versions.
//
//   host-a ──── e1 [ site: wideplane, sockets ] e0 ════ e0 [ far: kernel VXLAN ]
//   10.1.0.2     inside 10.1.0.1   vx1 172.16.0.1          172.16.0.2

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Capture, findComplaints, readFields } from './harness/capture.ts';
import { addKernelVxlan } from './harness/kernel-vxlan.ts';
import { connect, makeDirectory, Namespace } from './harness/namespace.ts';
import type { Program } from './harness/program.ts';
import { reach } from './harness/traffic.ts';
import { waitFor } from './harness/wait.ts';
import { Wideplane } from './harness/wideplane.ts';

const SELF = { inside: '10.1.0.1', tunnel: '172.16.0.1', inside6: '2001:db8:1::1', tunnel6: '2001:db8:16::1' } as const;
const [HOST_A, HOST_A6, FAR, FAR6] = ['10.1.0.2', '2001:db8:1::2', '172.16.0.2', '2001:db8:16::2'];
/** Where failover messages go, and the same of IPv6. */
const [GROUP, GROUP6] = ['224.0.0.245', 'ff05::245'];
const [PORT, OTHER_PORT] = [62_960, 62_961];

/** Joins a group on a device, and says what comes. */
const LISTEN = `
import socket, struct, sys
group, port, device = sys.argv[1], int(sys.argv[2]), sys.argv[3]
is_ipv6 = ':' in group
index = socket.if_nametoindex(device)
s = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((group, port))
if is_ipv6: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, group) + struct.pack('I', index))
else: s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack('4s4si', socket.inet_aton(group), b'', index))
print('joined', flush=True)
while True:
    data, peer = s.recvfrom(65535)
    print(data[:20].decode(), 'of', len(data), 'from', peer[0], flush=True)
`;
const SEND = `
import socket, sys
group, port, source, text = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
is_ipv6 = ':' in group
s = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
s.bind((source, 0))
if is_ipv6: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex(sys.argv[5]))
else: s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source))
s.sendto(text.encode().ljust(int(sys.argv[6]), b'.'), (group, port))
`;

async function listen(namespace: Namespace, group: string, device: string, port = PORT): Promise<Program> {
  const program = namespace.start(['python3', '-u', '-c', LISTEN, group, String(port), device]);
  await program.expect(/^joined$/m, 5);
  return program;
}

async function send(
  from: Namespace,
  group: string,
  source: string,
  device: string,
  text: string,
  octets = 40,
): Promise<void> {
  await from.run(['python3', '-c', SEND, group, String(PORT), source, text, device, String(octets)]);
}

it('groups that sockets have joined come in, and what sockets send to groups goes out', async () => {
  const [site, far, hostA] = await Promise.all(['site', 'far', 'host-a'].map((name) => Namespace.create(name)));
  await connect([site!, 'e0'], [far!, 'e0']);
  await connect([hostA!, 'e0'], [site!, 'e1']);
  await hostA!.addAddress('e0', `${HOST_A}/24`, `${HOST_A6}/64`);
  await far!.addAddress('e0', '10.9.1.2/24');
  await addKernelVxlan(far!, { vni: 100, local: '10.9.1.2', remote: '10.9.1.1', address: `${FAR}/24` });
  await far!.addAddress('vx0', `${FAR6}/64`);
  const wideplane = await Wideplane.start(
    site!,
    `
net interface 1.1 { device e0 }
net interface 1.2 { device e1 }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 }
net vlan inside { interfaces { 1.2 { untagged } } tag 4093 }
net self wan-self { address 10.9.1.1/24 vlan wan }
net tunnels tunnel vx1 { local-address 10.9.1.1 remote-address 10.9.1.2 key 100 profile vxlan }
net self inside { address ${SELF.inside}/24 vlan inside allow-service { udp:${PORT} } }
net self inside6 { address ${SELF.inside6}/64 vlan inside allow-service { udp:${PORT} } }
net self tunnel { address ${SELF.tunnel}/24 vlan vx1 allow-service { udp:${PORT} } }
net self tunnel6 { address ${SELF.tunnel6}/64 vlan vx1 allow-service { udp:${PORT} } }
`,
  );
  await reach(hostA!, SELF.inside);
  await reach(far!, SELF.tunnel);
  await waitFor('the devices', 5, async () => /wp-inside[^]*2001:db8:1::1/.test(await site!.ip('-brief', 'address')));
  const file = `${makeDirectory('capture')}/inside.pcap`;
  const capture = await Capture.start(hostA!, 'e0', file);
  for (const { group, self, other, peer, device, remote } of [
    { group: GROUP, self: SELF.inside, other: HOST_A, peer: hostA!, device: 'wp-inside', remote: 'e0' },
    { group: GROUP6, self: SELF.inside6, other: HOST_A6, peer: hostA!, device: 'wp-inside', remote: 'e0' },
    { group: GROUP, self: SELF.tunnel, other: FAR, peer: far!, device: 'wp-vx1', remote: 'vx0' },
    { group: GROUP6, self: SELF.tunnel6, other: FAR6, peer: far!, device: 'wp-vx1', remote: 'vx0' },
  ]) {
    const here = await listen(site!, group, device);
    const unheard = await listen(site!, group, device, OTHER_PORT);
    const there = await listen(peer, group, remote);
    let number = 0;
    await waitFor(
      `${group} comes in by ${device}`,
      5,
      async () => {
        await send(peer, group, other, remote, `m${++number}`);
        return here.output.includes(`from ${other}`);
      },
      () => here.output,
    );
    await send(peer, group, other, remote, 'large', 4000);
    await here.expect(new RegExp(`^large\\.+ of 4000 from ${other}$`, 'm'), 5);
    await send(site!, group, self, device, 'answer');
    await there.expect(new RegExp(`^answer.* from ${self}$`, 'm'), 5);
    await send(site!, group, self, device, 'long', 4000);
    await there.expect(new RegExp(`^long\\.+ of 4000 from ${self}$`, 'm'), 5);
    await peer.run(['python3', '-c', SEND, group, String(OTHER_PORT), other, 'locked', remote, '40']);
    await waitFor('port lockdown', 5, async () => {
      const [type, name] = device === 'wp-inside' ? ['net vlan', 'inside'] : ['net tunnels tunnel', 'vx1'];
      const [row] = await wideplane.show(type, name);
      return (row?.drops?.['port-lockdown'] ?? 0) > 0;
    });
    assert.doesNotMatch(unheard.output, /locked/);

    // What was joined is known again after a restart, from the host.
    if (device === 'wp-inside') {
      await wideplane.killDaemon('dataplaned');
      await waitFor(
        `${group} comes in again`,
        15,
        async () => {
          await send(peer, group, other, remote, 'again');
          return here.output.includes('again');
        },
        () => `${here.output}\n${wideplane.log}`,
      );
    }
    for (const program of [here, unheard, there]) await program.stop('SIGKILL');
  }
  await waitFor('that the group is left', 10, async () => {
    await send(hostA!, GROUP, HOST_A, 'e0', 'nobody');
    return !(await site!.ip('maddress', 'show', 'dev', 'wp-inside')).includes(GROUP);
  });
  await capture.stop(20);
  assert.deepEqual(await findComplaints(file), []);
  const reports = async (filter: string, field: string): Promise<string[]> =>
    (await readFields(file, filter, [field])).flatMap(([text]) => text!.split(','));
  assert.ok((await reports(`igmp.type == 0x22 && ip.src == ${SELF.inside}`, 'igmp.maddr')).includes(GROUP));
  const ownMac = await site!.run(['cat', '/sys/class/net/e1/address']);
  const joined6 = await reports(
    `icmpv6.type == 143 && eth.src == ${ownMac.trim()}`,
    'icmpv6.mldr.mar.multicast_address',
  );
  assert.ok(joined6.includes(GROUP6), JSON.stringify(joined6));
  assert.equal(await wideplane.stop(), 0, wideplane.log);
});
