// Many machines: one that reconnects 199 others, and a mesh of 200 that was cut in two, without a herd of attempts.
//
// time-out: 600 s

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CUT_MS, healOf, machinesOf, mostWithinASecond, untilWhole } from '../support/mesh-heal.ts';
import { MeshNetwork } from '../support/mesh-network.ts';
import { virtualServer } from '../support/mesh-view.ts';

/** No machine dials more often than every 50 ms. */
const MOST_DIALS = 21;
/** Nor is one dialled by all at a time. */
const MOST_DIALLED = 60;
const HEAL_LIMIT_MS = 15_000;

const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`;

it('one machine that loses 199 others has them all again within 15 s, and dials 20 a second at most', () => {
  const network = new MeshNetwork(199);
  const [one, ...others] = machinesOf(network, 200);
  for (const other of others) {
    other.dials([one!]);
    other.say(virtualServer('/Common/x', 'at first'));
  }
  one!.dials(others);
  const start = untilWhole(network, [one!], 'at first');
  network.run(65_000);
  for (const connection of network.connectionsOf(one!)) connection.reset();
  for (const other of others) other.say(virtualServer('/Common/x', 'after it was lost'));
  const again = untilWhole(network, [one!], 'after it was lost');
  one!.vanish();
  network.run(60_000);
  one!.start();
  const restarted = untilWhole(network, [one!], 'after it was lost');
  console.log(
    `199 peers: ${seconds(start)} at first, ${seconds(again)} after all were lost, ${seconds(restarted)} after a restart`,
  );
  assert.ok(Math.max(start, again, restarted) < HEAL_LIMIT_MS);
  const most = mostWithinASecond(
    network.dials.filter(({ from }) => from === one!.name),
    () => '',
  );
  console.log(`dialled within a second at most: ${most}`);
  assert.ok(most <= MOST_DIALS);
});

it('a mesh of 200 that was cut in two is whole again within 15 s, and no machine is run over', () => {
  const { startMs, healMs, mostDials, mostDialled, dialsWhileCut } = healOf(200, 1);
  console.log(`whole after ${seconds(startMs)} at first, and ${seconds(healMs)} after a cut of ${CUT_MS / 1000} s`);
  console.log(`within a second a machine dialled ${mostDials} and was dialled ${mostDialled} times at most`);
  console.log(`while it was cut: ${(dialsWhileCut / 200 / (CUT_MS / 1000)).toFixed(2)} attempts a second and machine`);
  assert.ok(healMs < HEAL_LIMIT_MS);
  assert.ok(mostDials <= MOST_DIALS);
  assert.ok(mostDialled <= MOST_DIALLED);
});
