// Whose monitors decide, as machines come and go: nobody is asked who has nothing to say, and what is known stays meanwhile.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ProberKeeper } from '../../../../src/assembly/healthd/prober-keeper.ts';
import { HealthEngine } from '../../../../src/health/health-engine.ts';
import type { ProberServer } from '../../../../src/health/prober-election.ts';
import type { Watch } from '../../../../src/health/watch.ts';
import type { MeshVerdict } from '../../../../src/ipc/mesh-schema.ts';
import { FakeClock, monitor, ScriptedProber } from '../../../support/health-rig.ts';

const server = (name: string, rest: Partial<ProberServer> = {}): ProberServer => ({
  ...{ name, datacenter: 'east', isProber: true, preference: 'pool', fallback: 'any-available' },
  ...{ preferredPool: 'pool', fallbackPool: undefined },
  ...rest,
});
const POOL = {
  name: 'pool',
  isEnabled: true,
  mode: 'global-availability',
  members: ['/Common/a', '/Common/b'],
} as const;
const WATCH: Watch = {
  ...{ kind: 'virtual-server', key: '/Common/web:v', unprobed: undefined },
  rule: { atLeast: 1, monitors: [monitor({})] },
  places: [{ family: 4, address: '192.0.2.9', port: 80, via: undefined }],
};

class Rig {
  readonly clock = new FakeClock();
  readonly prober = new ScriptedProber(this.clock, () => ({ verdict: 'up' }));
  readonly problems = new Map<string, string>();
  readonly verdicts = new Map<string, MeshVerdict['status']>();
  readonly keeper = new ProberKeeper({
    proberProblem: (name) => this.problems.get(name) ?? '',
    verdictOf: (name, kind, key) => {
      const status = this.verdicts.get(name);
      const found = { server: name, kind: kind as MeshVerdict['kind'], key, since: 1, goodFor: 120 };
      return status === undefined ? undefined : { ...found, status, reason: 'Monitor /Common/tcp: it says' };
    },
  });
  readonly engine = new HealthEngine({
    ...{ clock: this.clock, prober: this.prober, random: () => 0, mostRunning: 10 },
    changed: () => undefined,
  });

  constructor(own: string, fallback: ProberServer['fallback'] = 'any-available') {
    const servers = [server('/Common/a'), server('/Common/b'), server('/Common/web', { isProber: false, fallback })];
    this.keeper.want({ servers, pools: [POOL] }, new Set(own === '' ? [] : [own]));
    this.settle();
  }

  settle(): void {
    const watches = this.keeper.assign([WATCH]);
    this.engine.want(watches);
    const verdict = this.keeper.verdictOf(watches[0]!);
    if (verdict !== undefined) this.engine.take('virtual-server', WATCH.key, verdict);
    this.clock.advance(100);
  }

  get seen(): string {
    const { status, reason } = this.engine.verdictOf('virtual-server', WATCH.key)!;
    return `${status}: ${reason}`;
  }
}

it('a machine that is no gtm server probes everything itself', () => {
  const rig = new Rig('');
  rig.verdicts.set('/Common/a', 'offline');
  rig.settle();
  assert.equal(rig.keeper.choiceOf(WATCH).by, 'here');
  assert.equal(rig.prober.sent.length, 1);
  assert.match(rig.seen, /^available/);
});

it('who is elected probes; the others take what that found, and probe nothing', () => {
  const elected = new Rig('/Common/a');
  assert.equal(elected.prober.sent.length, 1);
  const other = new Rig('/Common/b');
  // Until the other one has said something this machine looks for itself.
  assert.equal(other.prober.sent.length, 1);
  assert.match(other.seen, /^available: Monitor \/Common\/tcp: answered$/);
  other.verdicts.set('/Common/a', 'offline');
  other.settle();
  assert.equal(other.seen, 'offline: Monitor /Common/tcp: it says (probed by /Common/a)');
  other.clock.advance(600_000);
  assert.equal(other.prober.sent.length, 1);
});

it('a prober that is lost is replaced, and what it said stays until this machine has found something', () => {
  const rig = new Rig('/Common/b');
  rig.prober.script = () => ({ verdict: 'refused', after: 2000 });
  rig.verdicts.set('/Common/a', 'available');
  rig.settle();
  rig.problems.set('/Common/a', 'not connected: connection refused');
  rig.settle();
  assert.match(rig.seen, /^available: .*as known before/);
  rig.clock.advance(5000);
  assert.match(rig.seen, /^offline: Monitor \/Common\/tcp: connection refused$/);
  const choice = rig.keeper.choiceOf(WATCH);
  assert.equal(choice.by, 'here');
  assert.match(choice.why, /this machine is \/Common\/b.*\/Common\/a not connected: connection refused/);
  rig.problems.clear();
  rig.settle();
  assert.match(rig.seen, /^available: .*probed by \/Common\/a/);
});

it('without a fallback nobody probes: it is unknown, and says why', () => {
  const rig = new Rig('/Common/c', 'none');
  rig.problems.set('/Common/a', 'not connected: timed out');
  rig.problems.set('/Common/b', 'not connected: no route');
  rig.settle();
  assert.equal(
    rig.seen,
    'unknown: No prober, and prober-fallback is none: /Common/a not connected: timed out, /Common/b not connected: no route',
  );
  rig.problems.delete('/Common/b');
  rig.verdicts.set('/Common/b', 'available');
  rig.settle();
  assert.match(rig.seen, /^available: .*probed by \/Common\/b/);
});
