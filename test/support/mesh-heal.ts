// A mesh of many machines that is cut in two for a while: how soon, of the simulated clock, everybody hears everybody again.

import { MeshNetwork } from './mesh-network.ts';
import { Speaker, virtualServer } from './mesh-view.ts';

const SETTLE_MS = 10_000;
export const CUT_MS = 70_000;
const LOOK_MS = 100;
const MOST_MS = 120_000;

export type Healed = {
  /** From the first dial to the last greeting, at the beginning; and after the cut. */
  readonly startMs: number;
  readonly healMs: number;
  /** The most that one machine dialled within a second, and that it was dialled. */
  readonly mostDials: number;
  readonly mostDialled: number;
  /** The same during the cut, of all machines together. */
  readonly dialsWhileCut: number;
};

export function machinesOf(network: MeshNetwork, count: number): Speaker[] {
  return Array.from(
    { length: count },
    (_, index) => new Speaker(network, `m${index}`, [`10.0.${index >> 8}.${index & 255}`]),
  );
}

/** Whether everybody has heard the last word of everybody. */
export function isWhole(machines: readonly Speaker[], reason: string): boolean {
  return machines.every(({ view, peers }) =>
    peers.every(({ server }) => {
      const record = view.of(server, 'vs').get('/Common/x');
      return record?.message === 'vs' && record.reason === reason;
    }),
  );
}

export function untilWhole(network: MeshNetwork, machines: readonly Speaker[], reason: string): number {
  const begun = network.clock.now();
  while (!isWhole(machines, reason)) {
    if (network.clock.now() - begun > MOST_MS) throw new Error(`the mesh is not whole after ${MOST_MS / 1000} s`);
    network.run(LOOK_MS);
  }
  return network.clock.now() - begun;
}

/** The most within any second, of those who share what `of` says. */
export function mostWithinASecond<T extends { readonly at: number }>(
  events: readonly T[],
  of: (event: T) => string,
): number {
  const recent = new Map<string, number[]>();
  let most = 0;
  for (const event of events) {
    const key = of(event);
    const times = recent.get(key) ?? [];
    recent.set(key, times);
    times.push(event.at);
    while (times[0]! <= event.at - 1000) times.shift();
    most = Math.max(most, times.length);
  }
  return most;
}

export function healOf(count: number, seed: number): Healed {
  const network = new MeshNetwork(seed);
  const machines = machinesOf(network, count);
  const sayAll = (reason: string): void => {
    for (const machine of machines) machine.say(virtualServer('/Common/x', reason));
  };
  sayAll('at first');
  for (const machine of machines) machine.dials(machines.filter((other) => other !== machine));
  const startMs = untilWhole(network, machines, 'at first');
  network.run(SETTLE_MS);
  const half = count >> 1;
  for (const one of machines.slice(0, half)) for (const other of machines.slice(half)) network.cut(one, other);
  const begun = network.dials.length;
  network.run(CUT_MS);
  const dialsWhileCut = network.dials.length - begun;
  sayAll('after the cut');
  network.healAll();
  const healMs = untilWhole(network, machines, 'after the cut');
  network.run(SETTLE_MS);
  return {
    ...{ startMs, healMs, dialsWhileCut },
    mostDials: mostWithinASecond(network.dials, ({ from }) => from),
    mostDialled: mostWithinASecond(network.dials, ({ to }) => to),
  };
}
