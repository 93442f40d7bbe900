// What bigip monitors make of other machines: what those say, for how long it counts, and whose fault a silence is.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { BigipReporter } from '../../../../src/assembly/healthd/bigip-reporter.ts';
import { MeshFacts } from '../../../../src/assembly/healthd/mesh-facts.ts';
import type { AnyConfigObject } from '../../../../src/config/object-type.ts';
import { HealthEngine } from '../../../../src/health/health-engine.ts';
import { LtmAvailability } from '../../../../src/health/ltm-availability.ts';
import type { Watch, WatchVerdict } from '../../../../src/health/watch.ts';
import type { MeshServer, MeshState, MeshVirtual } from '../../../../src/ipc/mesh-schema.ts';
import { FakeClock, monitor, ScriptedProber } from '../../../support/health-rig.ts';

const TIMEOUT = 90_000;
const bigip = monitor({
  ...{ type: 'bigip', name: '/Common/bigip', probe: { type: 'bigip' } },
  timing: { interval: 30_000, timeout: TIMEOUT },
});
const watch = (kind: Watch['kind'], key: string, address: string, port: number): Watch => ({
  ...{ kind, key, rule: { atLeast: 1, monitors: [bigip] }, unprobed: undefined },
  places: [{ family: 4, address, port, via: undefined }],
});
const SERVER = watch('server', '/Common/east', '192.0.2.1', 0);
const WEB = watch('virtual-server', '/Common/east:web', '198.51.100.1', 80);
const EAST = {
  type: 'gtm server',
  name: '/Common/east',
  properties: {
    product: 'bigip',
    devices: { east: { addresses: { '192.0.2.1': { translation: 'none' } } } },
    'virtual-servers': { web: { destination: '198.51.100.1:80', 'ltm-name': '/Common/shop' } },
  },
} as unknown as AnyConfigObject;

const NOTHING: MeshState = {
  ...{ servers: [], virtuals: [], verdicts: [], goneServers: [], goneVirtuals: [], goneVerdicts: [] },
  last: true,
};

class Rig {
  readonly clock = new FakeClock();
  readonly engine: HealthEngine;
  readonly mesh: MeshFacts;
  readonly reporter: BigipReporter;
  #isBeating = true;

  constructor({
    isFollowing = true,
    known,
  }: { isFollowing?: boolean; known?: ReadonlyMap<string, WatchVerdict> } = {}) {
    const { clock } = this;
    this.engine = new HealthEngine({
      ...{ clock, prober: new ScriptedProber(clock, () => undefined), random: () => 0, mostRunning: 10 },
      changed: () => undefined,
    });
    this.mesh = new MeshFacts({
      clock,
      changed: ({ servers }) => this.reporter.serversChanged(servers),
      goodFor: () => this.reporter.goodFor,
    });
    this.reporter = new BigipReporter({
      ...{ engine: this.engine, mesh: this.mesh, hostAddresses: () => new Set<string>() },
      meshProblem: () => 'it is not running',
    });
    const availability = new LtmAvailability({ nodes: [], pools: [], virtuals: [] }, { verdictOf: () => undefined });
    const watches = [SERVER, WEB];
    this.reporter.want({ watches, servers: [EAST], selfs: new Set(), availability, isFollowing });
    this.engine.want(watches, known);
    this.reporter.reportAll();
  }

  /** One change that iqueryd tells. */
  say(state: Partial<MeshState>, isWhole = false): void {
    this.mesh.heard();
    this.mesh.take([{ ...NOTHING, ...state }], isWhole);
  }

  server(rest: Partial<MeshServer> = {}): MeshServer {
    const heard = this.clock.wall();
    return { server: '/Common/east', isConnected: true, reason: '', heard, hasTold: true, ...rest };
  }

  lost(reason: string): void {
    this.say({ servers: [this.server({ isConnected: false, reason, heard: this.clock.wall() })] });
  }

  /** iqueryd lives, and has nothing to say. */
  pass(milliseconds: number, isBeating = true): void {
    this.#isBeating = isBeating;
    for (let gone = 0; gone < milliseconds; gone += 500) {
      this.clock.advance(500);
      if (this.#isBeating && gone % 1000 === 0) this.say({});
      this.reporter.review();
    }
  }

  status(of: Watch): string {
    return this.engine.verdictOf(of.kind, of.key)!.status;
  }
  reason(of: Watch): string {
    return this.engine.verdictOf(of.kind, of.key)!.reason;
  }
}

const web = (rest: Partial<MeshVirtual> = {}): MeshVirtual => ({
  ...{ server: '/Common/east', name: '/Common/web', address: '198.51.100.1', port: 80 },
  ...{ availability: 'available', state: 'enabled', reason: 'The virtual server is available', since: 1 },
  ...rest,
});
const DOWN = { availability: 'offline', reason: 'The children pool member(s) are down' } as const;

it('what a machine says of its virtual servers counts in the moment in which it is heard, in its words', () => {
  const rig = new Rig();
  rig.say({ servers: [rig.server()], virtuals: [web()] }, true);
  assert.equal(rig.status(SERVER), 'available');
  assert.equal(
    rig.reason(WEB),
    'Monitor /Common/bigip: bigip /Common/east: virtual /Common/web: The virtual server is available',
  );
  rig.say({ virtuals: [web(DOWN)] });
  assert.equal(rig.status(WEB), 'offline');
  assert.equal(
    rig.reason(WEB),
    'Monitor /Common/bigip: bigip /Common/east: virtual /Common/web: The children pool member(s) are down',
  );
  rig.say({ virtuals: [web({ state: 'disabled' })] });
  assert.match(rig.reason(WEB), /The virtual server is available \(disabled\)$/);
  assert.equal(rig.status(WEB), 'offline');
  rig.say({ virtuals: [web({ availability: 'unavailable', reason: 'over' })] });
  assert.match(rig.reason(WEB), /over$/);
  rig.say({ virtuals: [web()] });
  assert.equal(rig.status(WEB), 'available');
  rig.say({ goneVirtuals: [{ server: '/Common/east', name: '/Common/web' }] });
  assert.equal(rig.status(WEB), 'unknown');
  assert.match(rig.reason(WEB), /no virtual 198\.51\.100\.1:80 on bigip \/Common\/east$/);
});

it('a virtual server goes by its destination, or else by its name there', () => {
  const rig = new Rig();
  rig.say({ servers: [rig.server()], virtuals: [web({ name: '/Common/shop', address: '203.0.113.1' })] }, true);
  assert.match(rig.reason(WEB), /virtual \/Common\/shop: /);
  rig.say({ virtuals: [web({ name: '/Common/any', ...DOWN })] });
  assert.match(rig.reason(WEB), /virtual \/Common\/any: The children/);
});

it('who is not heard any more is down after the timeout, to the half second, and a restart within it changes nothing', () => {
  const rig = new Rig();
  rig.say({ servers: [rig.server()], virtuals: [web()] }, true);
  rig.lost('connection refused');
  rig.pass(80_000);
  assert.equal(rig.status(SERVER), 'available');
  assert.equal(rig.status(WEB), 'available');
  rig.say({ servers: [rig.server({ hasTold: false })] });
  assert.equal(rig.status(WEB), 'available');
  rig.say({ servers: [rig.server()], virtuals: [web()] });
  rig.lost('connection refused');
  rig.pass(TIMEOUT - 500);
  assert.equal(rig.status(SERVER), 'available');
  rig.pass(500);
  assert.equal(rig.status(SERVER), 'offline');
  assert.equal(rig.status(WEB), 'offline');
  const silent = 'Monitor /Common/bigip: Nothing heard of 192.0.2.1 for 90 s over iQuery: connection refused';
  assert.equal(rig.reason(SERVER), silent);
  assert.equal(rig.reason(WEB), silent);
  rig.say({ servers: [rig.server()], virtuals: [web()] });
  assert.equal(rig.status(WEB), 'available');
});

it('with virtuals-depend-on-server-state no, virtual servers stay as they were said to be', () => {
  const rig = new Rig({ isFollowing: false });
  rig.say({ servers: [rig.server()], virtuals: [web()] }, true);
  rig.lost('timed out');
  rig.pass(TIMEOUT);
  assert.equal(rig.status(SERVER), 'offline');
  assert.equal(rig.status(WEB), 'available');
  assert.match(rig.reason(WEB), /\(as it said last; Nothing heard of 192\.0\.2\.1 for 90 s over iQuery: timed out\)$/);
});

it('when iqueryd is away nobody else is silent: what counts is stale, and the time goes on when it is back', () => {
  const rig = new Rig();
  rig.say({ servers: [rig.server()], virtuals: [web()] }, true);
  rig.pass(10_000);
  rig.pass(TIMEOUT - 2000, false);
  assert.doesNotMatch(rig.reason(WEB), /stale/);
  rig.pass(1_000_000, false);
  assert.equal(rig.status(SERVER), 'available');
  assert.equal(rig.status(WEB), 'available');
  assert.match(rig.reason(WEB), /\(stale: iqueryd has not been heard for 90 s\)$/);
  assert.ok(rig.mesh.staleFor()! > 1000);
  // A new one knows nobody yet.
  rig.say({ servers: [rig.server({ isConnected: false, reason: 'not yet', heard: 0, hasTold: false })] }, true);
  assert.equal(rig.status(WEB), 'available');
  assert.doesNotMatch(rig.reason(WEB), /stale/);
  assert.equal(rig.mesh.staleFor(), undefined);
  rig.pass(70_000);
  assert.equal(rig.status(WEB), 'available');
  rig.pass(20_000);
  assert.equal(rig.status(WEB), 'offline');
});

it('a new iqueryd that has heard all anew forgets what is not there any more', () => {
  const rig = new Rig();
  rig.say({ servers: [rig.server()], virtuals: [web()] }, true);
  rig.say({ servers: [rig.server({ isConnected: false, reason: 'not yet', heard: 0, hasTold: false })] }, true);
  assert.equal(rig.status(WEB), 'available');
  rig.say({ servers: [rig.server()] });
  assert.equal(rig.status(WEB), 'unknown');
});

it('after a restart of healthd what was known goes on until something is heard', () => {
  const verdict: WatchVerdict = { status: 'available', reason: 'it was', since: 1 };
  const known = new Map([
    ['server /Common/east', verdict],
    ['virtual-server /Common/east:web', verdict],
  ]);
  const rig = new Rig({ known });
  assert.equal(rig.status(WEB), 'available');
  rig.say({ servers: [rig.server({ isConnected: false, heard: 0, hasTold: false, reason: 'refused' })] }, true);
  assert.equal(rig.reason(WEB), 'it was (as known before)');
  rig.say({ servers: [rig.server({ hasTold: false })] });
  assert.equal(rig.status(WEB), 'available');
  rig.say({ servers: [rig.server()], virtuals: [web(DOWN)] });
  assert.equal(rig.status(WEB), 'offline');
});

it('who was never heard is unknown, and down after the timeout; a stranger is unknown, with what to do', () => {
  const rig = new Rig();
  assert.equal(
    rig.reason(SERVER),
    'Monitor /Common/bigip: Nothing has been heard of it over iQuery: it is not running',
  );
  const never = rig.server({ isConnected: false, heard: 0, hasTold: false, reason: 'connection refused' });
  rig.say({ servers: [never] }, true);
  assert.equal(rig.status(SERVER), 'unknown');
  rig.pass(TIMEOUT);
  assert.equal(rig.status(SERVER), 'offline');
  rig.say({ servers: [rig.server({ isStranger: true, hasTold: false })] });
  assert.equal(rig.status(SERVER), 'unknown');
  assert.match(rig.reason(WEB), /generic-host/);
});
