// A loop: two ports of one VLAN, joined behind wideplane by a Linux bridge without spanning tree.
//
//   host-a ── e3 [ wideplane ] e1 ──── p1 [ br0 ] ── p3 ── host-b
//   172.16.0.1               \ e2 ──── p2 [     ]          172.16.0.2

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { CALM_SECONDS, FLOODS_PER_SECOND } from '../../src/bridge/loop-guard.ts';
import { addKernelBridge } from './harness/kernel-vxlan.ts';
import { connect, Namespace } from './harness/namespace.ts';
import { plainFrame, sendRaw } from './harness/packets.ts';
import { ping, reach } from './harness/traffic.ts';
import { delay, waitFor } from './harness/wait.ts';
import { Wideplane } from './harness/wideplane.ts';

const [IP_A, IP_B] = ['172.16.0.1', '172.16.0.2'];
/** How long broadcasts are sent into the loop. */
const LOOP_SECONDS = 6;
const TICKS_PER_SECOND = 100;

/** Seconds of CPU time that a process has used. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

it('is reported by name, bounded while it lasts, and forgotten when it is broken', async (t) => {
  const [site, far, hostA, hostB] = (await Promise.all(
    ['site', 'far', 'host-a', 'host-b'].map((name) => Namespace.create(name)),
  )) as [Namespace, Namespace, Namespace, Namespace];
  await connect([site, 'e1'], [far, 'p1']);
  await connect([site, 'e2'], [far, 'p2']);
  await connect([hostA, 'e0'], [site, 'e3']);
  await connect([hostB, 'e0'], [far, 'p3']);
  await hostA.addAddress('e0', `${IP_A}/24`);
  await hostB.addAddress('e0', `${IP_B}/24`);
  const wideplane = await Wideplane.start(
    site,
    `
net interface 1.1 { device e1 }
net interface 1.2 { device e2 }
net interface 1.3 { device e3 }
net vlan lan { interfaces { 1.1 { untagged } 1.2 { untagged } 1.3 { untagged } } tag 10 }
`,
  );
  const macA = await hostA.mac('e0');
  const broadcast = [plainFrame('ff:ff:ff:ff:ff:ff', macA, 60)];
  const loops = async (): Promise<string> => {
    const [row] = await wideplane.show('net vlan', 'lan');
    return String(row?.stats?.Loops ?? '');
  };
  const counters = async (): Promise<{ received: number; guarded: number }> => {
    const [row] = await wideplane.show('net vlan', 'lan');
    return { received: Number(row?.stats?.['Incoming Frames']), guarded: row?.drops?.['loop-guard'] ?? 0 };
  };
  const deadline = performance.now() + 120_000;

  // 1. The loop is closed, and fed with broadcasts for some seconds.
  await addKernelBridge(far, 'br0', ['p1', 'p2', 'p3']);
  await sendRaw(hostA, 'e0', broadcast);
  await waitFor('the loop is found', 2, async () => (await loops()) !== '');
  const [before, cpuBefore] = [await counters(), cpuSeconds(wideplane.daemonPid('dataplaned'))];
  const from = performance.now();
  while (performance.now() - from < LOOP_SECONDS * 1000) {
    await sendRaw(hostA, 'e0', broadcast);
    await delay(200);
  }
  const [after, cpuAfter] = [await counters(), cpuSeconds(wideplane.daemonPid('dataplaned'))];
  const seconds = (performance.now() - from) / 1000;
  const perSecond = (after.received - before.received) / seconds;
  const cpuShare = (cpuAfter - cpuBefore) / seconds;
  t.diagnostic(`${perSecond.toFixed(0)} frames/s received, ${cpuShare.toFixed(2)} of a core, ${after.guarded} dropped`);
  t.diagnostic(await loops());
  // A frame that goes round is received once a flood between each of the pairs that may be guarded; without the guard it
  // is received as often as the machine can.
  assert.ok(perSecond < 20 * FLOODS_PER_SECOND, `${perSecond} frames/s`);
  assert.ok(after.guarded > before.guarded, 'frames are held back');
  assert.ok(cpuShare < 0.5, `${cpuShare} of a core`);

  // 2. It is named: in the log once, in show while it lasts.
  const named = wideplane.log.split('\n').filter((line) => line.includes('moves to and fro between'));
  t.diagnostic(named.join('\n'));
  assert.ok(
    named.some((line) => line.includes('/Common/lan on 1.1 and /Common/lan on 1.2')),
    wideplane.log,
  );
  const pairs = named.map((line) => /between (.*): is there/.exec(line)?.[1]);
  assert.equal(new Set(pairs).size, pairs.length, 'each pair of members once');
  assert.match(await loops(), /[0-9a-f:]{17} between \/Common\/lan on 1\.\d and \/Common\/lan on 1\.\d, \d+ moves/);
  const [table] = await wideplane.show('net fdb vlan', 'lan');
  assert.ok(
    table?.table?.rows.some((row) => row.includes('flapping')),
    JSON.stringify(table),
  );

  // 3. Broken, it is forgotten after a while, and everything passes.
  await far.ip('link', 'set', 'p2', 'down');
  await waitFor('the loop is forgotten', CALM_SECONDS + 2, async () => (await loops()) === '');
  await reach(hostA, IP_B);
  const { sent, received, text } = await ping(hostB, IP_A, { count: 20, intervalSeconds: 0.05 });
  assert.equal(received, sent, text);
  const settled = await counters();
  await ping(hostA, IP_B, { count: 5 });
  assert.equal((await counters()).guarded, settled.guarded, 'nothing is held back any more');
  assert.ok(performance.now() < deadline, 'all within 120 s');
  assert.equal(await wideplane.stop(), 0, wideplane.log);
});
