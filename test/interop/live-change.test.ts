// time-out: 180 s
// A VLAN added while TCP runs through a tunnel disturbs nothing (topology: harness/site.ts): retransmissions stay in the
// range of the runs without the change, learned entries and counters stay.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { buildSite, HOST_B } from './harness/site.ts';
import { Iperf3Server, reach } from './harness/traffic.ts';
import { delay } from './harness/wait.ts';

const RUNS = 5;
const SECONDS = 3;

for (const adapter of ['packet-ring', 'udp'] as const) {
  it(`${adapter}: ${RUNS} runs with a VLAN added, ${RUNS} without`, async () => {
    const site = await buildSite({ adapter });
    const { hostA, hostB, wideplane } = site;
    await reach(hostA, HOST_B);
    const server = await Iperf3Server.start(hostB, HOST_B);
    await server.measure(hostA, { seconds: 1 });
    const learnedBefore = await learned();
    assert.ok(learnedBefore.length >= 2, learnedBefore.join('\n'));

    const retransmits = { without: [] as number[], with: [] as number[] };
    let octets = await carried();
    for (let run = 0; run < RUNS; run++) {
      retransmits.without.push((await server.measure(hostA, { seconds: SECONDS })).retransmits);
      const measured = server.measure(hostA, { seconds: SECONDS });
      await delay(1000);
      await wideplane.tmsh(`create net vlan added${run} interfaces add { 1.2 { tagged } } tag ${200 + run}`);
      retransmits.with.push((await measured).retransmits);
      const now = await carried();
      assert.ok(now > octets, 'the counters of the tunnel went back');
      octets = now;
    }
    console.log(`${adapter}: ${JSON.stringify(retransmits)}`);
    assert.deepEqual(
      (await learned()).filter((entry) => learnedBefore.includes(entry)),
      learnedBefore,
    );
    // The range of the runs without, and as many again: five runs do not show the tail.
    const allowed = 2 * Math.max(...retransmits.without) + 10;
    assert.ok(Math.max(...retransmits.with) <= allowed, JSON.stringify(retransmits));
    await wideplane.stop();

    /** Learned stations as "MAC place". */
    async function learned(): Promise<string[]> {
      const rows = [
        ...(await wideplane.show('net fdb tunnel', 'vx1')),
        ...(await wideplane.show('net fdb vlan', 'inside')),
      ];
      return rows
        .flatMap(({ table }) => table?.rows ?? [])
        .map(([mac, place]) => `${mac} ${place}`)
        .sort();
    }

    async function carried(): Promise<number> {
      const [row] = await wideplane.show('net tunnels tunnel', 'vx1');
      return Number(row?.stats?.['Outgoing Octets']);
    }
  });
}
