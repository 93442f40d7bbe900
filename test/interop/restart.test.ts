// alone
// time-out: 900 s
// Daemons die under traffic (topology: harness/site.ts). Numbered datagrams, 1000 a second, say how long nothing passed.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { buildSite, HOST_B, type Site } from './harness/site.ts';
import { reach, UdpSequence } from './harness/traffic.ts';
import { delay, waitFor } from './harness/wait.ts';

const KILLS = 20;
const LARGEST_GAP_MS = 2000;

async function startTraffic(site: Site): Promise<UdpSequence> {
  await reach(site.hostA, HOST_B);
  const traffic = await UdpSequence.start(site.hostA, site.hostB, HOST_B, { perSecond: 1000 });
  await delay(500);
  await traffic.report();
  return traffic;
}

for (const adapter of ['packet-ring', 'udp'] as const) {
  it(`${adapter}: kill -9 of dataplaned, ${KILLS} times: no gap of 2 s, all else untouched`, async () => {
    const site = await buildSite({ adapter });
    const { wideplane } = site;
    const traffic = await startTraffic(site);
    const configuration = await wideplane.tmsh('list net');
    const configd = wideplane.daemonPid('configd');

    const gaps: number[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      // One that dies within a second of its start is started again with a delay.
      await delay(1000);
      await wideplane.killDaemon('dataplaned');
      const report = await waitFor(
        `traffic after kill ${kill + 1}`,
        5,
        async () => {
          await delay(300);
          const latest = await traffic.report();
          gaps.push(latest.largestGapMs);
          if (latest.largestGapMs > LARGEST_GAP_MS) console.log(`after kill ${kill + 1}: ${JSON.stringify(latest)}`);
          return latest.received > 250 && latest;
        },
        () => wideplane.log,
      );
      assert.equal(report.duplicates, 0);
    }
    const largest = Math.max(...gaps);
    console.log(`${adapter}: largest gap ${largest} ms over ${KILLS} kills`);
    assert.ok(largest < LARGEST_GAP_MS, `largest gap ${largest} ms\n${wideplane.log}`);
    assert.equal(wideplane.daemonPid('configd'), configd);
    process.kill(configd, 0);
    assert.equal(await wideplane.tmsh('list net'), configuration);
    await traffic.stop();
    assert.equal(await wideplane.stop(), 0, wideplane.log);
  });

  it(`${adapter}: kill -9 of configd: traffic never stops`, async () => {
    const site = await buildSite({ adapter });
    const { wideplane } = site;
    const traffic = await startTraffic(site);
    const dataplaned = wideplane.daemonPid('dataplaned');
    const configuration = await wideplane.tmsh('list net');
    for (let kill = 0; kill < 3; kill++) {
      await wideplane.killDaemon('configd');
      await delay(1500);
    }
    const report = await traffic.stop();
    assert.ok(report.received > 3000, JSON.stringify(report));
    assert.equal(report.lost, 0, JSON.stringify(report));
    assert.ok(report.largestGapMs < 500, JSON.stringify(report));
    assert.equal(wideplane.daemonPid('dataplaned'), dataplaned);
    assert.equal(await wideplane.tmsh('list net'), configuration);
    await wideplane.stop();
  });
}

it('dataplaned dies while configd hangs: it runs from what it applied last', async () => {
  const site = await buildSite();
  const { wideplane } = site;
  const traffic = await startTraffic(site);
  // Stopped, not killed: the supervisor would start it again.
  process.kill(wideplane.daemonPid('configd'), 'SIGSTOP');
  await wideplane.killDaemon('dataplaned');
  await waitFor('traffic again', 3, async () => {
    await delay(300);
    return (await traffic.report()).received > 250;
  });
  process.kill(wideplane.daemonPid('configd'), 'SIGCONT');
  await traffic.stop();
  await wideplane.stop();
});
