// alone
// A VLAN added while TCP runs through a tunnel disturbs nothing (topology: harness/site.ts, harness/pair.ts): retransmissions stay
// in the range of the runs without the change, learned entries and counters stay.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Namespace } from './harness/namespace.ts';
import { buildPair } from './harness/pair.ts';
import { buildSite, HOST_B } from './harness/site.ts';
import { Iperf3Server, reach } from './harness/traffic.ts';
import { delay } from './harness/wait.ts';
import type { Wideplane } from './harness/wideplane.ts';

const RUNS = 5;
const SECONDS = 3;
/** Retransmissions that prove nothing. */
const STRAY = 10;
/**
 * The kernel of host-a sends from its program and from where acknowledgements come in, which are two cores here: segments reach
 * wideplane behind later ones, up to a super-frame of 46 at once, which TCP may take for lost. This is room for three.
 */
const REORDERED = 140;

/** `wideplane` is changed while host-a sends to host-b. */
type Lab = { hostA: Namespace; hostB: Namespace; wideplane: Wideplane };

/** Packets of GRE leave a veth without offloads by a socket of their own kind. */
async function buildGre(): Promise<Lab> {
  const { sides } = await buildPair({
    ...{ ends: ['ring', 'ring'], underlay: 'packet-ring', offloads: false, underlayMtu: 1500, udpChecksum: false },
    form: {
      profile: 'net tunnels gre form { encapsulation transparent-ethernet-bridging }',
      tunnel: 'profile form',
      overheadOctets: 38,
    },
  });
  return { hostA: sides[0].host, hostB: sides[1].host, wideplane: sides[0].wideplane };
}

const LABS: readonly (readonly [string, () => Promise<Lab>, number])[] = [
  ['packet-ring', () => buildSite({ adapter: 'packet-ring' }), STRAY],
  ['udp', () => buildSite({ adapter: 'udp' }), STRAY],
  ['GRE', buildGre, REORDERED],
];

for (const [name, build, stray] of LABS) {
  it(`${name}: ${RUNS} runs with a VLAN added, ${RUNS} without`, async () => {
    const { hostA, hostB, wideplane } = await build();
    await reach(hostA, HOST_B);
    const server = await Iperf3Server.start(hostB, HOST_B);
    await server.measure(hostA, { seconds: 1 });
    const learnedBefore = await learned();
    assert.ok(learnedBefore.length >= 2, learnedBefore.join('\n'));

    const retransmits = { without: [] as number[], with: [] as number[] };
    const losses: string[] = [];
    /** One run; a second into it the command is given. */
    const measure = async (command: string): Promise<number> => {
      const measured = server.measure(hostA, { seconds: SECONDS });
      await delay(1000);
      await wideplane.tmsh(command);
      const result = await measured;
      losses.push(`${command}: ${result.retransmits} ${await lost()}`);
      return result.retransmits;
    };
    let octets = await carried();
    for (let run = 0; run < RUNS; run++) {
      // tmsh runs in both kinds: starting a process takes CPU time from the traffic as well.
      retransmits.without.push(await measure('list net vlan'));
      retransmits.with.push(
        await measure(`create net vlan added${run} interfaces add { 1.2 { tagged } } tag ${200 + run}`),
      );
      const now = await carried();
      assert.ok(now > octets, 'the counters of the tunnel went back');
      octets = now;
    }
    console.log(`${name}: ${JSON.stringify(retransmits)}`);
    assert.deepEqual(
      (await learned()).filter((entry) => learnedBefore.includes(entry)),
      learnedBefore,
    );
    // The range of the runs without, and as many again: five runs do not show the tail. What a change did would show in every
    // run with one, and so in the median; a single run may be one in which the machine was busy with something else.
    const allowed = 2 * Math.max(...retransmits.without) + stray;
    const median = retransmits.with.sort((one, other) => one - other)[RUNS >> 1]!;
    assert.ok(median <= allowed, losses.join('\n'));
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

    /** Frames lost so far, by place and reason. */
    async function lost(): Promise<string> {
      const rows = [...(await wideplane.show('net interface')), ...(await wideplane.show('net tunnels tunnel'))];
      return rows
        .map(
          ({ name, stats, drops }) => `${name} ${JSON.stringify({ overruns: stats?.['Receive Overruns'], ...drops })}`,
        )
        .join(' ');
    }

    async function carried(): Promise<number> {
      const [row] = await wideplane.show('net tunnels tunnel', 'vx1');
      return Number(row?.stats?.['Outgoing Octets']);
    }
  });
}
