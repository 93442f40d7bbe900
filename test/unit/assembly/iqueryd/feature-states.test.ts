// States between healthd and the mesh: what goes out is this machine's own, what comes in is whole, and nothing goes in circles.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { LocalRecords, STALE_MS } from '../../../../src/assembly/iqueryd/local-records.ts';
import { StatesFeature } from '../../../../src/assembly/iqueryd/feature-states.ts';
import type { Log } from '../../../../src/core/log.ts';
import type { Measured } from '../../../../src/ipc/healthd-schema.ts';
import type { LocalReport, LocalVirtual, MeshState } from '../../../../src/ipc/mesh-schema.ts';
import type { MeshPort, PeerServer } from '../../../../src/iquery/mesh-feature.ts';
import { type Channel, recordKey, type RecordMessage, type RecordOf } from '../../../../src/iquery/messages.ts';
import { FakeClock } from '../../../support/health-rig.ts';

const quiet = (): void => undefined;
const LOG = { debug: quiet, info: quiet, warn: quiet, error: quiet } as unknown as Log;

class FakePort implements MeshPort {
  readonly records = new Map<string, RecordMessage>();
  readonly peers = [];
  readonly subscribers = [];

  publish(record: RecordMessage): void {
    this.records.set(`${record.message} ${recordKey(record)}`, record);
  }
  forget(channel: Channel, key: string): void {
    this.records.delete(`${channel} ${key}`);
  }
  publishAll<C extends Channel>(channel: C, records: readonly RecordOf<C>[]): void {
    for (const key of [...this.records.keys()]) if (key.startsWith(`${channel} `)) this.records.delete(key);
    for (const record of records) this.publish(record as unknown as RecordMessage);
  }
  request = (): boolean => false;
  reply = (): boolean => false;
  get keys(): string[] {
    return [...this.records.keys()].sort();
  }
}

const virtual = (name: string): LocalVirtual => ({
  ...{ name, address: '192.0.2.1', port: 80, availability: 'available', state: 'enabled' },
  ...{ reason: 'The virtual server is available', since: 5, score: 7 },
});
const NOTHING: LocalReport = { virtuals: [], members: [], goneVirtuals: [], goneMembers: [], last: true };

it('what healthd says is published; only what monitors of this machine found goes out as their verdict', () => {
  const [mesh, clock] = [new FakePort(), new FakeClock()];
  const records = new LocalRecords({ mesh, healthd: '/none', clock, log: LOG });
  const member = { ...virtual('x'), pool: '/Common/p', member: '/Common/192.0.2.5:80' };
  records.states.heard();
  records.states.take(
    [{ ...NOTHING, virtuals: [virtual('/Common/a'), virtual('/Common/b')], members: [member] }],
    true,
  );
  assert.deepEqual(mesh.keys, ['pool_member /Common/p\t/Common/192.0.2.5:80', 'vs /Common/a', 'vs /Common/b']);
  records.states.take([{ ...NOTHING, goneVirtuals: ['/Common/b'] }], false);
  const found = (key: string, isOwn?: true): Measured => ({
    ...{ kind: 'virtual-server', key, status: 'offline', reason: 'refused', since: 1, goodFor: 120 },
    ...(isOwn && { isOwn }),
  });
  const report = (measured: Measured[]) => ({ measured, forgotten: [], last: true });
  records.reports.take([report([found('/Common/s:own', true), found('/Common/s:taken')])], true);
  assert.equal(mesh.records.has('verdict virtual-server\t/Common/s:taken'), false);
  assert.deepEqual(mesh.records.get('verdict virtual-server\t/Common/s:own'), {
    ...{ message: 'verdict', kind: 'virtual-server', name: '/Common/s:own', status: 'offline', reason: 'refused' },
    ...{ since: 1, good_for: 120 },
  });
  records.reports.take([report([found('/Common/s:own')])], false);
  assert.deepEqual(mesh.keys, ['pool_member /Common/p\t/Common/192.0.2.5:80', 'vs /Common/a']);
});

it('while healthd is away its last word goes on, and says after a while that it is old', () => {
  const [mesh, clock] = [new FakePort(), new FakeClock()];
  const records = new LocalRecords({ mesh, healthd: '/none', clock, log: LOG });
  records.states.heard();
  records.states.take([{ ...NOTHING, virtuals: [virtual('/Common/a')] }], true);
  const reason = (): string => (mesh.records.get('vs /Common/a') as RecordOf<'vs'>).reason;
  clock.advance(STALE_MS - 1);
  records.review();
  assert.equal(reason(), 'The virtual server is available');
  clock.advance(1);
  records.review();
  assert.match(reason(), /\(stale: healthd there has not been heard since 2026-01-01 00:00:00 UTC\)$/);
  assert.equal((mesh.records.get('vs /Common/a') as RecordOf<'vs'>).availability, 'available');
  records.states.heard();
  assert.equal(reason(), 'The virtual server is available');
});

const peer = (server: string, isThisMachine = false): PeerServer => ({
  ...{ server, datacenter: '/Common/dc', device: 'd', address: '192.0.2.1', isThisMachine },
});
const vs = (name: string, reason = ''): RecordOf<'vs'> => ({
  ...{ message: 'vs', name, address: '192.0.2.1', port: 80, availability: 'available', state: 'enabled' },
  ...{ reason, since: 1 },
});
const verdict = (name: string): RecordOf<'verdict'> => ({
  ...{ message: 'verdict', kind: 'virtual-server', name, status: 'available', reason: 'up', since: 1, good_for: 10 },
});

type Stream = AsyncGenerator<MeshState, void>;
async function next(stream: Stream): Promise<MeshState> {
  const { value } = await stream.next();
  assert.ok(value);
  return value;
}
function follow(): { feature: StatesFeature; stream: Stream } {
  const feature = new StatesFeature({ mesh: new FakePort(), state: '/none', clock: new FakeClock(), log: LOG });
  feature.want({ peers: [peer('/Common/east'), peer('/Common/self', true)] });
  const stream = (feature.handlers['mesh-states'] as unknown as (params: object, context: object) => Stream)(
    {},
    { signal: new AbortController().signal },
  );
  return { feature, stream };
}

it('healthd is told who is dialled, what they say, and what is gone; nothing of this machine', async () => {
  const { feature, stream } = follow();
  const first = await next(stream);
  assert.deepEqual(first.servers, [
    { server: '/Common/east', isConnected: false, reason: 'it has not been connected yet', heard: 0, hasTold: false },
  ]);
  feature.onWhole('/Common/self', 'vs', [vs('/Common/own')]);
  feature.onHeard('/Common/east', 1234);
  feature.onCondition('/Common/east', { state: 'connected', since: 1 });
  feature.onWhole('/Common/east', 'vs', [vs('/Common/a'), vs('/Common/b')]);
  feature.onWhole('/Common/east', 'verdict', [verdict('/Common/s:v')]);
  const told = await next(stream);
  assert.deepEqual(told.servers, [
    { server: '/Common/east', isConnected: true, reason: '', heard: 1234, hasTold: true },
  ]);
  assert.deepEqual(
    told.virtuals.map(({ server, name }) => `${server} ${name}`),
    ['/Common/east /Common/a', '/Common/east /Common/b'],
  );
  assert.deepEqual(
    told.verdicts.map(({ key, goodFor }) => [key, goodFor]),
    [['/Common/s:v', 10]],
  );
  feature.onWhole('/Common/east', 'vs', [vs('/Common/b', 'another')]);
  feature.onForgotten('/Common/east', 'verdict', recordKey(verdict('/Common/s:v')));
  const changed = await next(stream);
  assert.deepEqual(changed.goneVirtuals, [{ server: '/Common/east', name: '/Common/a' }]);
  assert.deepEqual(changed.goneVerdicts, [{ server: '/Common/east', kind: 'virtual-server', key: '/Common/s:v' }]);
  assert.deepEqual(
    changed.virtuals.map(({ reason }) => reason),
    ['another'],
  );
  await stream.return();
});

it('what a lost machine said stays, with the reason of the last failure, until it is not configured any more', async () => {
  const { feature, stream } = follow();
  feature.onCondition('/Common/east', { state: 'connected', since: 1 });
  feature.onWhole('/Common/east', 'vs', [vs('/Common/a')]);
  await next(stream);
  feature.onCondition('/Common/east', { state: 'not-connected', since: 2, reason: 'connection refused' });
  feature.onCondition('/Common/east', { state: 'connecting', since: 3, reason: 'no address has answered yet' });
  const lost = await next(stream);
  assert.deepEqual(
    lost.servers.map(({ isConnected, reason, hasTold }) => [isConnected, reason, hasTold]),
    [[false, 'connection refused', true]],
  );
  assert.deepEqual(lost.goneVirtuals, []);
  feature.want({ peers: [] });
  const gone = await next(stream);
  assert.deepEqual(gone.goneServers, ['/Common/east']);
  assert.deepEqual(gone.goneVirtuals, [{ server: '/Common/east', name: '/Common/a' }]);
  await stream.return();
});
