// A Debian kernel under QEMU as a peer: the harness first, then VXLAN between its kernel and wideplane.
//
//   host-a ──── e1 [ site: wideplane ] e0 ════ eth0 [ guest: kernel VXLAN vx0 172.16.0.2 ]
//   172.16.0.1           10.9.1.1                 10.9.1.2

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { Capture, findComplaints } from './harness/capture.ts';
import { Guest } from './harness/guest.ts';
import { addKernelVxlan } from './harness/kernel-vxlan.ts';
import { connect, makeDirectory, Namespace } from './harness/namespace.ts';
import { Iperf3Server, ping, reach } from './harness/traffic.ts';
import { Wideplane } from './harness/wideplane.ts';

let site: Namespace;
let guest: Guest;

before(async () => {
  site = await Namespace.create('site');
  guest = await Guest.start(site);
});

describe('a guest', () => {
  it('runs a kernel of its own', async () => {
    const [own, here] = [await guest.run(['uname', '-r']), await site.run(['uname', '-r'])];
    assert.match(own, /^\d+\.\d+\.\d+/);
    assert.notEqual(own, here);
  });

  it('hands over status, output, errors and input of programs that run beside one another', async () => {
    const [slow, quick] = await Promise.all([
      guest.attempt(['sh', '-c', 'sleep 1; echo "it\'s $1"; echo oh >&2; exit 3', 'sh', '$HOME "done"']),
      guest.attempt(['tr', 'a-z', 'A-Z'], { input: 'several\nlines\n' }),
    ]);
    assert.deepEqual(slow, { status: 3, stdout: 'it\'s $HOME "done"\n', stderr: 'oh\n' });
    assert.deepEqual(quick, { status: 0, stdout: 'SEVERAL\nLINES\n', stderr: '' });
  });

  it('has a file read, also a large one', async () => {
    await guest.run(['sh', '-c', 'head -c 1000000 /dev/zero | tr "\\0" "\\377" > /tmp/large']);
    assert.deepEqual(await guest.read('/tmp/large'), Buffer.alloc(1_000_000, 0xff));
  });
});

it('VXLAN between its kernel and wideplane', async () => {
  const hostA = await Namespace.create('host-a');
  await connect([hostA, 'e0'], [site, 'e1']);
  await hostA.ip('link', 'set', 'e0', 'mtu', '1450');
  await hostA.addAddress('e0', '172.16.0.1/24');
  await guest.addAddress('eth0', '10.9.1.2/24');
  await addKernelVxlan(guest, { vni: 100, local: '10.9.1.2', remote: '10.9.1.1', address: '172.16.0.2/24' });
  const wideplane = await Wideplane.start(
    site,
    `
net interface 1.1 { device e0 }
net interface 1.2 { device e1 }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 }
net vlan inside { interfaces { 1.2 { untagged } } tag 10 }
net self wan-self { address 10.9.1.1/24 vlan wan allow-service none }
net tunnels tunnel vx1 { local-address 10.9.1.1 remote-address 10.9.1.2 key 100 profile vxlan-multipoint }
net vlan-group lan { members { inside vx1 } mode transparent }
`,
  );
  const capture = await Capture.start(site, 'e0', `${makeDirectory('capture')}/e0.pcap`);
  await reach(hostA, '172.16.0.2');
  for (const [from, to] of [
    [hostA, '172.16.0.2'],
    [guest, '172.16.0.1'],
  ] as const) {
    for (const size of [56, 1422, 20_000]) {
      const { sent, received, text } = await ping(from, to, { size });
      assert.equal(received, sent, text);
    }
  }
  await capture.stop(40);
  assert.deepEqual(await findComplaints(capture.file), []);
  const server = await Iperf3Server.start(hostA, '172.16.0.1');
  for (const reverse of [false, true]) {
    const { bitsPerSecond } = await server.measure(guest, { seconds: 1, reverse });
    assert.ok(bitsPerSecond > 1e6, `${bitsPerSecond} bit/s`);
  }
  await server.stop();
  assert.equal(await wideplane.stop(), 0, wideplane.log);
});

it('ends with its emulator', async () => {
  await guest.stop();
  assert.doesNotMatch(await site.run(['ps', '-eo', 'args']), /^qemu-system/m);
});
