// What must pass between two hosts, whatever lies between them.

import assert from 'node:assert/strict';
import { makeDirectory } from './namespace.ts';
import { Capture, findComplaints } from './capture.ts';
import { HOST_A, HOST_B, type Site } from './site.ts';
import { Iperf3Server, ping, reach } from './traffic.ts';

/** Octets of ICMP payload of the largest echo that fits one packet of `mtu` octets: IPv4 20, ICMP 8. */
export const largestEcho = (mtu: number): number => mtu - 28;

/** Echoes of every size both ways; none may be lost. */
export async function exerciseEchoes({ hostA, hostB, innerMtu }: Site): Promise<void> {
  await reach(hostA, HOST_B);
  for (const [from, to] of [
    [hostA, HOST_B],
    [hostB, HOST_A],
  ] as const) {
    for (const options of [
      { count: 10 },
      { count: 5, size: largestEcho(innerMtu), dontFragment: true },
      { count: 3, size: 60_000 },
    ]) {
      const { sent, received, text } = await ping(from, to, options);
      assert.equal(received, sent, `${JSON.stringify(options)} from ${from.name}\n${text}`);
    }
  }
}

/** TCP and UDP by iperf3, both ways. */
export async function exerciseStreams({ hostA, hostB, innerMtu }: Site): Promise<void> {
  const server = await Iperf3Server.start(hostB, HOST_B);
  for (const reverse of [false, true]) {
    const way = reverse ? 'from host-b to host-a' : 'from host-a to host-b';
    const tcp = await server.measure(hostA, { reverse, seconds: 1 });
    assert.ok(tcp.bitsPerSecond > 20e6, `TCP ${way}: ${tcp.bitsPerSecond} bit/s`);
    // IPv4 20, UDP 8. The rate is one that the socket buffer of a host which gets no CPU time for a while can bear.
    const udp = await server.measure(hostA, { reverse, seconds: 1, udpRate: '5M', length: innerMtu - 28 });
    assert.ok(udp.packets > 50, `UDP ${way}: ${udp.packets} packets`);
    assert.ok(udp.lostPercent < 1, `UDP ${way}: ${udp.lostPercent} % lost`);
  }
  await server.stop();
}

/** What wideplane puts on the underlay while the hosts talk; tshark must find nothing to complain of. */
export async function exerciseCapture({ far, hostA, hostB, innerMtu }: Site): Promise<void> {
  const file = `${makeDirectory('capture')}/underlay.pcap`;
  const capture = await Capture.start(far, 'e0', file, { direction: 'in' });
  await ping(hostA, HOST_B, { count: 5, size: largestEcho(innerMtu) });
  await ping(hostA, HOST_B, { count: 2, size: 20_000 });
  const server = await Iperf3Server.start(hostB, HOST_B);
  await server.measure(hostA, { seconds: 1, udpRate: '1M', length: 200 });
  await server.stop();
  await capture.stop(20);
  assert.deepEqual(await findComplaints(file), []);
}

/** The tunnel's own counters: it carried frames both ways and dropped none. */
export async function assertTunnelCarried({ wideplane }: Site): Promise<void> {
  const [tunnel] = await wideplane.show('net tunnels tunnel', 'vx1');
  assert.ok(tunnel, 'show knows no tunnel vx1');
  const { stats = {}, drops = {} } = tunnel;
  assert.ok(Number(stats['Incoming Frames']) > 100, JSON.stringify(stats));
  assert.ok(Number(stats['Outgoing Frames']) > 100, JSON.stringify(stats));
  assert.deepEqual(drops, {});
}
