// time-out: 600 s
// 2,000 tunnels and 100,000 stations come to a data plane that moves frames: in slices, and without touching the rest.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { viewOf } from '../../../src/assembly/dataplaned/config-view.ts';
import { buildModel } from '../../../src/assembly/dataplaned/build-model.ts';
import type { DeviceFacts } from '../../../src/assembly/dataplaned/model.ts';
import { Planner } from '../../../src/assembly/dataplaned/planner.ts';
import type { Operation } from '../../../src/assembly/dataplaned/spec.ts';
import { emptyConfiguration, type Configuration } from '../../../src/config/configuration.ts';
import { loadText } from '../../../src/config/load-text.ts';
import { hostFrame } from '../../support/frames.ts';
import { largeConfiguration, remoteOf, stationMac } from '../../support/large-configuration.ts';
import { mac, Rig } from '../../support/dataplane-rig.ts';

const TUNNELS = 2000;
const STATIONS = 100_000;
/** As the worker applies them. */
const BUDGET_MS = 0.5;
/**
 * Of the slices, those that are looked at. In the rest the engine collects garbage: it stops the thread for some milliseconds
 * whatever that does.
 */
const SLICES_PER_HUNDRED = 75;
/** What one of these may take of the whole: how long that is, is the machine's affair, and printed. */
const LARGEST_SHARE = 0.05;

const facts = new Map<string, DeviceFacts>([
  ['e0', { mac: mac('02:00:00:00:00:01'), mtu: 1600, isUp: true }],
  ['e1', { mac: mac('02:00:00:00:00:02'), mtu: 1600, isUp: true }],
]);

/** A data plane, and what leads it from one configuration to the next as dataplaned and its worker do. */
class Subject {
  readonly rig = new Rig({ counterRows: 8192, learnedLimit: 65_536, staticLimit: 1 << 20 });
  readonly #planner = new Planner(8192);

  constructor() {
    for (const name of ['1.1', '1.2']) this.rig.addPort(this.#planner.port(name));
  }

  operations(configuration: Configuration): Operation[] {
    return [...this.#planner.plan(buildModel(viewOf(configuration.views.values()), facts)).operations];
  }

  /** Milliseconds that each slice held the thread; frames pass between two of them. */
  applyInSlices(operations: readonly Operation[], between: () => void): number[] {
    const { dataplane } = this.rig;
    const costs: number[] = [];
    for (let next = 0; next < operations.length || !dataplane.isSettled;) {
      const startMs = performance.now();
      const before = process.cpuUsage();
      if (next < operations.length) next = dataplane.apply(operations, next, BUDGET_MS);
      else dataplane.settle(BUDGET_MS);
      const { user, system } = process.cpuUsage(before);
      // Time goes by while others have the core, and CPU time counts the engine's other threads: the less is nearer.
      costs.push(Math.min(performance.now() - startMs, (user + system) / 1000));
      between();
    }
    return costs;
  }
}

function quantile(values: readonly number[], hundredths: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * hundredths) / 100))]!;
}

describe('a large change', () => {
  const peer = `net arp peer { ip-address ${remoteOf(0)} mac-address 02:ee:00:00:00:02 }`;
  const one = largeConfiguration({ tunnels: 1, stations: 16, withUnderlay: true });
  const base = loadText(`${one}${peer}\n`, emptyConfiguration());
  const addition = largeConfiguration({ tunnels: TUNNELS, stations: STATIONS, withUnderlay: false, first: 1000 });
  const large = loadText(addition, base.configuration, { mergeInto: base.configuration });

  it('is made in slices, none of them a large part of the whole, and loses no frame of another tunnel', (t) => {
    const subject = new Subject();
    subject.rig.useRealClock();
    subject.rig.apply(...subject.operations(base.configuration));
    let sent = 0;
    let arrived = 0;
    const pass = (): void => {
      subject.rig.send(1, hostFrame(stationMac(5), '02:aa:00:00:00:01'));
      sent += 1;
      arrived += subject.rig.received(0).filter((frame) => frame.length > 100).length;
    };
    pass();
    // What is measured shall be compiled.
    subject.applyInSlices(subject.operations(large.configuration), pass);
    subject.applyInSlices(subject.operations(base.configuration), pass);
    const added = subject.applyInSlices(subject.operations(large.configuration), pass);
    assert.equal(subject.rig.dataplane.fdb.static, STATIONS + 16);
    const removed = subject.applyInSlices(subject.operations(base.configuration), pass);
    assert.equal(subject.rig.dataplane.fdb.static, 16);
    assert.equal(arrived, sent);
    for (const [what, costs] of Object.entries({ added, removed })) {
      const most = quantile(costs, SLICES_PER_HUNDRED);
      t.diagnostic(
        `${what} in ${costs.length} slices; 75 % below ${most.toFixed(2)} ms, the longest ${Math.max(...costs).toFixed(2)} ms`,
      );
      const whole = costs.reduce((sum, cost) => sum + cost, 0);
      assert.ok(costs.length > 20, 'there is something to slice');
      assert.ok(most <= whole * LARGEST_SHARE, `${what}: a slice of ${most} of ${whole} ms`);
    }
  });

  it('makes a small one beside it as cheap as ever', () => {
    const subject = new Subject();
    subject.rig.apply(...subject.operations(base.configuration));
    subject.rig.apply(...subject.operations(large.configuration));
    const vlan = 'net vlan guest { tag 20 }';
    const { configuration } = loadText(vlan, large.configuration, { mergeInto: large.configuration });
    assert.deepEqual(
      subject.operations(configuration).map(({ op }) => op),
      ['set-domain'],
    );
  });
});
